import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServiceFactory } from '@backstage/backend-plugin-api';
import { pluginTokenHandlerDecoratorServiceRef } from '@backstage/backend-defaults/auth';
import { attackersKey, createForge, ecdsa } from '../__testUtils__/forge';
import type { RawResponse } from '../__testUtils__/rawRequest';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, forge, now } from '../__testUtils__/requestParts';
import {
  SignedBackend,
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { freePort } from '../__testUtils__/freePort';
import { until } from '../__testUtils__/until';
import { verificationsDuring } from '../__testUtils__/verificationsDuring';

let backend: SignedBackend;
let fetched: number;
const countFetch = () => {
  fetched += 1;
};

const backends = signedBackends();
beforeAll(() => subscribe('undici:request:create', countFetch));
afterAll(() => unsubscribe('undici:request:create', countFetch));
afterEach(backends.stopAll);

/** Starts a backend with the plugin `hello`. */
async function start({ features = [], ...options }: SignedBackendOptions = {}) {
  const hello = recordingPlugin('hello');
  backend = await backends.start({
    ...options,
    features: [hello.feature, ...features],
  });
  return hello;
}

/** A plugin whose handler reads the bearer token itself. */
const looking = recordingPlugin('looking', {
  handle: async (req, res, { httpAuth }) => {
    const allow = ['user', 'service', 'none'] as const;
    const { principal } = await httpAuth.credentials(req, {
      allow: [...allow],
    });
    res.json(principal);
  },
});

const ask = (path: string, token: string) => backend.get(path, bearer(token));

/** Makes service tokens for `hello` that no key verifies, of a plugin each, or tokens with other claims. */
function forgedServiceTokens(
  count: number,
  claimsOf = (i: number) => ({ sub: `made-up-${i}`, aud: 'hello' }),
): string[] {
  const { token } = createForge(backends.key, '');
  const header = { typ: 'vnd.backstage.plugin', kid: 'forged' };
  const signer = ecdsa(attackersKey().privateKey);
  return Array.from({ length: count }, (_, i) =>
    token({ header, claims: { iss: undefined, ...claimsOf(i) }, signer }),
  );
}

function expectRefused(responses: RawResponse[]) {
  for (const { status, headers } of responses) {
    expect([401, 503]).toContain(status);
    expect(headers['retry-after']).toBe(status === 503 ? '5' : undefined);
  }
}

it('[P13] fetches keys for ten made up plugins a minute, and goes on serving the real ones', async () => {
  const other = recordingPlugin('other');
  const hello = await start({
    features: [other.feature, looking.feature],
    apiGate: { allow: [{ plugin: 'looking', path: '/public' }] },
  });
  const tokens = forgedServiceTokens(240);
  fetched = 0;
  const refused = [];
  for (const token of tokens.slice(0, 60)) {
    refused.push(await ask('/api/hello/x', token));
  }
  expectRefused(refused);
  expect(fetched).toBeLessThanOrEqual(10);
  expect(fetched).toBeGreaterThan(0);

  // Requests to handlers of public paths, and to plugins that are not installed, fetch no more keys.
  for (const [i, path] of [
    '/api/absent/x',
    '/api/looking/public',
    '/api/auth/v1/userinfo',
  ].entries()) {
    for (const token of tokens.slice(60 * (i + 1), 60 * (i + 2))) {
      expect([401, 503]).toContain((await ask(path, token)).status);
    }
  }
  expect(fetched).toBeLessThanOrEqual(10);

  // The limit admits five returning ids a second.
  const startedAt = Date.now();
  for (let i = 0; i < 3; i += 1) {
    expectRefused(
      await Promise.all(
        tokens.slice(0, 60).map(token => ask('/api/hello/x', token)),
      ),
    );
  }
  const seconds = Math.ceil((Date.now() - startedAt) / 1000);
  expect(fetched).toBeLessThanOrEqual(10 + 5 * (seconds + 1));

  const real = await other.tokenFor('hello');
  expect((await ask('/api/hello/x', real)).status).toBe(200);
  expect(hello.handled).toHaveLength(1);
});

it('starts where the backend has its own decorator of plugin tokens, and holds the bound at the gate', async () => {
  const other = recordingPlugin('other');
  const verified: string[] = [];
  await start({
    features: [
      other.feature,
      createServiceFactory({
        service: pluginTokenHandlerDecoratorServiceRef,
        deps: {},
        factory: () => handler => ({
          issueToken: options => handler.issueToken(options),
          verifyToken: token => {
            verified.push(token);
            return handler.verifyToken(token);
          },
        }),
      }),
    ],
  });
  const tokens = forgedServiceTokens(60);
  fetched = 0;
  for (const token of tokens) {
    expectRefused([await ask('/api/hello/x', token)]);
  }
  expect(fetched).toBeLessThanOrEqual(10);
  const real = await other.tokenFor('hello');
  expect((await ask('/api/hello/x', real)).status).toBe(200);
  expect(verified).toContain(real);
});

/** Sends a number of forged tokens each second while something else runs. */
async function whileFlooded<T>(
  perSecond: number,
  send: (i: number) => Promise<RawResponse>,
  run: () => Promise<T>,
): Promise<T> {
  const answers: Promise<RawResponse>[] = [];
  const timer = setInterval(
    () => answers.push(send(answers.length)),
    1000 / perSecond,
  );
  try {
    await until(() => answers.length >= perSecond);
    return await run();
  } finally {
    clearInterval(timer);
    expectRefused(await Promise.all(answers));
  }
}

/** Returns the time until a caller that tries twice a second gets an answer other than 503. */
async function timeUntilServed(request: () => Promise<RawResponse>) {
  const startedAt = Date.now();
  for (;;) {
    const { status } = await request();
    if (status !== 503 || Date.now() - startedAt > 10_000) {
      return { status, seconds: (Date.now() - startedAt) / 1000 };
    }
    await new Promise(resolve => setTimeout(resolve, 500));
  }
}

it('[P25] lets a backend in that only a wildcard of discovery covers, while twenty made up plugins a second call', async () => {
  const [port, peerPort] = [await freePort(), await freePort()];
  const at = (of: number) => `http://localhost:${of}/api/{{pluginId}}`;
  const discovery = {
    endpoints: [
      { target: at(peerPort), plugins: ['*'] },
      { target: at(port), plugins: ['auth', 'hello'] },
    ],
  };
  const peer = recordingPlugin('peer');
  await start({ port, config: { discovery } });
  await backends.start({
    port: peerPort,
    features: [peer.feature],
    withAuth: false,
    withGate: false,
    config: { discovery },
  });
  const tokens = forgedServiceTokens(300);
  const real = await peer.tokenFor('hello');
  fetched = 0;
  const { status, seconds } = await whileFlooded(
    20,
    i => ask('/api/hello/x', tokens[i]),
    () => timeUntilServed(() => ask('/api/hello/x', real)),
  );
  expect(status).toBe(200);
  expect(seconds).toBeLessThan(5);
  // The fetches are ten of made-up plugins, and the peer's: one by the gate, and two by Backstage.
  expect(fetched).toBeLessThanOrEqual(13);
});

it.each([
  ['a forged signature, once a second', {}, 'forged', 1],
  ['none that has expired', {}, 'expired', 0],
])('verifies of bad tokens %s', async (_, apiGate, kind, expected) => {
  const hello = await start({ apiGate });
  const { sign } = backend;
  const valid = await sign();
  const bad =
    kind === 'expired'
      ? await sign({ iat: now() - 60, exp: now() - 1 })
      : forge(await sign({ sub: 'user:default/other' }));

  // The keys that the first verification fetches are cached.
  expect((await ask('/api/hello/x', valid)).status).toBe(200);
  const startedAt = Date.now();
  const verified = await verificationsDuring(async () => {
    for (let i = 0; i < 20; i += 1) {
      const { status, headers } = await ask('/api/hello/x', bad);
      expect(status).toBe(401);
      expect(headers['www-authenticate']).toContain('error="invalid_token"');
    }
  });
  const seconds = Math.ceil((Date.now() - startedAt) / 1000);
  expect(verified).toBeGreaterThanOrEqual(expected);
  expect(verified).toBeLessThanOrEqual(expected * seconds);
  expect((await ask('/api/hello/x', valid)).status).toBe(200);
  expect(hello.handled).toHaveLength(2);
});

it('[P26] logs no line of its own for each refusal by 503', async () => {
  await start();
  const tokens = forgedServiceTokens(60);
  const statuses = [];
  for (const token of tokens) {
    statuses.push((await ask('/api/hello/x', token)).status);
  }
  expect(statuses.filter(status => status === 503).length).toBeGreaterThan(40);
  expect(backend.log.filter(({ level }) => level === 'error')).toEqual([]);
});
