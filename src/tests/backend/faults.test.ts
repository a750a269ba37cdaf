import { createServer, ServerResponse } from 'node:http';
import { AddressInfo, connect } from 'node:net';
import { databaseServiceFactory } from '@backstage/backend-defaults/database';
import {
  coreServices,
  createServiceFactory,
  DatabaseService,
} from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { exportJWK, generateKeyPair, JWK, SignJWT } from 'jose';
import { rawRequest } from '../../__testUtils__/rawRequest';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { createSigningKey, SigningKey } from '../../__testUtils__/signingKey';
import { RunningBackend, startBackend } from '../../__testUtils__/startBackend';
import { until } from '../../__testUtils__/until';

// These tests show that no fault around the gate opens a route. Faults of a start, of a database that is lost later, of split
// backends and of extensions are in their own files too: starting, session, split, cookieIssuance.

// Goes in August 2027: releases before September 2026 fetch the keys of users again for each unknown key.
const { API_GATE_TEST_RELEASE: release = '2026-11' } = process.env;
const describeOnCoolDown = release >= '2026-09' ? describe : describe.skip;

jest.setTimeout(60_000);

const openAll = [{ path: '/', allow: 'unauthenticated' } as const];
const now = () => Math.floor(Date.now() / 1000);

let key: SigningKey;
const atEnd: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  key = await createSigningKey();
});
afterAll(() => key.remove());
afterEach(async () => {
  jest.restoreAllMocks();
  for (const step of atEnd.splice(0).reverse()) {
    await step();
  }
});

async function start(
  options: Parameters<typeof startBackend>[0],
): Promise<RunningBackend> {
  const backend = await startBackend(options);
  atEnd.push(() => backend.stop());
  return backend;
}

const bearer = (token: string) => `Authorization: Bearer ${token}`;
const cookie = (token: string) => `Cookie: token=${token}`;

const get = (port: number, ...headerLines: string[]) =>
  rawRequest(port, '/api/hello/x', { headerLines });

const signOut = (port: number, token: string) =>
  rawRequest(port, '/api/hello/.backstage/auth/v1/cookie', {
    method: 'DELETE',
    headerLines: [cookie(token), 'Sec-Fetch-Site: same-origin'],
  });

/** Makes a key of an `auth` plugin. */
async function createKey(kid: string) {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  return {
    jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256' } as JWK,
    sign: (iss: string, sub: string) =>
      new SignJWT({ iss, sub: `user:default/${sub}`, aud: 'backstage' })
        .setProtectedHeader({
          typ: 'vnd.backstage.user',
          alg: 'ES256',
          kid,
        })
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(privateKey),
  };
}

