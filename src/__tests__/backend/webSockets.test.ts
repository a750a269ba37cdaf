import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import * as httpRouter from '@backstage/backend-defaults/httpRouter';
import { BackstageCredentials } from '@backstage/backend-plugin-api';
import { exportMetrics } from '../__testUtils__/exportMetrics';
import { accessWith, staticToken } from '../__testUtils__/externalAccess';
import { openPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  COOKIE_ENDPOINT,
  forge,
  from,
  now,
  protocol,
} from '../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { until } from '../__testUtils__/until';
import { webSocketPlugin } from '../__testUtils__/webSocketPlugin';

const APP = 'http://localhost:3000';
const TRUSTED = 'https://portal.example.com';
const FOREIGN = 'https://evil.example.com';
const RESTRICTED = 'restricted-static-token';

// Goes in October 2027: releases before November 2026 have no WebSocket handlers.
const describeIfRouted =
  'createWebSocketRouter' in httpRouter ? describe : describe.skip;

jest.mock('../../store/revocations/pollInterval', () => ({
  POLL_INTERVAL_MS: 200,
}));

const backends = signedBackends();

/** Starts a backend with a plugin `live`: its handler `/open` declares itself unauthenticated, `/closed` does not. */
async function start(
  options: SignedBackendOptions & {
    /** Default true. */
    withHandlers?: boolean;
    init?: () => Promise<void> | void;
  } = {},
) {
  const { withHandlers = true, init, ...others } = options;
  const live = webSocketPlugin(
    'live',
    withHandlers
      ? {
          '/open': 'unauthenticated',
          '/closed': undefined,
          '/open/': 'unauthenticated',
        }
      : {},
    init,
  );
  const caller = openPlugin('caller');
  const backend = await backends.start({
    ...others,
    features: [live.feature, caller.feature],
    config: {
      ...accessWith(staticToken(RESTRICTED, 'script', 'caller')),
      ...options.config,
    },
    apiGate: {
      cookie: { trustedOrigins: [TRUSTED] },
      ...options.apiGate,
    },
  });
  const withHandled =
    (upgrade: typeof backend.upgrade) =>
    async (target: string, ...headerLines: string[]) => {
      const before = live.handled.length;
      const answer = await upgrade(target, ...headerLines);
      return { ...answer, handled: live.handled[before] };
    };
  return {
    ...backend,
    live,
    caller,
    upgrade: withHandled(backend.upgrade),
    upgradeOnce: withHandled(backend.upgradeOnce),
    endSessions: async (userEntityRef: string) =>
      backend.endSessions(await caller.tokenFor('auth'), userEntityRef),
    policy: async () => backend.policy(await caller.tokenFor('auth')),
    /** Returns the refusals in the log: the first of each kind. */
    refusals: () =>
      backend.logged('API gate refused a request').map(({ meta }) => meta),
  };
}

type Backend = Awaited<ReturnType<typeof start>>;

const cookie = (value: string) => `Cookie: a=1; token=${value}`;

const principalOf = (credentials: BackstageCredentials) =>
  credentials.principal as { type: string };

/**
 * Returns the header lines of a caller that is written in words, such as `protocol=a,user bearer=forged`. The names of tokens
 * and of origins stand for their values.
 */
function linesOf(caller: string, values: Record<string, string>): string[] {
  const valuesOf = (list: string) =>
    list.split(',').map(name => values[name] ?? name);
  return caller.split(' ').flatMap(word => {
    const [kind, list = ''] = word.split('=');
    const [value, ...others] = valuesOf(list);
    switch (kind) {
      case 'protocol':
        return protocol(value, ...others);
      case 'bearer':
        return bearer(value);
      case 'cookie':
        return [cookie(value), ...others].join('; token=');
      case 'stock':
        return `Cookie: backstage-auth=${value}`;
      case 'from':
        return from(value);
      default:
        return kind === 'nobody' ? [] : `${kind}: ${value}`;
    }
  });
}

const ORIGINS = { app: APP, trusted: TRUSTED, foreign: FOREIGN };
const BASIC = { basic: 'Basic dXNlcjpwYXNz' };

