import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { merge } from 'lodash';
import type { Browser, Page } from 'playwright-core';
import { POLICY } from '../../../src/__tests__/__testUtils__/requestParts';
import type { SigningKey } from '../../../src/__tests__/__testUtils__/signingKey';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { discovery } from '../../../src/__tests__/__testUtils__/startBackend';
import { BackendProcess } from '../../BackendProcess';
import type { Checks } from '../chromium/Checks';
import { send, until } from '../../http';
import { PAGE_PATH, USERS } from './World';

/** Checks that the page says whose figures it has, at two replicas, and that a backend without `auth` has no page. */
export async function checkReplicas(
  browser: Browser,
  checks: Checks,
  key: SigningKey,
) {
  const folder = mkdtempSync(path.join(tmpdir(), 'api-gate-page-'));
  const ports = [await freePort(), await freePort(), await freePort()];
  const url = `http://localhost:${ports[0]}`;
  const create = (name: string, port: number, plugins: string[]) =>
    new BackendProcess(name, port, {
      module: path.join(__dirname, '../../processes/split/backend.ts'),
      logFile: path.join(folder, `${name}.log`),
      config: {
        plugins,
        config: merge(
          {},
          key.config,
          plugins.includes('auth')
            ? discovery(ports[2], 'notes')
            : discovery(ports[0], 'auth'),
          {
            app: { baseUrl: url },
            // All share the address that browsers use, which is the issuer of user tokens.
            backend: {
              baseUrl: url,
              listen: { port, host: 'localhost' },
              database: { client: 'better-sqlite3', connection: ':memory:' },
            },
            auth: {
              providers: { guest: {} },
              apiGate: { operators: [USERS.operator] },
            },
          },
        ),
      },
    });
  const [a, b, other] = [
    create('a', ports[0], ['auth', 'hello']),
    create('b', ports[1], ['auth', 'hello']),
    create('other', ports[2], ['notes']),
  ];
  const all = [a, b, other];
  const killAll = () => all.forEach(each => each.killNow());
  process.once('exit', killAll);
  try {
    await Promise.all(all.map(each => each.start()));
    await send(a.port, { path: '/api/hello/refused-by-a' });
    const token = await key.sign({
      iss: `${url}/api/auth`,
      sub: USERS.operator,
    });
    const context = await browser.newContext();
    // A cookie is for each port of a host.
    await context.addCookies([{ name: 'token', value: token, url }]);
    const page = await context.newPage();
    for (const replica of [a, b]) {
      const seen = await readPage(page, replica.port);
      const { body } = await send(replica.port, {
        path: POLICY,
        bearer: token,
      });
      const { host, pid } = JSON.parse(body).replica;
      checks.equal(
        `the page of replica ${replica.name}`,
        {
          isItself: seen.includes(`${host}, process ${pid}, since`),
          hasRefusalOfA: seen.includes('/refused-by-a'),
        },
        { isItself: true, hasRefusalOfA: replica === a },
      );
    }
    checks.that(
      'the page says of whom it is',
      (await page.innerText('footer')).includes(
        'other backends of a deployment have a gate of their own',
      ),
      await page.innerText('footer'),
    );
    let status = 503;
    // Until the backend has read the ended sessions from a replica, it answers 503 to every user.
    await until('the sessions are read', 10_000, async () => {
      const cookie = `token=${token}`;
      status = (await send(other.port, { path: PAGE_PATH, cookie })).status;
      return status !== 503;
    });
    checks.equal('the page of a backend without auth', status, 404);
    await context.close();
  } finally {
    process.off('exit', killAll);
    await Promise.all(all.map(each => each.kill()));
    rmSync(folder, { recursive: true, force: true });
  }
}

async function readPage(page: Page, port: number): Promise<string> {
  await page.goto(`http://localhost:${port}${PAGE_PATH}`);
  return (await page.innerText('body')).replace(/\s+/g, ' ');
}
