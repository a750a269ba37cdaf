// Checks the abilities of a page or a script that the browser opens with the gate's cookie alone: from a server behind a proxy
// endpoint, at a path that the gate does not trust (/target), and at one that `auth.apiGate.cookie.trustedPaths` names
// (/trusted).
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BrowserContext, Page } from 'playwright-core';
import type { Checks } from './Checks';
import { MAX_AGE_MS } from './cookieLife';
import { BACKEND } from './devBackend';
import { Exchange, exchangeDuring } from './exchangeDuring';
import { GatePage } from './GatePage';
import { startOtherOrigin } from './otherOrigin';
import { startProxiedServer } from './proxiedServer';

const TARGET = `${BACKEND}/api/proxy/target`;
const TRUSTED = `${BACKEND}/api/proxy/trusted`;
const TECHDOCS_PAGE = `${BACKEND}/api/techdocs/static/docs/default/component/example/index.html`;

const SCRIPT_TIME_MS = 1_500;
const LOAD_TIME_MS = 10_000;
const LOAD_ATTEMPTS = 3;

type ProxiedServer = Awaited<ReturnType<typeof startProxiedServer>>;

/** Starts the proxied server. Returns it with the configuration of a backend that proxies to it. */
export async function startProxied() {
  const assets = path.join(
    path.dirname(require.resolve('playwright-core/package.json')),
    'lib/vite/recorder/assets',
  );
  const font = readdirSync(assets).find(name => name.endsWith('.ttf'))!;
  const server = await startProxiedServer(
    readFileSync(path.join(assets, font)),
  );
  const endpoint = {
    target: server.url,
    allowedHeaders: ['Content-Security-Policy', 'Content-Disposition'],
  };
  const config = {
    proxy: { endpoints: { '/target': endpoint, '/trusted': endpoint } },
    auth: {
      apiGate: {
        cookie: {
          maxAge: `${MAX_AGE_MS}ms`,
          trustedPaths: [{ plugin: 'proxy', path: '/trusted/**' }],
        },
      },
    },
  };
  return { server, config };
}

/** Checks a link from another site to a page, an image or a document with a script in it. */
export async function linkFromAnotherSite(
  context: BrowserContext,
  checks: Checks,
  server: ProxiedServer,
) {
  const { gatePage } = await GatePage.open(context);
  await gatePage.signIn();
  const other = await startOtherOrigin(TARGET);
  try {
    for (const file of ['page.html', 'image.svg', 'page.xhtml']) {
      server.reports.length = 0;
      const written = server.written;
      const { exchange } = await follow(
        context,
        other.crossSite,
        `${TARGET}/${file}`,
      );
      checks.equal(`${file}: the answer`, summaryOf(exchange), {
        status: 200,
        gate: 'passed: cookie',
        gateCookie: 'sent: token',
      });
      checks.equal(`${file}: what its script has done`, server.reports, []);
      checks.equal(`${file}: what was written`, server.written - written, 0);

      await follow(context, other.crossSite, `${TRUSTED}/${file}`);
      checks.equal(
        `${file}: what its script has done where the path is trusted`,
        server.reports,
        [{ from: file, catalog: 200, token: true, wrote: 201 }],
      );
    }
    const { title, imageWidth } = await follow(
      context,
      other.crossSite,
      `${TARGET}/page.html`,
    );
    checks.equal(
      'page.html: its title, which its inline script sets',
      title,
      'Page',
    );
    checks.equal('page.html: the width of its image', imageWidth, 0);
  } finally {
    other.stop();
  }
}

/** Checks a page that the frontend has fetched with a token, so that the browser has stored it, and that is opened then. */
export async function storedByBearer(
  context: BrowserContext,
  checks: Checks,
  server: ProxiedServer,
) {
  const { gatePage } = await GatePage.open(context);
  await gatePage.signIn();
  const other = await startOtherOrigin(TARGET);
  try {
    const url = `${TARGET}/cached.html`;
    const status = await gatePage.page.evaluate(async href => {
      const answer = await fetch('/api/auth/guest/refresh');
      const { token } = (await answer.json()).backstageIdentity;
      const headers = { Authorization: `Bearer ${token}` };
      return (await fetch(href, { headers })).status;
    }, url);
    checks.equal('the answer to the token', status, 200);
    for (const from of [other.crossSite, BACKEND]) {
      server.reports.length = 0;
      await openStored(context, from, url);
      checks.equal(
        `what the script of the page has done, linked to from ${from}`,
        server.reports,
        [],
      );
    }
  } finally {
    other.stop();
  }
}