describe('the key endpoint of auth', () => {
  /** Starts a backend whose `auth` is elsewhere: a server that has keys only, and no revoked sessions. */
  async function startWithKeysFrom(
    respond: (res: ServerResponse) => void,
    config: JsonObject = {},
  ) {
    const auth = createServer(({ url }, res) => {
      if (url!.endsWith('/jwks.json')) {
        respond(res);
      } else if (url === '/login') {
        res.end('{"keys":[{}]}');
      } else {
        res.end('{"revocations":[]}');
      }
    });
    await new Promise<void>(resolve => {
      auth.listen(0, 'localhost', resolve);
    });
    const { port } = auth.address() as AddressInfo;
    atEnd.push(async () => {
      auth.close();
      auth.closeAllConnections();
    });
    const hello = recordingPlugin('hello', { policies: openAll });
    const backend = await start({
      withAuth: false,
      features: [hello.feature],
      config: {
        ...config,
        discovery: {
          endpoints: [
            {
              target: `http://localhost:${port}/api/{{pluginId}}`,
              plugins: ['auth'],
            },
          ],
        },
      },
    });
    return {
      ...backend,
      handled: hello.handled,
      iss: `http://localhost:${port}/api/auth`,
    };
  }

  it.each<[string, (res: ServerResponse) => void]>([
    ['sends nothing', () => {}],
    [
      'goes silent after its headers',
      res =>
        res
          .writeHead(200, { 'Content-Type': 'application/json' })
          .flushHeaders(),
    ],
    ['gives JSON without keys', res => res.end('{}')],
    ['gives keys that are no list', res => res.end('{"keys":{}}')],
    ['gives a list of what is no key', res => res.end('{"keys":[null]}')],
    [
      'breaks off',
      res => {
        res.writeHead(200, { 'Content-Length': 100 });
        res.write('{"keys":[', () => res.destroy());
      },
    ],
    ['is not there', res => res.writeHead(404).end()],
    [
      'leads elsewhere',
      res => res.writeHead(302, { Location: '/login' }).end(),
    ],
  ])('%s: 503 for a token, 401 for none', async (_, respond) => {
    // Backstage waits for 5 s, then the gate for 3 s.
    const { timeout } = AbortSignal;
    jest
      .spyOn(AbortSignal, 'timeout')
      .mockImplementation(milliseconds => timeout(milliseconds / 20));
    const { port, handled, iss } = await startWithKeysFrom(respond);
    const token = await key.sign({ iss });
    for (const headerLine of [bearer(token), cookie(token)]) {
      const { status, headers } = await get(port, headerLine);
      expect([status, headers['retry-after']]).toEqual([503, '5']);
      expect(headers['set-cookie']).toBeUndefined();
    }
    expect((await get(port)).status).toBe(401);
    expect(handled).toHaveLength(0);
  });

  it('rotates keys: a new one is accepted at once, an old one while it is published, and none longer than it is cached', async () => {
    const [old, other] = [await createKey('old'), await createKey('new')];
    let served = [old.jwk];
    const { port, iss } = await startWithKeysFrom(res =>
      res.end(JSON.stringify({ keys: served })),
    );
    const seen = await old.sign(iss, 'seen');
    await until(async () => (await get(port, bearer(seen))).status === 200);

    served = [old.jwk, other.jwk];
    const current = await other.sign(iss, 'current');
    expect((await get(port, bearer(current))).status).toBe(200);
    expect((await get(port, bearer(seen))).status).toBe(200);
    const unseen = await old.sign(iss, 'unseen');
    expect((await get(port, cookie(unseen))).status).toBe(200);

    served = [other.jwk];
    // Backstage keeps keys for ten minutes, the gate keeps a token for 30 s.
    for (const clock of [Date, performance]) {
      const realNow = clock.now.bind(clock);
      jest
        .spyOn(clock, 'now')
        .mockImplementation(() => realNow() + (10 * 60 + 30) * 1000);
    }
    for (const headerLine of [
      bearer(seen),
      cookie(seen),
      bearer(await old.sign(iss, 'late')),
    ]) {
      const { status, headers } = await get(port, headerLine);
      expect(status).toBe(401);
      expect(headers['set-cookie'] !== undefined).toBe(
        headerLine.startsWith('Cookie'),
      );
    }
    expect((await get(port, bearer(current))).status).toBe(200);
  });

  describeOnCoolDown('on a release that waits', () => {
    it('[P55] rotates keys within the time in which Backstage fetches none: a new one is 503 until then, and a forged token of an old one 401', async () => {
      const [old, other] = [await createKey('old'), await createKey('new')];
      let served = [old.jwk];
      const { handled, log, port, iss } = await startWithKeysFrom(res =>
        res.end(JSON.stringify({ keys: served })),
      );
      const forged = async (kid: string, sub: string) =>
        bearer(await (await createKey(kid)).sign(iss, sub));
      const seen = bearer(await old.sign(iss, 'seen'));
      await until(async () => (await get(port, seen)).status === 200);
      expect((await get(port, await forged('old', 'a'))).status).toBe(401);
      // Backstage fetches keys ten times a minute in spite of its cool-down.
      for (let i = 0; i < 12; i += 1) {
        expect((await get(port, await forged(`key-${i}`, 'b'))).status).toBe(
          401,
        );
      }

      served = [old.jwk, other.jwk];
      // The gate keeps the keys for a second.
      await new Promise(resolve => setTimeout(resolve, 1_100));
      const token = await other.sign(iss, 'current');
      for (const headerLine of [bearer(token), cookie(token)]) {
        const { status, headers } = await get(port, headerLine);
        expect([status, headers['retry-after']]).toEqual([503, '5']);
        expect(headers['set-cookie']).toBeUndefined();
      }
      expect((await get(port, await forged('old', 'c'))).status).toBe(401);
      expect((await get(port, await forged('made-up', 'c'))).status).toBe(401);
      expect((await get(port, seen)).status).toBe(200);
      expect(handled).toHaveLength(2);
      expect(log.map(({ meta }) => meta)).toContainEqual(
        expect.objectContaining({
          reason: 'keys-unavailable',
          detail: 'new-key',
        }),
      );

      for (const clock of [Date, performance]) {
        const realNow = clock.now.bind(clock);
        jest.spyOn(clock, 'now').mockImplementation(() => realNow() + 31_000);
      }
      for (const headerLine of [bearer(token), cookie(token)]) {
        expect((await get(port, headerLine)).status).toBe(200);
      }
      for (const kid of ['old', 'new']) {
        expect((await get(port, await forged(kid, 'd'))).status).toBe(401);
      }
    });
  });
});

