import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { merge } from 'lodash';
import type { Browser, Page } from 'playwright-core';
import { parse } from 'yaml';
import { codeBlocks } from '../../../src/__tests__/__testUtils__/documents';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { BackendProcess } from '../../BackendProcess';
import { send } from '../../http';
import { runNginx } from '../../runNginx';
import type { Checks } from './Checks';
import { exchangeDuring, isGateCookie } from './exchangeDuring';
import { configOf } from './withSecureBackend';

const PAGE = 'docs/recipes/foreign-authorization.md';
const IMAGE = '/api/techdocs/static/docs/default/component/example/image.png';
const PASSWORD = { username: 'ingress', password: 'of-the-ingress' };

const blockOf = (language: string) =>
  codeBlocks(language).find(({ file }) => file === PAGE)!.text;

/** Follows the recipe for an ingress that asks for Basic: its settings, its nginx, and the header that its `fetchApi` sends. */
export async function basicInFront(
  browser: Browser,
  folder: string,
  checks: Checks,
): Promise<void> {
  const port = await freePort();
  const ingress = await freePort();
  const url = `http://localhost:${ingress}`;
  const backend = new BackendProcess('behind Basic', port, {
    module: path.join(__dirname, 'secureBackend.ts'),
    config: merge(
      configOf(url, port, 'http://localhost:1'),
      parse(blockOf('yaml')),
      {
        discovery: {
          endpoints: [
            {
              target: { internal: `http://localhost:${port}/api/{{pluginId}}` },
              plugins: ['auth', 'catalog', 'techdocs', 'signals'],
            },
          ],
        },
      },
    ),
    logFile: path.join(folder, 'basic.log'),
  });
  const kill = () => backend.killNow();
  process.once('exit', kill);
  await backend.start();
  const killNginx = await startIngress(folder, ingress, port);
  process.once('exit', killNginx);
  try {
    const { status } = await send(ingress, { path: IMAGE });
    checks.equal('without the password, nginx answers', status, 401);
    const context = await browser.newContext({ httpCredentials: PASSWORD });
    const page = await context.newPage();
    await page.goto(url);
    await useStockFrontend(page, checks);
    await context.close();
    // A line for each request: the scheme of its Authorization, and the status of the backend's answer.
    const lines = readFileSync(path.join(folder, 'schemes.log'), 'utf8');
    const reached = new Set(lines.match(/^\w+ (?=\d)/gm));
    checks.equal('what reached the backend', [...reached], ['Basic ']);
  } finally {
    killNginx();
    await backend.kill();
  }
}

async function startIngress(folder: string, port: number, target: number) {
  const users = path.join(folder, 'htpasswd');
  writeFileSync(users, `${PASSWORD.username}:{PLAIN}${PASSWORD.password}\n`);
  const location = blockOf('nginx')
    .replace('http://backstage:7007', `http://localhost:${target}`)
    .replace('/etc/nginx/htpasswd', users);
  return runNginx(
    path.join(folder, 'ingress'),
    `map $http_upgrade $connection_upgrade { default upgrade; '' close; }
    map $http_authorization $auth_scheme { ~^(?<name>[A-Za-z]+) $name; default none; }
    log_format schemes '$auth_scheme $upstream_status';
    server { listen ${port}; access_log ${folder}/schemes.log schemes; ${location} }`,
    port,
  );
}

async function useStockFrontend(page: Page, checks: Checks) {
  const ofCookies = async () =>
    (await page.context().cookies())
      .map(({ name }) => name)
      .filter(isGateCookie);
  const loadImage = async () => {
    const { gateCookie, status } = await exchangeDuring(
      page,
      request => request.url.includes(IMAGE),
      () =>
        page.evaluate(src => {
          new Image().src = `${src}?${Date.now()}`;
        }, IMAGE),
    );
    return `${status}, ${gateCookie}`;
  };
  checks.equal('an image before the sign-in', await loadImage(), '401, none');
  const token = await page.evaluate(async () => {
    const answer = await fetch('/api/auth/visitor/refresh');
    return (await answer.json()).backstageIdentity.token as string;
  });
  checks.equal('the catalog, by fetchApi', await callApi(page, token), 200);
  checks.equal('the cookies then', await ofCookies(), ['token']);
  checks.equal(
    'an image of TechDocs, by the cookie beside Basic',
    await loadImage(),
    '200, sent: token',
  );
  checks.equal(
    'a WebSocket of signals, as its frontend opens it',
    await openSignals(page, token),
    'open',
  );
  checks.equal(
    'a WebSocket by the cookie beside Basic',
    await openSignals(page),
    'open',
  );

  await page.evaluate(() =>
    fetch('/api/auth/visitor/logout', {
      method: 'POST',
      headers: { 'X-Requested-With': 'XMLHttpRequest' },
      credentials: 'include',
    }),
  );
  checks.equal('the cookies after the sign-out', await ofCookies(), []);
  checks.equal('the catalog then', await callApi(page, token), 401);
  checks.equal('an image then', await loadImage(), '401, none');
  checks.equal('a WebSocket then', await openSignals(page, token), 'closed');
}

/** Calls the catalog with the header that `injectIdentityAuth` sets by the recipe. Returns the status. */
function callApi(page: Page, token: string): Promise<number> {
  return page.evaluate(async text => {
    const headers = { 'X-Backstage-Token': `Bearer ${text}` };
    return (await fetch('/api/catalog/entities', { headers })).status;
  }, token);
}

function openSignals(page: Page, token?: string): Promise<string> {
  return page.evaluate(
    text =>
      new Promise<string>(resolve => {
        const address = `${window.location.origin.replace('http', 'ws')}/api/signals`;
        const socket = new WebSocket(address, text ? [text] : []);
        socket.onopen = () => {
          socket.onclose = null;
          socket.close();
          resolve('open');
        };
        socket.onclose = () => resolve('closed');
      }),
    token,
  );
}
