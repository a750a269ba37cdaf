import type { Browser, Page } from 'playwright-core';
import { blocksAfter } from '../../../src/__tests__/__testUtils__/documents';
import { recordingPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import type { SigningKey } from '../../../src/__tests__/__testUtils__/signingKey';
import type { Checks } from '../chromium/Checks';
import { startOtherOrigin } from '../chromium/otherOrigin';
import { startAlteringProxy } from './alteringProxy';
import { callHello, USERS, withWorld, World } from './World';

/** Checks that no page shows the page of the policy in a frame, be it of another origin or of the frontend's own. */
export async function checkFrames(
  checks: Checks,
  { backend, pageUrl, signIn }: World,
) {
  const other = await startOtherOrigin('');
  const proxy = await startAlteringProxy(backend.port, ({ headers }) => {
    delete headers['content-security-policy'];
    delete headers['x-frame-options'];
  });
  const context = await signIn(USERS.operator);
  try {
    const page = await context.newPage();
    for (const [who, origin] of [
      ['a page of another origin', other.sameSite],
      ["the frontend's own page", backend.url],
    ]) {
      await page.goto(origin);
      checks.equal(
        `a frame in ${who}`,
        await frameIn(page, pageUrl),
        'refused by the browser',
      );
    }
    await page.goto(other.sameSite);
    checks.equal(
      'control: the frame without the headers of the page',
      await frameIn(page, pageUrl.replace(backend.url, proxy.url)),
      'API gate',
    );
  } finally {
    await context.close();
    proxy.stop();
    other.stop();
  }
}

/** Puts an address into a frame. Returns the heading that the frame shows. */
async function frameIn(page: Page, address: string): Promise<string> {
  await page.evaluate(
    src =>
      new Promise(resolve => {
        const frame = document.createElement('iframe');
        frame.onload = resolve;
        frame.src = src;
        document.body.replaceChildren(frame);
      }),
    address,
  );
  const [, frame] = page.frames();
  return frame.url().startsWith('chrome-error:')
    ? 'refused by the browser'
    : ((await frame.textContent('h1')) ?? 'nothing');
}

/** Checks what a user has to open first if the frontend is on another origin: a page that has called a cookie endpoint. */
export async function checkFrontendElsewhere(
  browser: Browser,
  checks: Checks,
  key: SigningKey,
) {
  const elsewhere = await startOtherOrigin('');
  const origin = elsewhere.sameSite;
  const [call] = blocksAfter(
    'docs/browsers-and-cookies.md',
    'A frontend on another origin',
    'ts',
  );
  const config = {
    app: { baseUrl: origin },
    backend: { cors: { origin, credentials: true } },
  };
  try {
    const features = [recordingPlugin('my-plugin').feature];
    await withWorld(browser, key, { config, features }, async world => {
      const { backend, pageUrl, sign } = world;
      const context = await browser.newContext();
      const token = await sign(USERS.operator);
      const page = await context.newPage();
      const seen = async () => {
        const answer = await page.goto(pageUrl);
        return `${answer!.status()}, ${await page.textContent('h1')}`;
      };
      await page.goto(origin);
      await callHello(page, backend.url, token);
      checks.equal(
        'after plain calls of the frontend',
        await seen(),
        '401, Sign in to Backstage first',
      );
      await page.click('main a');
      checks.equal('where the link leads', page.url(), `${origin}/`);
      await runInFrontend(page, call, backend.url, token);
      checks.equal(
        'after the call of docs/browsers-and-cookies.md',
        await seen(),
        '200, API gate',
      );
      await context.close();
    });
  } finally {
    elsewhere.stop();
  }
}

/** Runs a script of the documents with the APIs of a frontend. */
function runInFrontend(
  page: Page,
  script: string,
  backend: string,
  token: string,
) {
  return page.evaluate(
    ([source, address, text]) => {
      const discoveryApi = {
        getBaseUrl: async (id: string) => `${address}/api/${id}`,
      };
      const fetchApi = {
        fetch: (href: string, init: RequestInit = {}) =>
          fetch(href, {
            ...init,
            headers: { ...init.headers, Authorization: `Bearer ${text}` },
          }),
      };
      const AsyncFunction = (async () => {}).constructor as any;
      return new AsyncFunction('discoveryApi', 'fetchApi', source)(
        discoveryApi,
        fetchApi,
      );
    },
    [script, backend, token],
  );
}