describe('[P8] an upgrade', () => {
  let backend: Backend;
  let exported: Awaited<ReturnType<typeof exportMetrics>>;
  let tokens: Record<string, string>;
  let values: Record<string, string>;

  beforeAll(async () => {
    exported = await exportMetrics();
    backends.add(exported);
    backend = await start();
    const { sign, caller } = backend;
    const user = await sign();
    const ended = `user:default/${randomUUID()}`;
    tokens = {
      user,
      forged: forge(user),
      ofOther: await sign({ iss: 'https://other.example.com/api/auth' }),
      revoked: await sign({ sub: ended }),
      limited: await sign({ typ: 'vnd.backstage.limited-user' }),
      service: await caller.tokenFor('live'),
      restricted: RESTRICTED,
    };
    values = { ...ORIGINS, ...BASIC, backend: backend.url, ...tokens };
    await backend.endSessions(ended);
    // Plugins without handlers listen from a first request on.
    // Goes in October 2027: releases before November 2026 have no WebSocket handlers.
    await backend.get('/api/live/x', bearer(user));
  });
  afterAll(backends.stopAll);

  // The proof has all combinations of tokens. Here are those that Backstage itself verifies, and each status.
  const passing = [
    ['bearer', 'protocol=a,b,c,d,user'],
    ['bearer', 'protocol=forged bearer=user'],
    ['bearer', 'protocol=service'],
    ['cookie', 'cookie=user from=backend'],
    ['cookie', 'cookie=user from=trusted protocol=graphql-ws'],
  ];
  const refused: [status: number, reason: string, caller: string][] = [
    [401, 'missing-credentials', 'stock=limited from=app'],
    [401, 'invalid-token', 'bearer=forged cookie=user from=app'],
    [401, 'invalid-token', 'protocol=limited'],
    [401, 'untrusted-issuer', 'protocol=ofOther'],
    [401, 'revoked', 'protocol=revoked bearer=user'],
    [403, 'restricted', 'protocol=restricted,graphql-ws'],
    [401, 'too-many-tokens', 'protocol=a,b,c protocol=d,e,user'],
    [400, 'repeated-authorization', 'protocol=user bearer=x bearer=user'],
    [401, 'unsupported-scheme', 'Authorization=basic cookie=user from=app'],
    [403, 'cross-site', 'cookie=user from=null'],
    [403, 'cross-site', 'cookie=user from=foreign'],
  ];

  const path = '/closed';
  const target = `/api/live${path}`;

  it.each(passing)('passes by %s: %s', async (reason, sender) => {
    const headerLines = linesOf(sender, values);
    const { status, message, handled } = await backend.upgradeOnce(
      target,
      ...headerLines,
    );
    expect([status, message]).toEqual([101, 'hello']);
    expect(handled.path).toBe(path);
    expect(handled.headers.cookie).toBe(
      sender.includes('cookie') ? 'a=1' : undefined,
    );
    expect(JSON.stringify(handled.rawHeaders)).not.toContain('token=');
    // Only the token of an accepted cookie is forwarded as a header.
    const sent = headerLines.find(line => line.startsWith('Authorization'));
    expect(handled.headers.authorization).toBe(
      reason === 'cookie'
        ? `Bearer ${tokens.user}`
        : sent?.replace('Authorization: ', ''),
    );
    expect(await exported.decisions()).toContainEqual(
      expect.objectContaining({ plugin: 'live', outcome: 'passed', reason }),
    );
  });

  it.each(refused)('refuses: %i %s: %s', async (expected, reason, sender) => {
    const { status, headers, handled, closed } = await backend.upgrade(
      target,
      ...linesOf(sender, values),
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
    expect(headers['api-gate-decision']).toMatch(/^[0-9a-f]{16}$/);
    expect(backend.refusals()).toContainEqual(
      expect.objectContaining({
        plugin: 'live',
        reason,
        method: 'WEBSOCKET',
        path,
      }),
    );
  });
});

describeIfRouted('[P11] a backend with WebSocket handlers', () => {
  afterEach(backends.stopAll);

  const rule = (path: string, ...methods: string[]) => ({
    plugin: 'live',
    path,
    methods,
  });

  it('passes to handlers the same requests as a stock backend', async () => {
    const [stock, gated] = [await start({ withGate: false }), await start()];
    const user = await gated.sign({ sub: 'user:default/jane' });
    const contextsAt = async (backend: Backend) => {
      const service = await backend.caller.tokenFor('live');
      const contexts = [];
      for (const headerLines of [
        [protocol(user)],
        [protocol('graphql-ws', user, service)],
        [protocol('graphql-ws'), bearer(user)],
        [bearer(user)],
        [bearer(service)],
      ]) {
        const { status, handled } = await backend.upgradeOnce(
          '/api/live/closed?a=1',
          ...headerLines,
        );
        const { credentials, authProtocol } = handled;
        contexts.push({
          status,
          credentials: JSON.parse(JSON.stringify(credentials)),
          tokenOf: Object.getOwnPropertyNames(credentials),
          authProtocol: authProtocol === user ? 'the token' : authProtocol,
        });
      }
      return contexts;
    };
    expect(await contextsAt(gated)).toEqual(await contextsAt(stock));
  });

  it('opens a handler to everybody by a rule for its exact path and WEBSOCKET', async () => {
    const backend = await start({
      apiGate: {
        allow: [rule('/open', 'WEBSOCKET'), rule('/closed', 'GET', 'POST')],
      },
    });
    const { status, handled } = await backend.upgradeOnce(
      '/api/live/open?x=1',
      cookie(await backend.sign()),
      from(FOREIGN),
    );
    expect(status).toBe(101);
    expect(principalOf(handled.credentials)).toEqual({ type: 'none' });
    expect(handled.headers.cookie).toBe('a=1');
    expect(handled.headers.authorization).toBeUndefined();
    expect(await backend.upgradeStatus('/api/live/closed')).toBe(401);
    expect(await backend.upgradeStatus('/api/live/open/')).toBe(401);
    // Verifying each token takes time.
    const many = Array.from({ length: 6 }, (_, i) => `protocol${i}`);
    expect(
      await backend.upgradeStatus('/api/live/open', protocol(...many)),
    ).toBe(401);
  });

  it('closes a WebSocket when its session is revoked or its token expires, and no other', async () => {
    const backend = await start();
    const exp = now() + 2;
    const own = { sub: 'user:default/own' };
    const signedOut = await backend.sign({ sub: 'user:default/signed-out' });
    const [ended, endedByCookie, bySignOut, expiring, other] = [
      await backend.upgrade('/api/live/open', bearer(await backend.sign(own))),
      await backend.upgrade(
        '/api/live/closed',
        cookie(await backend.sign(own)),
        from(APP),
      ),
      await backend.upgrade('/api/live/open', protocol(signedOut)),
      await backend.upgrade(
        '/api/live/open',
        bearer(await backend.sign({ sub: 'user:default/brief', exp })),
      ),
      await backend.upgrade('/api/live/open', bearer(await backend.sign())),
    ];
    expect([ended, endedByCookie, bySignOut, expiring, other]).toMatchObject(
      Array(5).fill({ status: 101 }),
    );
    const { status } = await backend.request(
      'DELETE',
      `/api/live${COOKIE_ENDPOINT}`,
      [cookie(signedOut), from(APP)],
    );
    expect(status).toBe(204);
    await bySignOut.closed;
    await backend.endSessions('user:default/own');
    await Promise.all([ended.closed, endedByCookie.closed]);
    expect(Date.now()).toBeLessThan(exp * 1000);
    await expiring.closed;
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000 - 100);
    expect(other.isClosed()).toBe(false);
    other.destroy();
  });

  describe('in report-only', () => {
    const reportOnly = {
      mode: 'report-only',
      allow: [rule('/closed', 'WEBSOCKET')],
    };

    it('accepts the cookie', async () => {
      const backend = await start({ apiGate: reportOnly });
      const { status, handled } = await backend.upgradeOnce(
        '/api/live/open',
        cookie(await backend.sign()),
        from(APP),
      );
      expect(status).toBe(101);
      expect(principalOf(handled.credentials).type).toBe('user');
    });
  });
});