describe('a clock that is five minutes off', () => {
  const OFF = 5 * 60;
  let gated: RunningBackend;
  let stock: RunningBackend;
  beforeAll(async () => {
    // Backstage's own credentials barrier closes the path too, so that the test can compare both.
    const startClosed = (withGate: boolean) =>
      startBackend({
        withGate,
        features: [recordingPlugin('hello').feature],
        config: {
          ...key.config,
          auth: {
            ...(key.config.auth as JsonObject),
            apiGate: { signOut: { scope: 'user' } },
          },
        },
      });
    [gated, stock] = await Promise.all([startClosed(true), startClosed(false)]);
  });
  afterAll(() => Promise.all([gated.stop(), stock.stop()]));

  const sign = (
    backend: RunningBackend,
    sub: string,
    claims: { iat: number; exp: number },
  ) =>
    key.sign({
      iss: `${backend.url}/api/auth`,
      sub: `user:default/${sub}`,
      iat: now() + claims.iat,
      exp: now() + claims.exp,
    });

  // No verifier sees the clock of the issuer, only the claims of the token.
  it.each([
    ['ahead: a fresh token', { iat: OFF, exp: OFF + 3600 }, 200],
    ['ahead: one that has expired there', { iat: 0, exp: OFF - 1 }, 200],
    ['behind: a fresh token', { iat: -OFF, exp: 3600 - OFF }, 200],
    ['behind: one that is valid there', { iat: -OFF, exp: -1 }, 401],
  ])(
    '%s is accepted until its exp, as without the gate',
    async (_, claims, expected) => {
      const statuses = [];
      for (const backend of [gated, stock]) {
        const token = await sign(backend, 'clock', claims);
        statuses.push((await get(backend.port, bearer(token))).status);
      }
      const token = await sign(gated, 'clock', claims);
      statuses.push((await get(gated.port, cookie(token))).status);
      expect(statuses).toEqual([expected, expected, expected]);
    },
  );

  it.each([
    ['ahead', OFF],
    ['behind', -OFF],
  ])(
    '%s: a sign-out ends that session, and those of earlier page loads',
    async (direction, off) => {
      const signAt = (iat: number) =>
        sign(gated, direction, { iat, exp: 3600 + iat });
      const [earlier, latest] = [await signAt(off - 10), await signAt(off)];
      for (const token of [earlier, latest]) {
        expect((await get(gated.port, bearer(token))).status).toBe(200);
      }
      expect((await signOut(gated.port, latest)).status).toBe(204);
      for (const token of [earlier, latest]) {
        expect((await get(gated.port, bearer(token))).status).toBe(401);
        expect((await get(gated.port, cookie(token))).status).toBe(401);
      }
      const next = await signAt(OFF + 5);
      expect((await get(gated.port, bearer(next))).status).toBe(200);
    },
  );

  it('a sign-out that another backend reports is accepted', async () => {
    const service = recordingPlugin('service');
    const backend = await start({ features: [service.feature] });
    const token = await service.tokenFor('auth');
    for (const off of [OFF - 5, -OFF]) {
      for (const scope of ['session', 'user']) {
        const { status } = await rawRequest(
          backend.port,
          '/api/auth/api-gate/v1/revocations',
          {
            method: 'POST',
            headerLines: [bearer(token), 'Content-Type: application/json'],
            body: JSON.stringify({
              sub: 'user:default/reported',
              scope,
              iat: now() + off,
              exp: now() + off + 24 * 3600,
            }),
          },
        );
        expect([off, scope, status]).toEqual([off, scope, 201]);
      }
    }
  });
});

