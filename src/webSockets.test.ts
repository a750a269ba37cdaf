import { randomUUID } from 'node:crypto';
import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { rawRequest } from './__testUtils__/rawRequest';
import { rawUpgrade } from './__testUtils__/rawUpgrade';
import { recordingPlugin } from './__testUtils__/recordingPlugin';
import {
  createSigningKey,
  SigningKey,
  UserTokenClaims,
} from './__testUtils__/signingKey';
import {
  freePort,
  RunningBackend,
  startBackend,
} from './__testUtils__/startBackend';
import { until } from './__testUtils__/until';
import { webSocketPlugin } from './__testUtils__/webSocketPlugin';

jest.setTimeout(60_000);

const APP = 'http://localhost:3000';
const TRUSTED = 'https://portal.example.com';
const FOREIGN = 'https://evil.example.com';
const RESTRICTED = 'restricted-static-token';

let key: SigningKey;
const running: RunningBackend[] = [];

beforeAll(async () => {
  key = await createSigningKey();
});
afterAll(() => key.remove());

const stopAll = () =>
  Promise.all(running.splice(0).map(backend => backend.stop()));

/** A backend with a plugin `live`: its handler `/open` declares itself unauthenticated, `/closed` does not. */
async function start(
  options: {
    apiGate?: JsonObject;
    config?: JsonObject;
    withGate?: boolean;
    init?: () => Promise<void> | void;
    port?: number;
  } = {},
) {
  const live = webSocketPlugin(
    'live',
    {
      '/open': 'unauthenticated',
      '/closed': undefined,
      '/open/': 'unauthenticated',
    },
    options.init,
  );
  const caller = recordingPlugin('caller');
  const backend = await startBackend({
    port: options.port,
    withGate: options.withGate,
    features: [live.feature, caller.feature],
    config: {
      backend: {
        auth: {
          externalAccess: [
            {
              type: 'static',
              options: { token: RESTRICTED, subject: 'script' },
              accessRestrictions: [{ plugin: 'caller' }],
            },
          ],
        },
      },
      ...options.config,
      auth: {
        ...(key.config.auth as JsonObject),
        apiGate: {
          revocation: { pollInterval: { milliseconds: 200 } },
          cookie: { trustedOrigins: [TRUSTED] },
          ...options.apiGate,
        },
      },
    },
  });
  running.push(backend);
  const { port } = backend;
  const sign = (claims: Partial<UserTokenClaims> = {}) =>
    key.sign({ iss: `${backend.url}/api/auth`, ...claims });
  return {
    ...backend,
    live,
    caller,
    sign,
    upgrade: async (target: string, ...headerLines: string[]) => {
      const before = live.handled.length;
      const answer = await rawUpgrade(port, target, headerLines);
      return { ...answer, handled: live.handled[before] };
    },
    /** As the plugin `caller`, which may. */
    async endSessions(userEntityRef: string) {
      const { status } = await rawRequest(
        port,
        '/api/auth/api-gate/v1/revocations',
        {
          method: 'POST',
          headerLines: [
            `Authorization: Bearer ${await caller.tokenFor('auth')}`,
            'Content-Type: application/json',
          ],
          body: JSON.stringify({ userEntityRef }),
        },
      );
      expect(status).toBe(201);
    },
    async policy() {
      const { body } = await rawRequest(port, '/api/auth/api-gate/v1/policy', {
        headerLines: [`Authorization: Bearer ${await caller.tokenFor('auth')}`],
      });
      return JSON.parse(body);
    },
    /** Of the last refusal that was logged. */
    lastRefusal: () =>
      backend.log
        .filter(({ message }) => message === 'API gate refused a request')
        .at(-1)?.meta,
  };
}

type Backend = Awaited<ReturnType<typeof start>>;

const principalOf = (credentials: BackstageCredentials) =>
  credentials.principal as { type: string };

/** A token that was signed by somebody else: flipped in the middle. */
function forge(token: string): string {
  const at = token.length - 40;
  const other = token[at] === 'A' ? 'B' : 'A';
  return `${token.slice(0, at)}${other}${token.slice(at + 1)}`;
}

