import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import {
  openPlugin,
  recordingPlugin,
} from '../../../src/__tests__/__testUtils__/recordingPlugin';
import type { SigningKey } from '../../../src/__tests__/__testUtils__/signingKey';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import {
  RunningBackend,
  startBackend,
} from '../../../src/__tests__/__testUtils__/startBackend';

export const PAGE_PATH = '/api/auth/api-gate/';

const openHealth = { path: '/health', allow: 'unauthenticated' } as const;

/** The users of the checks, by what they may do. */
export const USERS = {
  operator: 'user:default/olivia',
  neither: 'user:default/jane',
};

/** A backend with a frontend, a plugin `hello` and the gate. */
export interface World {
  backend: RunningBackend;
  /** The address of the page. */
  pageUrl: string;
  sign(sub: string): Promise<string>;
  /**
   * Signs a user in on a page of the frontend, in a browser profile of its own: as a frontend does, that page calls a plugin with the
   * user's token, and the browser has the gate's cookie then.
   */
  signIn(
    user: string,
    options?: Parameters<Browser['newContext']>[0],
  ): Promise<BrowserContext>;
}

/**
 * Runs `use` while such a backend is up.
 *
 * @param apiGate - the value of `auth.apiGate`, beside operators
 */
export async function withWorld(
  browser: Browser,
  key: SigningKey,
  options: {
    apiGate?: JsonObject;
    config?: JsonObject;
    features?: Parameters<typeof startBackend>[0]['features'];
  },
  use: (world: World) => Promise<void>,
): Promise<void> {
  const { apiGate, config, features = [] } = options;
  const port = await freePort();
  const ownFrontend = { app: { baseUrl: `http://localhost:${port}` } };
  const backend = await startBackend({
    port,
    features: [
      frontend(),
      recordingPlugin('hello', { policies: [openHealth] }).feature,
      ...features,
    ],
    config: merge(ownFrontend, key.config, config, {
      auth: {
        apiGate: {
          operators: [USERS.operator],
          ...apiGate,
        },
      },
    }),
  });
  const sign = (sub: string) =>
    key.sign({ iss: `${backend.url}/api/auth`, sub });
  try {
    await use({
      backend,
      pageUrl: `${backend.url}${PAGE_PATH}`,
      sign,
      async signIn(user, contextOptions) {
        const context = await browser.newContext(contextOptions);
        context.setDefaultTimeout(10_000);
        const page = await context.newPage();
        await page.goto(`${backend.url}/`);
        await callHello(page, backend.url, await sign(user));
        await page.close();
        return context;
      },
    });
  } finally {
    await backend.stop();
  }
}

function frontend() {
  return openPlugin('app', {
    handle: (_req, res) =>
      res.send('<!doctype html><title>Frontend</title><h1>Frontend</h1>'),
  }).feature;
}

/** Calls a plugin as `fetchApi` does. Returns the status. */
export function callHello(
  page: Page,
  backend: string,
  token: string,
): Promise<number> {
  return page.evaluate(
    async ([address, text]) => {
      const headers = { Authorization: `Bearer ${text}` };
      return (await fetch(`${address}/api/hello/x`, { headers })).status;
    },
    [backend, token],
  );
}
