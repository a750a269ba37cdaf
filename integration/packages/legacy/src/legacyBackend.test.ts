import { createServer, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { getVoidLogger, ServerTokenManager } from '@backstage/backend-common';
import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';
import {
  HandledRequest,
  recordingPlugin,
} from '../../../../src/__tests__/__testUtils__/recordingPlugin';
import { rawRequest } from '../../../../src/__tests__/__testUtils__/rawRequest';
import {
  createSigningKey,
  SigningKey,
  UserTokenClaims,
} from '../../../../src/__tests__/__testUtils__/signingKey';
import { freePort } from '../../../../src/__tests__/__testUtils__/freePort';
import { startBackend } from '../../../../src/__tests__/__testUtils__/startBackend';
import {
  ATTACKS,
  nameOf,
} from '../../../../src/__tests__/__testUtils__/wellKnownAttacks';
import { Placement, startLegacyBackend } from './backend';
import { createRecordingRouter } from './recordingRouter';

jest.setTimeout(120_000);

const APP_ORIGIN = 'http://localhost:3000';
const PLUGIN_TYPE = 'vnd.backstage.plugin';
const PAGE = '/api/techdocs/static/docs/default/component/example/index.html';
// Base64 of 24 bytes, as `backend.auth.keys` requires.
const SECRET = Buffer.alloc(24, 7).toString('base64');
const OTHER_SECRET = Buffer.alloc(24, 8).toString('base64');

const apiGate = {
  // The new system has the guest provider, with which the cookie ends earlier by default.
  cookie: { maxAge: '24h' },
  signOut: { providers: ['github'] },
  allow: [
    { plugin: 'todo', path: '/health' },
    { plugin: 'todo', path: '/static/**' },
    { plugin: 'todo', path: '/hook', methods: ['POST'] },
    { plugin: 'absent', path: '/health' },
  ],
};

/** A backend of either system, with one plugin of the adopter's own. */
interface System {
  port: number;
  url: string;
  handled: HandledRequest[];
  /** Returns a token of a service that may call `todo`. */
  serviceToken(): Promise<string>;
  stop(): Promise<void>;
}

let key: SigningKey;
let echo: Server;
let echoed: string[][] = [];

beforeAll(async () => {
  key = await createSigningKey();
  echo = createServer((req, res) => {
    echoed.push(req.rawHeaders);
    res.end('{}');
  });
  await new Promise<void>(resolve => {
    echo.listen(0, '127.0.0.1', resolve);
  });
});
afterAll(async () => {
  await new Promise(resolve => echo.close(resolve));
  await key.remove();
});

async function startLegacy(
  placement: Placement,
  options: {
    auth?: JsonObject;
    gateEnv?: Parameters<typeof startLegacyBackend>[0]['gateEnv'];
  } = {},
) {
  const { port: echoPort } = echo.address() as AddressInfo;
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const config = new ConfigReader({
    app: { baseUrl: APP_ORIGIN },
    backend: {
      baseUrl: url,
      listen: { port, host: 'localhost' },
      database: { client: 'better-sqlite3', connection: ':memory:' },
      cors: { origin: APP_ORIGIN, credentials: true },
      auth: { keys: [{ secret: SECRET }] },
    },
    auth: {
      environment: 'development',
      providers: {
        guest: {},
        github: { development: { clientId: 'id', clientSecret: 'secret' } },
      },
      apiGate,
      ...options.auth,
    },
    proxy: { endpoints: { '/echo': `http://127.0.0.1:${echoPort}` } },
    techdocs: {
      builder: 'external',
      publisher: {
        type: 'local',
        local: {
          publishDirectory: path.resolve(__dirname, '../../../../dev/docs'),
        },
      },
    },
  });
  const todo = createRecordingRouter();
  const backend = await startLegacyBackend({
    config,
    placement,
    todo: todo.router,
    gateEnv: options.gateEnv,
  });
  const get = (target: string, ...headerLines: string[]) =>
    rawRequest(port, target, { headerLines });
  return {
    ...backend,
    port,
    url,
    handled: todo.handled,
    get,
    serviceToken: async () => (await backend.tokenManager.getToken()).token,
    /** Signs in as a frontend does. */
    async signIn(as = 'guest'): Promise<string> {
      const { status, body } = await get(`/api/auth/guest/refresh?as=${as}`);
      expect(status).toBe(200);
      return JSON.parse(body).backstageIdentity.token;
    },
    logout: (...headerLines: string[]) =>
      rawRequest(port, '/api/auth/github/logout?env=development', {
        method: 'POST',
        headerLines: [
          'X-Requested-With: XMLHttpRequest',
          `Origin: ${APP_ORIGIN}`,
          ...headerLines,
        ],
      }),
  };
}

async function startNew(): Promise<System> {
  const todo = recordingPlugin('todo');
  const caller = recordingPlugin('caller');
  const backend = await startBackend({
    features: [todo.feature, caller.feature],
    config: {
      backend: { cors: { origin: APP_ORIGIN, credentials: true } },
      auth: { ...(key.config.auth as JsonObject), apiGate },
    },
  });
  return {
    port: backend.port,
    url: backend.url,
    handled: todo.handled,
    serviceToken: () => caller.tokenFor('todo'),
    stop: () => backend.stop(),
  };
}

const signFor = (
  { url }: { url: string },
  claims: Partial<UserTokenClaims> = {},
) => key.sign({ iss: `${url}/api/auth`, ...claims });
const bearer = (token: string) => `Authorization: Bearer ${token}`;
const cookie = (token: string) => `Cookie: token=${token}`;
const now = () => Math.floor(Date.now() / 1000);

/** Changes the middle of the signature, since bits of its last character have no meaning. */
function tampered(token: string): string {
  const [header, payload, signature] = token.split('.');
  const middle = signature.length / 2;
  const flipped = signature[middle] === 'A' ? 'B' : 'A';
  return [
    header,
    payload,
    signature.slice(0, middle) + flipped + signature.slice(middle + 1),
  ].join('.');
}

describe('the same request', () => {
  type Sent = { target: string; method?: string; headerLines?: string[] };

  /** Returns the visible parts of an answer and of the request that its handler got, with names in place of tokens. */
  async function outcomeOf(system: System, { target, ...options }: Sent) {
    const before = system.handled.length;
    const { status, headers, body } = await rawRequest(
      system.port,
      target,
      options,
    );
    const [handled] = system.handled.slice(before);
    const named = (text: string | undefined) =>
      text
        ?.replace(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, '<token>')
        .replace(/(token\.\d)=[\w.-]+/g, '$1=<part>')
        .replace(/Expires=(?!Thu, 01 Jan 1970)[^;]+/g, 'Expires=<later>');
    return {
      status,
      error: body.startsWith('{"error"')
        ? JSON.parse(body).error.name
        : undefined,
      challenge: headers['www-authenticate'],
      setCookie: named(headers['set-cookie']),
      cacheControl: headers['cache-control'],
      handled: handled && {
        authorization: named(handled.headers.authorization),
        cookie: handled.headers.cookie,
        user: JSON.parse(named(JSON.stringify(handled.user ?? null))!),
      },
    };
  }

  const systems: Record<string, System> = {};
  beforeAll(async () => {
    const auth = key.config.auth as JsonObject;
    systems['each-plugin'] = await startLegacy('each-plugin', { auth });
    systems['api-router'] = await startLegacy('api-router', { auth });
    systems.new = await startNew();
  });
  afterAll(async () => {
    await Promise.all(Object.values(systems).map(system => system.stop()));
  });

  const user = async (system: System, claims = {}) =>
    bearer(await signFor(system, claims));
  const userCookie = async (system: System, claims = {}) =>
    cookie(await signFor(system, claims));
  const crossSite = 'Origin: https://evil.example.com';

  const plain = (
    name: string,
    status: number,
    headerLines: (system: System) => Promise<string[]>,
    sent: Omit<Sent, 'target'> & { target?: string } = {},
  ) =>
    [
      name,
      status,
      async (system: System): Promise<Sent> => ({
        target: '/api/todo/items',
        ...sent,
        headerLines: await headerLines(system),
      }),
    ] as const;

  it.each([
    plain('nothing', 401, async () => []),
    plain('T1: a bearer', 200, async s => [await user(s)]),
    plain('T1: the cookie', 200, async s => [await userCookie(s)]),
    plain('T1: the bearer before the cookie', 200, async s => [
      await user(s, { sub: 'user:default/first' }),
      await userCookie(s, { sub: 'user:default/second' }),
    ]),
    plain('T1: no cookie behind a bearer that fails', 401, async s => [
      bearer(tampered(await signFor(s))),
      await userCookie(s),
    ]),
    plain('T2: a signature that was tampered with', 401, async s => [
      bearer(tampered(await signFor(s))),
    ]),
    plain('T2: the same as cookie', 401, async s => [
      cookie(tampered(await signFor(s))),
    ]),
    plain('T2: expired', 401, async s => [
      await user(s, { iat: now() - 7200, exp: now() - 3600 }),
    ]),
    plain('T2: an expired cookie', 401, async s => [
      await userCookie(s, { iat: now() - 7200, exp: now() - 3600 }),
    ]),
    plain('T2: another issuer', 401, async () => [
      bearer(await key.sign({ iss: 'https://evil.example.com/api/auth' })),
    ]),
    plain('T2: a limited token as bearer', 401, async s => [
      await user(s, { typ: 'vnd.backstage.limited-user' }),
    ]),
    plain('T2: a made-up service token of the new system', 401, async () => [
      bearer(await key.sign({ iss: 'x', sub: 'made-up', typ: PLUGIN_TYPE })),
    ]),
    plain('T2: no JWT', 401, async () => [bearer('abc')]),
    plain('T2: another scheme', 401, async () => [
      'Authorization: Basic dXNlcjpwYXNz',
    ]),
    plain('two Authorization headers', 400, async s => [
      await user(s),
      await user(s),
    ]),
    plain('two values of the cookie', 401, async s => [
      `Cookie: token=${await signFor(s)}; token=x`,
    ]),
    plain('T3: a service', 200, async s => [bearer(await s.serviceToken())]),
    plain('T3: a service in a cookie', 401, async s => [
      cookie(await s.serviceToken()),
    ]),
    plain("T4: a user's groups", 200, async s => [
      await user(s, { ent: ['user:default/test', 'group:default/team'] }),
    ]),
    plain('T5: other cookies stay', 200, async s => [
      `Cookie: a=1; token=${await signFor(s)}; b=2`,
    ]),
    plain('T6: the cookie is the bearer', 200, async s => {
      const token = await signFor(s);
      return [bearer(token), cookie(token)];
    }),
    plain('T6: a long token, in parts', 200, async s => [
      await user(s, { ent: Array(130).fill('group:default/a-group-of-users') }),
    ]),
    plain('T7: a payload that is no JSON', 401, async () => [
      bearer('eyJhbGciOiJFUzI1NiJ9.bm8.eA'),
    ]),
    plain('T9: an unknown plugin', 401, async () => [], {
      target: '/api/nosuchplugin/x',
    }),
    plain(
      'T9: an unknown plugin, for a user',
      404,
      async s => [await user(s)],
      { target: '/api/nosuchplugin/x' },
    ),
    plain('a rule for an absent plugin', 404, async () => [], {
      target: '/api/absent/health',
    }),
    plain('an allowed path', 200, async () => [], {
      target: '/api/todo/health',
    }),
    plain('an allowed path by HEAD', 200, async () => [], {
      target: '/api/todo/health',
      method: 'HEAD',
    }),
    plain('an allowed path with a query', 200, async () => [], {
      target: '/api/todo/health?a=%2F',
    }),
    plain('an allowed subtree', 200, async () => [], {
      target: '/api/todo/static/a/b.js',
    }),
    plain('an allowed method', 200, async () => [], {
      target: '/api/todo/hook',
      method: 'POST',
    }),
    plain(
      'an allowed path does not see the cookie',
      200,
      async s => [await userCookie(s)],
      { target: '/api/todo/health' },
    ),
    plain('an allowed path sets no cookie', 200, async s => [await user(s)], {
      target: '/api/todo/health',
    }),
    ...(
      [
        ['POST', '/api/todo/health'],
        ['GET', '/api/todo/hook'],
        ['GET', '/api/todo/healthx'],
        ['GET', '/api/todo/static'],
        ['GET', '/api/todo/Health'],
        ['GET', '/api/Todo/health'],
        ['GET', '/API/todo/health'],
        ['GET', '/api/todo/health/'],
        ['GET', '/api/todo//health'],
        ['GET', '/api/todo/health#x'],
        ['GET', '/api/todo/./health'],
        ['GET', '/api/todo/x/../health'],
        ['GET', '/api/todo/static/../items'],
        ['GET', '/api/todo/static/..;/items'],
        ['GET', '/api/todo/static/%2e%2e/items'],
        ['GET', '/api/todo/static/..%2fitems'],
        ['GET', '/api/todo/static\\..\\items'],
        ['GET', '/api/todo\\health#'],
        ['GET', '/api/tod%6f/health'],
        ['GET', 'http://localhost/api/todo/health'],
        ['GET', 'foo://any/api/todo/health'],
        ['GET', '/api/todo/^^^^/static/items#'],
      ] as const
    ).map(([method, target]) =>
      plain(`${method} ${target}`, 401, async () => [], { method, target }),
    ),
    plain('an odd path with a credential', 200, async s => [await user(s)], {
      target: '/api/todo//items;x=1/%2e%2e',
    }),
    plain(
      'POST by the cookie, cross-site',
      403,
      async s => [await userCookie(s), crossSite],
      { method: 'POST' },
    ),
    plain(
      'POST by the cookie, from nobody knows where',
      403,
      async s => [await userCookie(s), 'Sec-Fetch-Site: same-site'],
      { method: 'POST' },
    ),
    plain(
      'POST by the cookie, from the frontend',
      200,
      async s => [await userCookie(s), `Origin: ${APP_ORIGIN}`],
      { method: 'POST' },
    ),
    plain('GET by the cookie, cross-site', 403, async s => [
      await userCookie(s),
      crossSite,
    ]),
    plain(
      'POST by a bearer, cross-site',
      200,
      async s => [await user(s), crossSite],
      { method: 'POST' },
    ),
    plain(
      'sign-out by the cookie, cross-site',
      403,
      async s => [await userCookie(s), crossSite],
      { target: '/api/auth/github/logout', method: 'POST' },
    ),
  ])('%s: %i', async (_, status, request) => {
    const expected = await outcomeOf(systems.new, await request(systems.new));
    expect(expected.status).toBe(status);
    // Except for HEAD, an error is in Backstage's form.
    for (const placement of ['each-plugin', 'api-router']) {
      const system = systems[placement];
      const outcome = await outcomeOf(system, await request(system));
      expect({ placement, ...outcome }).toEqual({ placement, ...expected });
    }
  });
});

describe.each<Placement>(['each-plugin', 'api-router'])(
  'a legacy backend with the gate in front of %s',
  placement => {
    let backend: Awaited<ReturnType<typeof startLegacy>>;
    let guestToken: string;
    const get: typeof backend.get = (...args) => backend.get(...args);

    beforeAll(async () => {
      backend = await startLegacy(placement);
      guestToken = await backend.signIn();
    });
    afterAll(() => backend.stop());

    it('T8: signs in and serves the keys without a credential', async () => {
      expect((await get('/api/auth/.well-known/jwks.json')).status).toBe(200);
      const { status, headers } = await get(
        '/api/auth/github/start?env=development',
      );
      expect(status).toBe(302);
      expect(headers.location).toContain('https://github.com/login');
    });

    it.each([
      ['/api/catalog/entities', 200],
      ['/api/proxy/echo', 200],
      [PAGE, 200],
      ['/api/todo/items', 200],
      ['/api/nosuchplugin/x', 404],
    ])('T3, T9, T10: %s', async (target, status) => {
      echoed = [];
      const before = backend.handled.length;
      const refused = await get(target);
      expect(refused.status).toBe(401);
      expect(refused.headers['www-authenticate']).toBe(
        'Bearer realm="Backstage"',
      );
      expect(JSON.parse(refused.body).error.name).toBe('AuthenticationError');
      expect([...echoed, ...backend.handled.slice(before)]).toEqual([]);

      for (const line of [
        bearer(guestToken),
        cookie(guestToken),
        bearer(await backend.serviceToken()),
      ]) {
        expect((await get(target, line)).status).toBe(status);
      }
    });

    it('T9: closes what names no plugin, or none in the usual way', async () => {
      for (const [target, status] of [
        ['/api', 404],
        ['/api/', 404],
        ['/api///x', 404],
        // Express serves the target as `/api/todo/items`.
        ['/api//todo/items', 200],
      ] as const) {
        expect([target, (await get(target)).status]).toEqual([target, 401]);
        const answer = await get(target, bearer(guestToken));
        expect([target, answer.status]).toEqual([target, status]);
      }
      expect((await get('/api/%E0%A4%A/x')).status).toBe(400);
    });

    // On this system nothing serves these paths: the gate answers that there are no keys, and that the caller is signed out.
    describe.each(['todo', 'nosuchplugin'])('the plugin %s', plugin => {
      it.each(ATTACKS.map(attack => [nameOf(attack), attack] as const))(
        'has no handler that gets %s',
        async (_, { method, path: below, headers, body, answer }) => {
          const before = backend.handled.length;
          const { status } = await rawRequest(
            backend.port,
            `/api/${plugin}${below}`,
            { method, headerLines: headers, body },
          );
          const expected = { keys: 404, 'signed out': 204, refused: 401 };
          expect(status).toBe(expected[answer]);
          expect(backend.handled.slice(before)).toEqual([]);
        },
      );
    });

    it('answers for keys and sign-outs of the auth plugin, too', async () => {
      const statusOf = async (method: string, target: string) =>
        (await rawRequest(backend.port, target, { method })).status;
      const below = '/api/auth/.backstage/auth/v1';
      expect(await statusOf('GET', `${below}/jwks.json`)).toBe(404);
      expect(await statusOf('DELETE', `${below}/cookie`)).toBe(204);
    });

    it('T4: gives the user to handlers, and none for a service', async () => {
      await get('/api/todo/items', cookie(guestToken));
      expect(backend.handled.at(-1)!.user).toEqual({
        token: guestToken,
        identity: {
          type: 'user',
          userEntityRef: 'user:default/guest',
          ownershipEntityRefs: ['group:default/guests'],
        },
      });
      await get('/api/todo/items', bearer(await backend.serviceToken()));
      expect(backend.handled.at(-1)!.user).toBeUndefined();
    });

    it('T5: gives handlers Authorization for the cookie, and never the cookie', async () => {
      await get('/api/todo/items', cookie(guestToken));
      const { headers } = backend.handled.at(-1)!;
      expect(headers.authorization).toBe(`Bearer ${guestToken}`);
      expect(headers.cookie).toBeUndefined();

      echoed = [];
      await get('/api/proxy/echo', `Cookie: a=1; token=${guestToken}`);
      expect(echoed).toHaveLength(1);
      expect(echoed.join()).not.toContain(`token=`);
    });

    it('T6: sets the cookie for a bearer, unless it is the cookie', async () => {
      const { headers } = await get('/api/todo/items', bearer(guestToken));
      const { exp } = JSON.parse(
        Buffer.from(guestToken.split('.')[1], 'base64url').toString(),
      );
      expect(headers['set-cookie']).toBe(
        `token=${guestToken}; Path=/; Expires=${new Date(exp * 1000).toUTCString()}; HttpOnly; SameSite=Lax`,
      );
      const both = await get(
        '/api/todo/items',
        bearer(guestToken),
        cookie(guestToken),
      );
      expect(both.status).toBe(200);
      expect(both.headers['set-cookie']).toBeUndefined();
    });

    it('T2: refuses service tokens of another secret', async () => {
      const { token } = await ServerTokenManager.fromConfig(
        new ConfigReader({
          backend: { auth: { keys: [{ secret: OTHER_SECRET }] } },
        }),
        { logger: getVoidLogger() },
      ).getToken();
      expect((await get('/api/todo/items', bearer(token))).status).toBe(401);
    });

    it('ends the session of a sign-out', async () => {
      const token = await backend.signIn('leaving');
      const other = await backend.signIn('staying');
      const response = await backend.logout(cookie(token));
      expect(response.status).toBe(200);
      expect(response.headers['set-cookie']).toContain(
        'token=; Path=/; Expires=Thu, 01 Jan 1970',
      );
      for (const line of [cookie(token), bearer(token)]) {
        expect((await get('/api/todo/items', line)).status).toBe(401);
      }
      expect((await get('/api/todo/health', bearer(token))).status).toBe(401);
      expect((await get('/api/todo/items', bearer(other))).status).toBe(200);

      const knex = await backend.database.getClient();
      const rows = await knex('api_gate_revocations').select('sub');
      expect(rows).toContainEqual({ sub: 'user:default/leaving' });
    });

    it('signs out at the cookie endpoint, which this system has not', async () => {
      const token = await backend.signIn('deleting');
      const { status, headers } = await rawRequest(
        backend.port,
        '/api/catalog/.backstage/auth/v1/cookie',
        {
          method: 'DELETE',
          headerLines: [`Origin: ${APP_ORIGIN}`, cookie(token)],
        },
      );
      expect(status).toBe(404);
      expect(headers['set-cookie']).toContain('token=; Path=/');
      expect((await get('/api/todo/items', bearer(token))).status).toBe(401);
    });
  },
);

it('ends sessions in this process without a database', async () => {
  const backend = await startLegacy('api-router', {
    gateEnv: ({ config, discovery, identity, tokenManager, logger }) => ({
      config,
      discovery,
      identity,
      tokenManager,
      logger,
    }),
  });
  const token = await backend.signIn();
  const items = () => backend.get('/api/todo/items', bearer(token));
  expect((await items()).status).toBe(200);
  expect((await backend.logout(cookie(token))).status).toBe(200);
  expect((await items()).status).toBe(401);
  await backend.stop();
});

it('T6: sets the cookie for tokens without a type, as static keys sign them here', async () => {
  const backend = await startLegacy('api-router', {
    auth: {
      apiGate,
      ...(key.config.auth as JsonObject),
      providers: { guest: {} },
    },
  });
  const token = await backend.signIn();
  const [header] = token.split('.');
  expect(Buffer.from(header, 'base64url').toString()).not.toContain('typ');
  const { headers } = await backend.get('/api/todo/items', bearer(token));
  expect(headers['set-cookie']).toContain(`token=${token}; `);
  await backend.stop();
});

it('does not start with a token manager that accepts any token', async () => {
  await expect(
    startLegacy('api-router', {
      gateEnv: env => ({ ...env, tokenManager: ServerTokenManager.noop() }),
    }),
  ).rejects.toThrow('The API gate needs a tokenManager that verifies tokens');
});
