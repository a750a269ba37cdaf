// Checks that code which the cookie may not open does not run from the browser's cache, where another request has stored it.
import type { Browser, Page } from 'playwright-core';
import type { Checks } from './Checks';
import {
  loadElement,
  loadScript,
  loadStyle,
  startWorker,
} from './openedByCookie';
import { SecureBackend, signIn } from './withSecureBackend';

type Load = (page: Page, url: string) => Promise<unknown>;

/** Requests that store the answer, even where the page can't use it. */
const STORE: Record<string, Load> = {
  image: (page, src) => loadElement(page, 'img', { src }),
  prefetch: (page, href) =>
    loadElement(page, 'link', { href, rel: 'prefetch' }),
  iframe: (page, src) => loadElement(page, 'iframe', { src }),
  fetch: (page, url) =>
    page.evaluate(async href => {
      await fetch(href, { mode: 'no-cors', credentials: 'include' });
    }, url),
};

const RUN: Record<string, [load: Load, type: string]> = {
  script: [loadScript, 'js'],
  style: [loadStyle, 'css'],
  worker: [startWorker, 'js'],
  'import()': [importModule, 'js'],
};

export async function codeFromCache(
  backend: SecureBackend,
  browser: Browser,
  checks: Checks,
) {
  for (const [from, origin, kinds] of [
    ['a page of the backend', backend.url, Object.keys(RUN)],
    // A page may start no worker of another origin, and import no module that does not allow its origin.
    ['another origin of the site', backend.otherOrigin, ['script', 'style']],
  ] as const) {
    await backend.setControl(true);
    const control = await codeThatRan(backend, browser, origin);
    // Chromium keeps what a frame has opened apart from what its page loads.
    const expected = ['image', 'prefetch', 'fetch', 'bearer'].flatMap(first =>
      kinds.map(kind => `${first}, then ${kind}`),
    );
    checks.equal(
      `${from}: what runs where the answers have no Vary`,
      control,
      expected,
    );
    await backend.setControl(false);
    checks.equal(
      `${from}: what runs with the gate`,
      await codeThatRan(backend, browser, origin),
      [],
    );
  }
}

/** Returns the kinds of requests after which a page runs a kind of code, or reads from it. */
async function codeThatRan(
  { files, url }: SecureBackend,
  browser: Browser,
  origin: string,
): Promise<string[]> {
  const context = await browser.newContext();
  const frontend = await context.newPage();
  await frontend.goto(url);
  const token = await signIn(frontend);
  const bearer: Load = (_page, href) => fetchByBearer(frontend, href, token);
  const page = await context.newPage();
  await page.goto(origin);

  const rows = Object.entries({ ...STORE, bearer }).flatMap(([first, store]) =>
    Object.entries(RUN).map(([kind, [run, type]]) => ({
      ...{ title: `${first}, then ${kind}`, store, run },
      // Each row has a file of its own.
      file: `${files}/${first}-${kind.slice(0, 6)}.${type}`,
    })),
  );
  await Promise.all(rows.map(({ store, file }) => store(page, file)));
  const outcomes = await Promise.all(
    rows.map(({ run, file }) => run(page, file).catch(() => 'refused')),
  );
  await context.close();
  return rows
    .filter((_row, i) => outcomes[i] === 'ran')
    .map(({ title }) => title);
}

function fetchByBearer(page: Page, url: string, token: string) {
  return page.evaluate(
    async ([href, bearer]) => {
      const headers = { Authorization: `Bearer ${bearer}` };
      await (await fetch(href, { headers })).text();
    },
    [url, token],
  );
}

function importModule(page: Page, url: string): Promise<string> {
  return page.evaluate(
    // The loader of TypeScript turns an `import()` in this file into a call of `require`.
    `import(${JSON.stringify(url)}).then(() => 'ran', () => 'refused')`,
  );
}