describe('[P4] a plugin whose init throws', () => {
  it('is closed to everyone, its allow rules too, and the others go on', async () => {
    const hello = recordingPlugin('hello', { policies: openAll });
    const failing = recordingPlugin('failing', {
      policies: openAll,
      init: () => {
        throw new Error('init failed');
      },
    });
    const { port, url } = await start({
      features: [hello.feature, failing.feature],
      config: {
        backend: {
          lifecycle: { startupRequestPauseTimeout: { milliseconds: 100 } },
          startup: {
            plugins: { failing: { onPluginBootFailure: 'continue' } },
          },
        },
        auth: {
          ...(key.config.auth as JsonObject),
          apiGate: { allow: [{ plugin: 'failing', path: '/public' }] },
        },
      },
    });
    const token = await key.sign({ iss: `${url}/api/auth` });
    for (const headerLines of [
      [],
      [bearer(token)],
      [cookie(token)],
      [bearer(await hello.tokenFor('failing'))],
    ]) {
      for (const path of ['/x', '/public']) {
        const { status } = await rawRequest(port, `/api/failing${path}`, {
          headerLines,
        });
        expect([headerLines.length, path, status]).toEqual([
          headerLines.length,
          path,
          503,
        ]);
      }
    }
    expect(failing.handled).toHaveLength(0);
    expect((await get(port)).status).toBe(401);
    expect((await get(port, bearer(token))).status).toBe(200);
  });
});

