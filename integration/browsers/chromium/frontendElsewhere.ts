// Runs the scripts of docs/browsers-and-cookies.md and docs/websockets.md in a frontend whose origin is not that of the backend.
import signalsPlugin from '@backstage/plugin-signals-backend';
import type { Browser } from 'playwright-core';
import { blocksAfter } from '../../../src/__tests__/__testUtils__/documents';
import { recordingPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import {
  RunningBackend,
  startBackend,
} from '../../../src/__tests__/__testUtils__/startBackend';
import type { Checks } from './Checks';
import { isGateCookie } from './exchangeDuring';
import { startOtherOrigin } from './otherOrigin';

const PIXEL = Buffer.from(
  'R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7',
  'base64',
);

const [call] = blocksAfter(
  'docs/browsers-and-cookies.md',
  'A frontend on another origin',
  'ts',
);
const [openSocket] = blocksAfter(
  'docs/websockets.md',
  'What an upgrade needs',
  'ts',
);

export async function frontendElsewhere(browser: Browser, checks: Checks) {
  const frontend = await startOtherOrigin('');
  const origin = frontend.sameSite;
  const plugin = recordingPlugin('my-plugin', {
    handle: (_req, res) => res.type('gif').send(PIXEL),
  });
  const backend = await startBackend({
    features: [signalsPlugin, plugin.feature],
    config: {
      app: { baseUrl: origin },
      backend: { cors: { origin, credentials: true } },
    },
  });
  try {
    await checkFrontend(browser, checks, { origin, backend });
  } finally {
    await backend.stop();
    frontend.stop();
  }
}

async function checkFrontend(
  browser: Browser,
  checks: Checks,
  { origin, backend: { url } }: { origin: string; backend: RunningBackend },
) {
  const image = `${url}/api/my-plugin/image.gif`;
  const webSocket = openSocket.replace(
    'wss://backstage.example.com',
    url.replace(/^http/, 'ws'),
  );
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(origin);

  /** Runs a script of the documents with the APIs of a frontend, as a guest. */
  const run = (script: string) =>
    page.evaluate(
      async ([backend, source]) => {
        const response = await fetch(`${backend}/api/auth/guest/refresh`);
        const { token } = (await response.json()).backstageIdentity;
        const discoveryApi = {
          getBaseUrl: async (id: string) => `${backend}/api/${id}`,
        };
        const fetchApi = {
          fetch: (href: string, init: RequestInit = {}) =>
            fetch(href, {
              ...init,
              headers: { ...init.headers, Authorization: `Bearer ${token}` },
            }),
        };
        const AsyncFunction = (async () => {}).constructor as any;
        return new AsyncFunction('discoveryApi', 'fetchApi', source)(
          discoveryApi,
          fetchApi,
        );
      },
      [url, script],
    );
  const seen = async () => ({
    cookies: (await context.cookies(url))
      .map(({ name }) => name)
      .filter(isGateCookie),
    image: await page.evaluate(
      src =>
        new Promise<string>(resolve => {
          const shown = new Image();
          shown.onload = () => resolve('shown');
          shown.onerror = () => resolve('broken');
          shown.src = src;
        }),
      `${image}?t=${Date.now()}`,
    ),
    webSocket: await run(`
      const socket = ${webSocket}
      return new Promise(resolve => {
        socket.onopen = () => resolve('open');
        socket.onerror = () => resolve('refused');
      });`),
  });
  const without = { cookies: [], image: 'broken', webSocket: 'refused' };
  checks.equal('before any call', await seen(), without);
  await run(`await fetchApi.fetch('${image}');`);
  checks.equal('after a plain call', await seen(), without);
  await run(call);
  checks.equal('after the call of the page', await seen(), {
    cookies: ['token'],
    image: 'shown',
    webSocket: 'open',
  });
  await context.close();
}