/** Checks code that a page of the backend's own origin loads with the cookie alone. */
export async function codeByCookie(context: BrowserContext, checks: Checks) {
  const { gatePage } = await GatePage.open(context);
  await gatePage.signIn();
  const refused = {
    status: 403,
    gate: 'refused: unsafe-destination',
    gateCookie: 'sent: token',
  };
  const kinds: [string, string, LoadCode][] = [
    ['a script', 'script.js', loadScript],
    ['a module', 'script.js', loadModule],
    ['a style sheet', 'style.css', loadStyle],
    ['a worker', 'worker.js', startWorker],
    ['a shared worker', 'shared.js', startSharedWorker],
    ['a service worker', 'serviceworker.js', registerServiceWorker],
  ];
  for (const [title, file, load] of kinds) {
    const url = `${TARGET}/${file}`;
    let seen = '';
    const act = async () => {
      seen = await outcomeOf(load, gatePage.page, url);
    };
    // DevTools show the request of a service worker to no page.
    if (load === registerServiceWorker) {
      await act();
    } else {
      const isOf = (request: { url: string }) => request.url === url;
      const exchange = await exchangeDuring(gatePage.page, isOf, act);
      checks.equal(`${title}: the answer`, summaryOf(exchange), refused);
    }
    checks.equal(`${title}: what came of it`, seen, 'refused');
    checks.equal(
      `${title}: what came of it where the path is trusted`,
      await outcomeOf(load, gatePage.page, `${TRUSTED}/${file}`),
      'ran',
    );
  }
  checks.equal(
    'the cookie is still there',
    (await gatePage.cookies()).some(({ name }) => name === 'token'),
    true,
  );
}

/** Checks content that browsers load with the cookie without running any of it. */
export async function contentByCookie(context: BrowserContext, checks: Checks) {
  const { gatePage } = await GatePage.open(context);
  await gatePage.signIn();
  const { page } = gatePage;
  const seen = await page.evaluate(
    async ({ target, techDocsPage }) => {
      const event = (element: EventTarget, ok: string) =>
        new Promise<string>(resolve => {
          element.addEventListener(ok, () => resolve('loaded'));
          element.addEventListener('error', () => resolve('failed'));
        });
      const image = new Image();
      const vector = new Image();
      const audio = new Audio();
      const loading = [
        event(image, 'load'),
        event(vector, 'load'),
        event(audio, 'canplaythrough'),
      ];
      image.src = `${target}/image.gif`;
      vector.src = `${target}/image.svg`;
      audio.src = `${target}/sound.wav`;
      audio.load();
      const [gif, svg, wav] = await Promise.all(loading);
      const font = await new FontFace('test', `url(${target}/font.ttf)`)
        .load()
        .then(({ status }) => status, String);
      const source = new EventSource(`${target}/events`);
      const message = await new Promise(resolve => {
        source.onmessage = ({ data }) => resolve(data);
        source.onerror = () => resolve('failed');
      });
      source.close();
      return {
        ...{ gif, svg, wav, font, message },
        json: await (await fetch(`${target}/data.json`)).json(),
        html: (await (await fetch(`${target}/page.html`)).text()).slice(0, 15),
        techDocs: (await fetch(techDocsPage)).status,
      };
    },
    { target: TARGET, techDocsPage: TECHDOCS_PAGE },
  );
  checks.equal('what the page has loaded', seen, {
    gif: 'loaded',
    svg: 'loaded',
    wav: 'loaded',
    font: 'loaded',
    message: 'first',
    json: { data: 1 },
    html: '<!doctype html>',
    techDocs: 200,
  });

  checks.equal(
    'a PDF, opened as a page',
    await openDocument(context, `${TARGET}/document.pdf`),
    'shown',
  );
  checks.equal(
    'the PDF, opened again',
    await openDocument(context, `${TARGET}/document.pdf`),
    'shown',
  );
  checks.equal(
    'a file of HTML to be saved',
    await download(page, `${TARGET}/download.html`),
    '<h1>Downloaded</h1>',
  );
  const opened = await context.newPage();
  const techDocs = await opened.goto(TECHDOCS_PAGE);
  checks.that(
    'a page of TechDocs, opened as a page, has no sandbox',
    techDocs!.status() === 200 &&
      !techDocs!.headers()['content-security-policy'].includes('sandbox'),
    techDocs!.headers()['content-security-policy'],
  );
  await opened.close();
}