describe('a database that is gone at the start', () => {
  /** Simulates a database that can't be reached, or a table of the gate that can't be read, until `isBack`. */
  function flakyDatabase(kind: 'unreachable' | 'unreadable') {
    const state = { isBack: false };
    const { deps, factory, createRootContext } = databaseServiceFactory as any;
    const feature = createServiceFactory({
      service: coreServices.database,
      deps,
      createRootContext,
      factory: async (...args: any[]) => {
        const database: DatabaseService = await factory(...args);
        // Each plugin has a database of its own. Without one, no plugin has keys, and none starts.
        const isAuth = args[0].pluginMetadata.getId() === 'auth';
        return {
          ...database,
          getClient: async () => {
            if (kind === 'unreachable' && isAuth) {
              throw new Error('the database is gone');
            }
            return new Proxy(await database.getClient(), {
              apply(target, self, [table]) {
                if (!state.isBack && table === 'api_gate_revocations') {
                  throw new Error('the database is gone');
                }
                return Reflect.apply(target, self, [table]);
              },
            });
          },
        };
      },
    } as never) as never;
    return { state, feature };
  }

  it('stops the start, as without the gate', async () => {
    for (const withGate of [true, false]) {
      await expect(
        startBackend({
          withGate,
          features: [flakyDatabase('unreachable').feature],
        }),
      ).rejects.toThrow('the database is gone');
    }
  });

  it('[P7] lets no user in where the start goes on without it', async () => {
    const hello = recordingPlugin('hello', { policies: openAll });
    const service = recordingPlugin('service');
    const { port, url } = await start({
      features: [
        flakyDatabase('unreachable').feature,
        hello.feature,
        service.feature,
      ],
      config: {
        ...key.config,
        backend: {
          lifecycle: { startupRequestPauseTimeout: { milliseconds: 100 } },
          startup: {
            default: {
              onPluginBootFailure: 'continue',
              onPluginModuleBootFailure: 'continue',
            },
          },
        },
      },
    });
    const token = await key.sign({ iss: `${url}/api/auth` });
    for (const answer of [
      await get(port, bearer(token)),
      await get(port, cookie(token)),
      await signOut(port, token),
    ]) {
      expect([answer.status, answer.headers['retry-after']]).toEqual([
        503,
        '5',
      ]);
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
    expect((await get(port)).status).toBe(401);
    expect(hello.handled).toHaveLength(0);
    const serviceToken = await service.tokenFor('hello');
    expect((await get(port, bearer(serviceToken))).status).toBe(200);
  });

  it('lets users in once the revoked sessions can be read', async () => {
    const { state, feature } = flakyDatabase('unreadable');
    const hello = recordingPlugin('hello', { policies: openAll });
    const service = recordingPlugin('service');
    const { port, url } = await start({
      features: [feature, hello.feature, service.feature],
      config: {
        auth: {
          ...(key.config.auth as object),
          apiGate: { allow: [{ plugin: 'hello', path: '/open' }] },
        },
      },
    });
    const open = async (token: string) => {
      const headerLines = [bearer(token)];
      return rawRequest(port, '/api/hello/open', { headerLines });
    };
    const iat = now() - 10;
    const [token, leaves] = await Promise.all(
      ['stays', 'leaves'].map(sub =>
        key.sign({ iss: `${url}/api/auth`, sub: `user:default/${sub}`, iat }),
      ),
    );
    for (const headerLine of [bearer(token), cookie(token)]) {
      const { status, headers } = await get(port, headerLine);
      expect([status, headers['retry-after']]).toEqual([503, '5']);
      expect(headers['set-cookie']).toBeUndefined();
    }
    expect((await get(port)).status).toBe(401);
    // The handler of a public path may read the token, too.
    expect((await open(token)).status).toBe(503);
    expect((await signOut(port, leaves)).status).toBe(503);
    expect(hello.handled).toHaveLength(0);
    // A token that belongs to no session needs no list.
    const serviceToken = await service.tokenFor('hello');
    expect((await get(port, bearer(serviceToken))).status).toBe(200);

    state.isBack = true;
    await until(async () => (await get(port, bearer(token))).status === 200);
    expect((await open(token)).status).toBe(200);
    expect((await get(port, bearer(leaves))).status).toBe(401);
    expect((await open(leaves)).status).toBe(401);
  });
});

describe('a backend that stops', () => {
  /** Opens a connection with an incomplete request, so that a stop waits for it. */
  async function begin(port: number, ...lines: string[]) {
    const socket = connect(port, 'localhost');
    let answer = '';
    socket.on('data', chunk => {
      answer += chunk.toString('latin1');
    });
    const closed = new Promise(resolve => {
      socket.once('close', resolve);
    });
    await new Promise<void>(resolve => {
      socket.write(`${lines.join('\r\n')}\r\n`, () => resolve());
    });
    return {
      /** Sends the end of the request, and returns the answer. */
      async end() {
        socket.write('Host: localhost\r\nConnection: close\r\n\r\n');
        await closed;
        return answer;
      },
    };
  }

  it('answers 503 with Retry-After to later requests, a sign-out too', async () => {
    const hello = recordingPlugin('hello', { policies: openAll });
    const { port, url, stop } = await start({
      features: [hello.feature],
      config: key.config,
    });
    const token = await key.sign({ iss: `${url}/api/auth` });
    const requests = [
      await begin(port, 'GET /api/hello/x HTTP/1.1', bearer(token)),
      await begin(port, 'GET /api/hello/x HTTP/1.1', cookie(token)),
      await begin(port, 'GET /api/hello/x HTTP/1.1'),
      // The sign-out has ended nothing, so the browser must keep the cookie.
      await begin(
        port,
        'DELETE /api/hello/.backstage/auth/v1/cookie HTTP/1.1',
        cookie(token),
        'Sec-Fetch-Site: same-origin',
      ),
    ];
    // The server has accepted the connections by then.
    expect((await get(port, bearer(token))).status).toBe(200);

    const stopped = stop();
    await until(() =>
      get(port).then(
        () => false,
        () => true,
      ),
    );
    for (const request of requests) {
      const answer = await request.end();
      expect(answer).toMatch(/^HTTP\/1.1 503 /);
      expect(answer).toMatch(/^Retry-After: 5\r$/m);
      expect(answer).not.toMatch(/^Set-Cookie:/im);
    }
    await stopped;
    expect(hello.handled).toHaveLength(1);
  });
});