describe('an upgrade', () => {
  let backend: Backend;
  let tokens: Record<
    | 'user'
    | 'expired'
    | 'forged'
    | 'foreign'
    | 'revoked'
    | 'limited'
    | 'service'
    | 'otherService',
    string
  >;

  beforeAll(async () => {
    backend = await start();
    const { sign, caller } = backend;
    const now = Math.floor(Date.now() / 1000);
    const user = await sign();
    const ended = `user:default/${randomUUID()}`;
    tokens = {
      user,
      expired: await sign({ iat: now - 60, exp: now - 1 }),
      forged: forge(user),
      foreign: await sign({ iss: 'https://other.example.com/api/auth' }),
      revoked: await sign({ sub: ended }),
      limited: await sign({ typ: 'vnd.backstage.limited-user' }),
      service: await caller.tokenFor('live'),
      otherService: await caller.tokenFor('caller'),
    };
    await backend.endSessions(ended);
  });
  afterAll(stopAll);

  const bearer = (token: string) => `Authorization: Bearer ${token}`;
  const protocol = (...values: string[]) =>
    `Sec-WebSocket-Protocol: ${values.join(', ')}`;
  const cookie = (value: string) => `Cookie: a=1; token=${value}`;
  const from = (origin: string) => `Origin: ${origin}`;

  const passing: [name: string, headerLines: () => string[], reason: string][] =
    [
      ['user token as protocol', () => [protocol(tokens.user)], 'bearer'],
      [
        'user token as the fifth protocol',
        () => [protocol('a', 'b', 'c', 'd', tokens.user)],
        'bearer',
      ],
      ['user token as bearer', () => [bearer(tokens.user)], 'bearer'],
      [
        'user token as bearer, from any origin',
        () => [bearer(tokens.user), from(FOREIGN)],
        'bearer',
      ],
      [
        'user token as bearer, and a protocol',
        () => [protocol('graphql-ws'), bearer(tokens.user)],
        'bearer',
      ],
      [
        'user token as bearer after a protocol that fails, as in a stock backend',
        () => [protocol(tokens.forged), bearer(tokens.user)],
        'bearer',
      ],
      [
        'user token as protocol, and an authorization of a proxy',
        () => [protocol(tokens.user), 'Authorization: Basic dXNlcjpwYXNz'],
        'bearer',
      ],
      [
        'user token as protocol, and a cookie that fails',
        () => [protocol(tokens.user), cookie(tokens.forged)],
        'bearer',
      ],
      ['service token as protocol', () => [protocol(tokens.service)], 'bearer'],
      ['service token as bearer', () => [bearer(tokens.service)], 'bearer'],
      [
        'cookie, from the frontend',
        () => [cookie(tokens.user), from(APP)],
        'cookie',
      ],
      [
        'cookie, from the backend',
        () => [cookie(tokens.user), from(backend.url)],
        'cookie',
      ],
      [
        'cookie, from a trusted origin',
        () => [cookie(tokens.user), from(TRUSTED)],
        'cookie',
      ],
      [
        'cookie, and a protocol',
        () => [cookie(tokens.user), from(APP), protocol('graphql-ws')],
        'cookie',
      ],
    ];
  const refused: [
    name: string,
    headerLines: () => string[],
    expected: number,
    reason: string,
  ][] = [
    ['nobody', () => [], 401, 'missing-credentials'],
    [
      'nobody, from the frontend',
      () => [from(APP)],
      401,
      'missing-credentials',
    ],
    [
      'nobody, with a protocol',
      () => [protocol('graphql-ws')],
      401,
      'invalid-token',
    ],
    ['forged protocol', () => [protocol(tokens.forged)], 401, 'invalid-token'],
    ['forged bearer', () => [bearer(tokens.forged)], 401, 'invalid-token'],
    [
      'forged cookie',
      () => [cookie(tokens.forged), from(APP)],
      401,
      'invalid-token',
    ],
    ['expired bearer', () => [bearer(tokens.expired)], 401, 'invalid-token'],
    [
      'expired cookie',
      () => [cookie(tokens.expired), from(APP)],
      401,
      'invalid-token',
    ],
    [
      'foreign protocol',
      () => [protocol(tokens.foreign)],
      401,
      'foreign-issuer',
    ],
    [
      'foreign cookie',
      () => [cookie(tokens.foreign), from(APP)],
      401,
      'foreign-issuer',
    ],
    ['revoked protocol', () => [protocol(tokens.revoked)], 401, 'revoked'],
    ['revoked bearer', () => [bearer(tokens.revoked)], 401, 'revoked'],
    [
      'revoked cookie',
      () => [cookie(tokens.revoked), from(APP)],
      401,
      'revoked',
    ],
    [
      'revoked protocol, and a good bearer',
      () => [protocol(tokens.revoked), bearer(tokens.user)],
      401,
      'revoked',
    ],
    ['limited token', () => [protocol(tokens.limited)], 401, 'invalid-token'],
    [
      "Backstage's own cookie",
      () => [`Cookie: backstage-auth=${tokens.limited}`, from(APP)],
      401,
      'missing-credentials',
    ],
    [
      'service token for another plugin',
      () => [bearer(tokens.otherService)],
      401,
      'invalid-token',
    ],
    [
      'service token in the cookie',
      () => [cookie(tokens.service), from(APP)],
      401,
      'invalid-token',
    ],
    ['restricted token', () => [bearer(RESTRICTED)], 403, 'restricted'],
    [
      'restricted token as protocol, and a protocol',
      () => [protocol(RESTRICTED, 'graphql-ws')],
      403,
      'restricted',
    ],
    [
      'six protocols',
      () => [protocol('a', 'b', 'c', 'd', 'e', tokens.user)],
      401,
      'too-many-tokens',
    ],
    [
      'five protocols and a bearer',
      () => [protocol('a', 'b', 'c', 'd', 'e'), bearer(tokens.user)],
      401,
      'too-many-tokens',
    ],
    [
      'six protocols in two headers',
      () => [protocol('a', 'b', 'c'), protocol('d', 'e', tokens.user)],
      401,
      'too-many-tokens',
    ],
    [
      'two authorizations',
      () => [bearer(tokens.user), bearer(tokens.user)],
      400,
      'repeated-authorization',
    ],
    [
      'two authorizations, and a good protocol',
      () => [protocol(tokens.user), bearer('x'), bearer(tokens.user)],
      400,
      'repeated-authorization',
    ],
    [
      'an authorization that is no bearer token, and a good cookie',
      () => [
        'Authorization: Basic dXNlcjpwYXNz',
        cookie(tokens.user),
        from(APP),
      ],
      401,
      'unsupported-scheme',
    ],
    [
      'bearer that fails, and a good cookie',
      () => [bearer(tokens.forged), cookie(tokens.user), from(APP)],
      401,
      'invalid-token',
    ],
    [
      'protocol that fails as a token, and a good cookie',
      () => [protocol(tokens.expired), cookie(tokens.user), from(APP)],
      401,
      'invalid-token',
    ],
    [
      'two cookies',
      () => [
        `Cookie: token=${tokens.user}; token=${tokens.service}`,
        from(APP),
      ],
      401,
      'conflicting-cookies',
    ],
    ['cookie, from nowhere', () => [cookie(tokens.user)], 403, 'cross-site'],
    [
      'cookie, from a foreign origin',
      () => [cookie(tokens.user), from(FOREIGN)],
      403,
      'cross-site',
    ],
    [
      'cookie, from a foreign origin, and a protocol',
      () => [cookie(tokens.user), from(FOREIGN), protocol('graphql-ws')],
      403,
      'cross-site',
    ],
    [
      'cookie, from a foreign origin that says it is the same',
      () => [cookie(tokens.user), from(FOREIGN), 'Sec-Fetch-Site: same-origin'],
      403,
      'cross-site',
    ],
    [
      'cookie, from null',
      () => [cookie(tokens.user), from('null')],
      403,
      'cross-site',
    ],
    [
      'cookie, from two origins',
      () => [cookie(tokens.user), from(APP), from(FOREIGN)],
      403,
      'cross-site',
    ],
  ];

  describe.each(['/open', '/closed'])('to %s', path => {
    const target = `/api/live${path}`;

    it.each(passing)('passes: %s', async (_, headerLines, reason) => {
      const { status, message, handled, destroy } = await backend.upgrade(
        target,
        ...headerLines(),
      );
      destroy();
      expect([status, message]).toEqual([101, 'hello']);
      expect(handled.path).toBe(path);
      expect(handled.headers.cookie).toBe(
        headerLines().some(line => line.startsWith('Cookie'))
          ? 'a=1'
          : undefined,
      );
      expect(JSON.stringify(handled.rawHeaders)).not.toContain('token=');
      if (reason === 'cookie') {
        expect(handled.headers.authorization).toBe(`Bearer ${tokens.user}`);
        expect(handled.authProtocol).toBeUndefined();
        expect(principalOf(handled.credentials).type).toBe('user');
      }
      const { decisions } = await backend.policy();
      expect(decisions).toContainEqual(
        expect.objectContaining({ plugin: 'live', outcome: 'passed', reason }),
      );
    });

    it.each(refused)(
      'refuses: %s',
      async (_, headerLines, expected, reason) => {
        const { status, headers, handled, closed } = await backend.upgrade(
          target,
          ...headerLines(),
        );
        await closed;
        expect([status, handled]).toEqual([expected, undefined]);
        expect(headers.connection).toBe('close');
        expect(headers['content-length']).toBe('0');
        expect(headers['www-authenticate']).toBe(
          {
            400: 'Bearer realm="Backstage", error="invalid_request"',
            401:
              reason === 'missing-credentials'
                ? 'Bearer realm="Backstage"'
                : 'Bearer realm="Backstage", error="invalid_token"',
          }[expected],
        );
        expect(backend.lastRefusal()).toEqual({
          plugin: 'live',
          reason,
          method: 'WEBSOCKET',
          path,
          errorType: {
            400: 'InputError',
            401: 'AuthenticationError',
            403: 'NotAllowedError',
          }[expected],
        });
      },
    );
  });
});