function summaryOf({ status, gate, gateCookie }: Exchange) {
  return { status, gate, gateCookie };
}

/** Clicks a link on an origin's page, and gives the script of the linked page time to run. */
async function follow(context: BrowserContext, origin: string, url: string) {
  const page = await context.newPage();
  await page.goto(`${origin}/`);
  const exchange = await exchangeDuring(
    page,
    request => request.url === url,
    () => clickLink(page, url),
  );
  await sleep(SCRIPT_TIME_MS);
  const title = await page.title();
  const imageWidth = await page.evaluate(
    () => document.querySelector('img')?.naturalWidth,
  );
  await page.close();
  return { exchange, title, imageWidth };
}

/** Opens a page that the browser may have stored. */
async function openStored(
  context: BrowserContext,
  origin: string,
  url: string,
) {
  const page = await context.newPage();
  await page.goto(`${origin}/`);
  await clickLink(page, url);
  await sleep(SCRIPT_TIME_MS);
  await page.close();
}

async function clickLink(page: Page, url: string) {
  await page.evaluate(href => {
    const link = document.createElement('a');
    link.href = href;
    document.body.append(link);
    link.click();
  }, url);
  await page.waitForURL(url);
}

/** Loads code into a page. Returns `ran` or `refused`. */
type LoadCode = (page: Page, url: string) => Promise<string>;

/** Loads code, anew if the browser fires no event at all, as happens to workers that start while DevTools detach from the page. */
async function outcomeOf(
  load: LoadCode,
  page: Page,
  url: string,
): Promise<string> {
  const silent = 'no event';
  for (let attempt = 1; attempt <= LOAD_ATTEMPTS; attempt++) {
    const outcome = await Promise.race([
      load(page, url),
      sleep(LOAD_TIME_MS, silent),
    ]);
    if (outcome !== silent) {
      return outcome;
    }
  }
  return silent;
}

export function loadScript(page: Page, url: string) {
  return loadElement(page, 'script', { src: url });
}

function loadModule(page: Page, url: string) {
  return loadElement(page, 'script', { src: url, type: 'module' });
}

export function loadStyle(page: Page, url: string) {
  return loadElement(page, 'link', { href: url, rel: 'stylesheet' });
}

export function loadElement(
  page: Page,
  name: string,
  attributes: Record<string, string>,
): Promise<string> {
  return page.evaluate(
    ([tag, properties]) =>
      new Promise<string>(resolve => {
        const element = Object.assign(document.createElement(tag), properties);
        element.onload = () => resolve('ran');
        element.onerror = () => resolve('refused');
        document.head.append(element);
      }),
    [name, attributes] as const,
  );
}

export function startWorker(page: Page, url: string): Promise<string> {
  return page.evaluate(
    href =>
      new Promise<string>(resolve => {
        const worker = new Worker(href);
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = () => resolve('refused');
      }),
    url,
  );
}

function startSharedWorker(page: Page, url: string): Promise<string> {
  return page.evaluate(
    href =>
      new Promise<string>(resolve => {
        // A worker of another name is another worker, not the one that an earlier attempt has started.
        const worker = new SharedWorker(href, { name: crypto.randomUUID() });
        worker.port.onmessage = ({ data }) => resolve(data);
        worker.onerror = () => resolve('refused');
      }),
    url,
  );
}

function registerServiceWorker(page: Page, url: string): Promise<string> {
  return page.evaluate(
    async href =>
      navigator.serviceWorker.register(href).then(
        async registration => {
          await registration.unregister();
          return 'ran';
        },
        () => 'refused',
      ),
    url,
  );
}

/** Opens a document in a tab of its own. Returns whether its viewer shows it. */
async function openDocument(context: BrowserContext, url: string) {
  const page = await context.newPage();
  try {
    const response = await page.goto(url);
    const policy = response!.headers()['content-security-policy'];
    if (policy?.includes('sandbox')) {
      return policy;
    }
    await sleep(500);
    // The viewer has a document of its own, with a dark background, and shows the content in a closed shadow tree.
    return await page.evaluate(() =>
      getComputedStyle(document.body).backgroundColor === 'rgb(40, 40, 40)'
        ? 'shown'
        : 'not shown',
    );
  } catch (error) {
    return String(error);
  } finally {
    await page.close();
  }
}

async function download(page: Page, url: string): Promise<string> {
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.evaluate(href => {
      const link = document.createElement('a');
      link.href = href;
      document.body.append(link);
      link.click();
    }, url),
  ]);
  return readFileSync(await file.path(), 'utf8');
}