// Upgrades pass Express as long as no listener for upgrades is at the server.
describe('an upgrade that passes Express', () => {
  let backend: Backend;
  let tokens: { user: string; revoked: string };

  beforeAll(async () => {
    backend = await start({
      withHandlers: false,
      apiGate: {
        allow: [{ plugin: 'caller', path: '/public', methods: ['WEBSOCKET'] }],
      },
    });
    const user = await backend.sign();
    const revoked = await backend.sign({ sub: 'user:default/ended' });
    tokens = { user, revoked };
    await backend.endSessions('user:default/ended');
  });
  afterAll(backends.stopAll);

  it.each([
    ['nobody', 401, 200],
    ['protocol=a,user', 200, 200],
    ['protocol=revoked', 401, 401],
    ['bearer=revoked', 401, 401],
    ['cookie=user from=app', 200, 200],
    ['cookie=user from=foreign', 403, 200],
  ])(
    'of %s is %i, and %i under a rule',
    async (sender, expected, underRule) => {
      const { handled } = backend.caller;
      for (const path of ['x', 'public/', 'public']) {
        const before = handled.length;
        const { status, headers } = await backend.upgradeOnce(
          `/api/caller/${path}`,
          ...linesOf(sender, { ...ORIGINS, ...tokens }),
        );
        const isUnderRule = path === 'public';
        expect([path, status]).toEqual([
          path,
          isUnderRule ? underRule : expected,
        ]);
        const passed = status === 200;
        const [request] = handled.slice(before);
        expect(Boolean(request)).toBe(passed);
        // The caller of a public path has no principal.
        expect(Boolean(request?.user)).toBe(passed && !isUnderRule);
        expect(request?.headers.cookie ?? 'a=1').toBe('a=1');
        // The gate issues no cookie, though the bearer token comes without one.
        expect(passed && headers['set-cookie']).toBe(passed && undefined);
      }
      expect(backend.refusals()).toContainEqual(
        expect.objectContaining({ plugin: 'caller', method: 'WEBSOCKET' }),
      );
    },
  );

  it('leaves a connection alone that goes on to other requests after it was answered', async () => {
    const sub = 'user:default/kept-alive';
    const token = await backend.sign({ sub });
    const socket = connect(backend.port, 'localhost');
    const answers: string[] = [];
    socket.on('data', chunk => answers.push(String(chunk)));
    const send = (...headerLines: string[]) =>
      socket.write(
        [
          'GET /api/caller/x HTTP/1.1',
          'Host: localhost',
          ...headerLines,
          '',
          '',
        ].join('\r\n'),
      );
    send('Connection: Upgrade', 'Upgrade: websocket', protocol(token));
    await until(() => answers.join('').includes(' 200 OK'));
    await backend.endSessions(sub);
    send();
    await until(() => answers.join('').includes(' 401 Unauthorized'));
    socket.destroy();
  });
});
