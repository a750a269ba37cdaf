import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import {
  AuthenticationError,
  NotAllowedError,
  ServiceUnavailableError,
} from '@backstage/errors';
import {
  BareGate,
  ISSUER,
  startBareGate,
} from '../__tests__/__testUtils__/startBareGate';
import { unsignedToken } from '../__tests__/__testUtils__/unsignedToken';
import type { IssuedCookie } from './cookie/CookieIssuer';
import { MAX_TOKEN_BYTES } from './cookie/GateCookie';

const NOW = Math.floor(Date.now() / 1000);
const COOKIE_ENDPOINT = '/.backstage/auth/v1/cookie';
const KEYS = '/.backstage/auth/v1/jwks.json';
const A = 'user:default/a';
const principal = { type: 'user', userEntityRef: A };

const claimsOf = (sub: string) => ({ sub, iat: NOW, exp: NOW + 3600 });
const userToken = (sub: string, claims: object = {}) =>
  unsignedToken('vnd.backstage.user', {
    iss: ISSUER,
    ent: [sub, 'group:default/g'],
    ...claimsOf(sub),
    ...claims,
  });
const user = userToken(A);
const limited = unsignedToken('vnd.backstage.limited-user', claimsOf(A));
const service = unsignedToken('vnd.backstage.plugin', { sub: 'search' });
const onBehalf = unsignedToken('vnd.backstage.plugin', {
  sub: 'search',
  obo: limited,
});
const ended = userToken('user:default/ended');
const endedLimited = unsignedToken(
  'vnd.backstage.limited-user',
  claimsOf('user:default/ended'),
);
const delegated = userToken('user:default/delegated');
const notUser = userToken('user:default/not-user');
const withoutEntities = userToken(A, { ent: undefined });

const bearer = (token: string) => `Authorization: Bearer ${token}`;
const cookie = (token: string) => `Cookie: a=1; token=${token}`;
const MARK = 'x-api-gate-cookie-issued-in-front';
const APP = 'https://app.example.com';
const CROSS_SITE = 'Sec-Fetch-Site: cross-site';
const CLEARED = 'token=; Expires=Thu, 01 Jan 1970 00:00:00 GMT';

/** Registers the tokens that verify, and revokes a session. */
async function prepare(gate: BareGate) {
  gate.tokens = new Map<string, object | Error>([
    [user, principal],
    [limited, principal],
    [service, { type: 'service', subject: 'plugin:search' }],
    [onBehalf, { ...principal, actor: { subject: 'plugin:search' } }],
    [ended, { type: 'user', userEntityRef: 'user:default/ended' }],
    [endedLimited, { type: 'user', userEntityRef: 'user:default/ended' }],
    [
      delegated,
      {
        type: 'user',
        userEntityRef: 'user:default/delegated',
        actor: { subject: 'plugin:search' },
      },
    ],
    [notUser, { type: 'service', subject: 'plugin:search' }],
    [withoutEntities, principal],
    ['static', { type: 'service', subject: 'external:ci' }],
    ['restricted', new NotAllowedError('Not for this plugin')],
  ]);
  await gate.revocations.revoke({
    scope: 'session',
    ...claimsOf('user:default/ended'),
  });
}

/** Starts a gate whose issuer sets the header `Set-Cookie: token=new`. */
async function startIssuing(issued: Partial<IssuedCookie> = {}) {
  const answer = {
    setCookies: ['token=new'],
    isIssued: true,
    isRevoked: () => false,
    onSent: () => {},
    ...issued,
  };
  const bare = await startBareGate({
    replaced: { cookieIssuer: { issueCookie: async () => answer } },
  });
  await prepare(bare);
  return bare;
}

let gate: BareGate;

beforeAll(async () => {
  gate = await startBareGate({
    installed: ['hello', 'auth', 'app', 'ours'],
    ownRouters: ['ours'],
  });
  await prepare(gate);
});
beforeEach(() => {
  gate.policy = {
    allow: [{ plugin: 'hello', path: '/open', methods: ['GET'] }],
    signOut: {
      scope: 'session',
      providers: new Set(['github']),
    },
  };
  gate.hasKeys = true;
  gate.isStoreGone = false;
  for (const list of [gate.handled, gate.decided, gate.told, gate.stored]) {
    list.length = 0;
  }
  gate.log.length = 0;
});
afterAll(() => gate.stop());

describe('the gate', () => {
  describe('[P1] keys where no router of Backstage serves them', () => {
    const keys = (plugin: string, method = 'GET', ...headerLines: string[]) =>
      gate.send(method, `/api/${plugin}${KEYS}?a=1`, ...headerLines);

    it.each([
      ['GET', 'ours', 200, '{"keys":[{"kid":"of ours"}]}'],
      ['HEAD', 'ours', 200, ''],
      ['GET', 'absent', 404, ''],
      ['HEAD', 'absent', 404, ''],
    ])('are the answer to %s of %s', async (method, plugin, status, body) => {
      for (const lines of [[], [bearer('x')], [bearer(user)], [cookie(user)]]) {
        const answer = await keys(plugin, method, ...lines);
        expect([answer.status, answer.body]).toEqual([status, body]);
        expect(answer.headers['content-type']).toBe(
          status === 404 ? undefined : 'application/json; charset=utf-8',
        );
        expect(gate.decided.at(-1)!.decision).toMatchObject({
          outcome: 'passed',
          reason: 'built-in-public',
        });
      }
      expect(gate.handled).toEqual([]);
    });

    it('are 503 if the gate can not read them, and no handler runs', async () => {
      const listKeys = jest
        .spyOn(
          [...gate.plugins.all()].find(({ id }) => id === 'ours')!.auth,
          'listPublicServiceKeys',
        )
        .mockRejectedValue(new Error('no database'));
      const { status } = await keys('ours');
      listKeys.mockRestore();
      expect([status, gate.handled]).toEqual([503, []]);
    });
  });

  it('tells of a decision what it is about, and by which rule', async () => {
    await gate.send('GET', '/api/Hello/x?secret', bearer('x'));
    await gate.send('GET', '/api/hello/open?secret', cookie(user));
    await gate.send('OPTIONS', '/api/absent/x', bearer(user));
    expect(gate.decided).toEqual([
      {
        request: { method: 'GET', path: '/x' },
        decision: {
          plugin: 'hello',
          outcome: 'refused',
          reason: 'invalid-token',
          detail: 'malformed',
          credential: 'bearer',
          id: expect.stringMatching(/^[0-9a-f]{16}$/),
        },
        error: expect.objectContaining({ name: 'AuthenticationError' }),
      },
      {
        request: { method: 'GET', path: '/open' },
        decision: {
          plugin: 'hello',
          outcome: 'passed',
          reason: 'allow-rule',
          credential: 'none',
          rule: gate.policy.allow![0],
        },
        error: undefined,
      },
      {
        request: { method: 'OPTIONS', path: '/x' },
        decision: {
          plugin: 'absent',
          outcome: 'passed',
          reason: 'bearer',
          credential: 'bearer',
        },
        error: undefined,
      },
    ]);
  });

  it.each([
    ['goes on', '/api/hello/x', [bearer(user)], [false, true]],
    ['goes on at once', `/api/hello${KEYS}`, [], [true]],
    ['is refused', '/api/hello/x', [bearer('unknown')], [false, false]],
    ['is refused at once', '/api/hello/x', [], [false]],
    ['has its answer', `/api/ours${KEYS}`, [], [false, false]],
    ['has its answer at once', `/api/absent${KEYS}`, [], [false]],
  ])(
    'keeps plugins’ listeners from upgrades once a request goes on: one that %s',
    async (_, target, headerLines, expected) => {
      gate.guarded.length = 0;
      await gate.send('GET', target, ...headerLines);
      expect(gate.guarded).toEqual(expected);
    },
  );

  it.each([
    ['that passes', 'static', ['external:ci']],
    ['that is refused', 'restricted', []],
    ['of a plugin', service, []],
    ['of a user', user, []],
  ])(
    'reports the use of an external token, but of no other: one %s',
    async (_, token, expected) => {
      const used = jest.spyOn(gate.services.observer, 'externalTokenUsed');
      await gate.send('GET', '/api/hello/x', bearer(token));
      expect(used.mock.calls.map(([subject]) => subject)).toEqual(expected);
      used.mockRestore();
    },
  );

  it('shows MCP clients where to sign in, in a 401 only', async () => {
    const mcp = await startBareGate({ installed: ['mcp-actions'] });
    await prepare(mcp);
    mcp.policy = { mcpPaths: new Set(['/v1']) };
    const challengeOf = async (path: string, ...headerLines: string[]) => {
      const { headers } = await mcp.send(
        'POST',
        `/api/mcp-actions${path}`,
        ...headerLines,
      );
      return headers['www-authenticate'];
    };
    const metadata =
      /resource_metadata=".*\/\.well-known\/oauth-protected-resource\/api\/mcp-actions\/v1"$/;
    expect(await challengeOf('/v1')).toMatch(metadata);
    expect(await challengeOf('/v1', bearer('x'))).toMatch(metadata);
    expect(await challengeOf('/v2')).toBe('Bearer realm="Backstage"');
    expect(await challengeOf('/v1', bearer('restricted'))).toBeUndefined();
    await mcp.stop();
  });

  it.each([
    ['GET', true, false],
    ['HEAD', true, false],
    ['PUT', true, true],
    ['GET', false, true],
  ])(
    'asks a handler for a whole answer to %s where a new cookie comes with it (%j): no 304',
    async (method, isIssued, hasValidators) => {
      const bare = await startIssuing({ isIssued });
      const validators = ['If-None-Match: "a"', 'If-Modified-Since: b'];
      await bare.send(method, '/api/hello/x', bearer(user), ...validators);
      const { headers } = bare.handled[0];
      expect([headers['if-none-match'], headers['if-modified-since']]).toEqual(
        hasValidators ? ['"a"', 'b'] : [undefined, undefined],
      );
      await bare.stop();
    },
  );

  describe('while a plugin starts', () => {
    afterEach(() => gate.starting.clear());

    it('waits, then judges', async () => {
      let isUp = () => {};
      gate.starting.set(
        'hello',
        new Promise(resolve => {
          isUp = resolve;
        }),
      );
      const answer = gate.send('GET', '/api/hello/x', bearer(user));
      await new Promise(resolve => setTimeout(resolve, 50));
      expect([gate.decided, gate.handled]).toEqual([[], []]);
      expect((await gate.send('GET', '/api/hello/open')).status).toBe(200);
      isUp();
      expect((await answer).status).toBe(200);
    });

    it.each([[[bearer(user)]], [[]], [['Upgrade: websocket', bearer(user)]]])(
      'is 503 in the words of its lifecycle: %#',
      async headerLines => {
        const never = Promise.reject(new ServiceUnavailableError('wait'));
        never.catch(() => {});
        gate.starting.set('hello', never);
        const answer = await gate.send('GET', '/api/hello/x', ...headerLines);
        expect([answer.status, answer.body]).toEqual([503, 'wait']);
        expect(answer.headers['retry-after']).toBe('5');
        expect(gate.decided[0].decision.reason).toBe('starting');
      },
    );
  });

  describe('a handler', () => {
    const stock = `Cookie: a=1; backstage-auth=${limited}`;
    const absent = '/api/absent/x';

    it('in the backend behind is not marked for a token that no cookie can hold', async () => {
      const marks = [];
      const [, payload] = user.split('.');
      const rest = MAX_TOKEN_BYTES - user.length + user.split('.')[2].length;
      for (const size of [rest, rest + 1]) {
        const [header] = user.split('.');
        const token = `${header}.${payload}.${'x'.repeat(size)}`;
        gate.tokens.set(token, principal);
        await gate.send('GET', absent, bearer(token));
        marks.push([token.length, gate.handled.at(-1)!.headers[MARK]]);
      }
      expect(marks).toEqual([
        [MAX_TOKEN_BYTES, '1'],
        [MAX_TOKEN_BYTES + 1, undefined],
      ]);
    });

    const named = [A, 'group:default/g'];

    it.each([
      ['a user', '/api/hello/x', bearer(user), user, named],
      ['a cookie', '/api/hello/x', cookie(user), user, named],
      [
        'a user without entities',
        '/api/hello/x',
        bearer(withoutEntities),
        withoutEntities,
        [],
      ],
      ['a limited token', '/api/hello/static/a.png', stock, limited, []],
      ['a service', '/api/hello/x', bearer(service), undefined, []],
    ])(
      'reads in req.user whom %s names',
      async (_, target, headerLine, token, ownershipEntityRefs) => {
        await gate.send('GET', target, headerLine);
        const identity = {
          type: 'user',
          userEntityRef: A,
          ownershipEntityRefs,
        };
        expect(gate.handled[0].user).toEqual(token && { token, identity });
      },
    );
  });

  describe('issuing the cookie', () => {
    const issued = () =>
      gate.told.filter(each => (each as string[])[0] === 'issues');

    it('is for the bearer of a user', async () => {
      const answer = await gate.send('GET', '/api/hello/x', bearer(user));
      expect(answer.headers['x-issued']).toBe('yes');
      expect(issued()).toEqual([['issues', user, A, A]]);
    });

    it.each([
      ['a cookie', 'GET', [cookie(user)]],
      ['OPTIONS', 'OPTIONS', [bearer(user)]],
      ['a service', 'GET', [bearer(service)]],
      ['a service that acts for a user', 'GET', [bearer(onBehalf)]],
      ['a static token', 'GET', [bearer('static')]],
      ['a user token by which a service acts', 'GET', [bearer(delegated)]],
      ['a user token that stands for a service', 'GET', [bearer(notUser)]],
      [
        'a request that a gate in front has passed',
        'GET',
        [bearer(user), 'X-Api-Gate-Cookie-Issued-In-Front: 1'],
      ],
    ])('is not for %s', async (_, method, headerLines) => {
      const { status } = await gate.send(
        method,
        '/api/hello/x',
        ...headerLines,
      );
      expect(status).toBe(200);
      expect(issued()).toEqual([]);
    });

    it.each([
      ['https://backstage.example.com', 'hello/x', true],
      ['https://backstage.example.com', `hello${COOKIE_ENDPOINT}`, true],
      [APP, 'hello/x', false],
      [APP, `hello${COOKIE_ENDPOINT}`, true],
      // Where the frontend of Backstage's old tutorial gets it.
      [APP, 'cookie', true],
      [APP, 'cookie/x', false],
      [APP, 'hello', false],
      [APP, 'cookie//', false],
    ])('for a page of %s at %s: %s', async (origin, path, isIssued) => {
      gate.policy.trustedOrigins = ['https://backstage.example.com', APP];
      const origins = `Origin: ${origin}`;
      const target = `/api/${path}`;
      expect(
        (await gate.send('GET', target, bearer(user), origins)).status,
      ).toBe(200);
      expect(issued()).toHaveLength(isIssued ? 1 : 0);
    });

    it('gives the issuer the request, and the time at which its token ends', async () => {
      const issueCookie = jest.fn(async (..._: unknown[]) => undefined);
      const bare = await startBareGate({
        replaced: { cookieIssuer: { issueCookie } },
      });
      await prepare(bare);
      await bare.send('GET', '/api/hello/x', bearer(user));
      await bare.stop();
      expect(issueCookie.mock.calls).toEqual([
        [
          {
            credentials: { principal },
            token: user,
            expires: new Date((NOW + 3600) * 1000),
            req: expect.any(IncomingMessage),
            res: expect.any(ServerResponse),
          },
          expect.objectContaining({ text: user }),
        ],
      ]);
    });

    it('is not where it is settled', async () => {
      const issueCookie = jest.fn();
      const isSettled = jest.fn((..._: unknown[]) => true);
      const bare = await startBareGate({
        replaced: { cookieIssuer: { isSettled, issueCookie } },
      });
      await prepare(bare);
      const { status } = await bare.send('GET', '/api/hello/x', bearer(user));
      await bare.stop();
      expect([status, issueCookie.mock.calls]).toEqual([200, []]);
      expect(isSettled.mock.calls[0][1]).toMatchObject({ text: user });
    });

    it.each([
      ['no cookie', { cookie: undefined }],
      ['no issuer', { cookieIssuer: undefined }],
    ])('is not where there is %s', async (_, options) => {
      const bare = await startBareGate({ replaced: options });
      await prepare(bare);
      const answers = [
        await bare.send('GET', '/api/hello/x', bearer(user)),
        await bare.send('GET', '/api/absent/x', bearer(user)),
        await bare.send('GET', '/api/hello/x', bearer(user), CROSS_SITE),
        await bare.send('GET', '/api/hello/x'),
      ];
      await bare.stop();
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 401]);
      for (const { headers } of answers) {
        expect(headers['x-issued']).toBeUndefined();
        expect(headers['set-cookie']).toBeUndefined();
      }
      expect(bare.told.join()).not.toContain('issue');
    });

    // The gate in the backend behind may have a cookie, and would issue none.
    it('is not said to be issued in front by a gate that has no cookie', async () => {
      const bare = await startBareGate({ replaced: { cookie: undefined } });
      await prepare(bare);
      await bare.send('GET', '/api/absent/x', bearer(user), cookie(user));
      await bare.stop();
      const { headers } = bare.handled[0];
      expect(headers.cookie).toBe(`a=1; token=${user}`);
      expect(headers).not.toHaveProperty(MARK);
    });

    it('is for a token without a type if it is a user’s by its audience; else it is nobody’s', async () => {
      const bare = await startBareGate({
        replaced: { cookieTypes: new Set([undefined]) },
      });
      const issuedTo = [];
      for (const aud of ['backstage', 'other']) {
        const claims = { iss: ISSUER, aud, ...claimsOf(A) };
        const token = unsignedToken(undefined, claims);
        bare.tokens.set(token, principal);
        const answer = await bare.send('GET', '/api/hello/x', bearer(token));
        issuedTo.push([answer.status, answer.headers['x-issued']]);
      }
      await bare.stop();
      expect(issuedTo).toEqual([
        [200, 'yes'],
        [401, undefined],
      ]);
    });

    it.each([
      ['an error', new TypeError('no'), 'TypeError'],
      ['anything else', 'no', 'string'],
    ])('keeps nobody out that fails with %s', async (_, thrown, errorType) => {
      const bare = await startBareGate({
        replaced: {
          cookieIssuer: {
            issueCookie: async () => {
              throw thrown;
            },
          },
        },
      });
      await prepare(bare);
      const { status } = await bare.send('GET', '/api/hello/x', bearer(user));
      await bare.stop();
      expect(status).toBe(200);
      expect(bare.log).toEqual([
        ['API gate issued no cookie: the issuer failed', { errorType }],
      ]);
    });
  });

  describe('a sign-out', () => {
    const signOut = (...headerLines: string[]) =>
      gate.send('DELETE', `/api/hello${COOKIE_ENDPOINT}`, ...headerLines);
    const session = (sub: string) => ({ scope: 'session', ...claimsOf(sub) });
    const signedOut = () =>
      gate.told
        .filter(each => (each as string[])[0] === 'signed out')
        .map(each => (each as unknown[]).slice(1));

    // Each ends a session of its own.
    let count = 0;
    let token = '';
    let sub = '';
    beforeEach(() => {
      count += 1;
      sub = `user:default/u${count}`;
      token = userToken(sub);
      gate.tokens.set(token, { type: 'user', userEntityRef: sub });
    });

    it.each([
      ['POST', '/api/auth/github/logout'],
      ['DELETE', `/api/hello${COOKIE_ENDPOINT}`],
    ])('by %s %s ends the session of the cookie', async (method, target) => {
      const answer = await gate.send(method, target, cookie(token));
      expect(answer.status).toBe(200);
      expect(answer.headers['set-cookie']).toBe(CLEARED);
      expect(gate.stored).toEqual([session(sub)]);
      expect(signedOut()).toEqual([
        [
          target.split('/')[2],
          { scope: 'session', userEntityRef: sub, isStored: true },
        ],
      ]);
      expect(gate.decided[0].decision).toMatchObject({
        outcome: 'passed',
        reason: 'sign-out',
        credential: 'cookie',
      });
      expect(gate.handled[0].headers.cookie).toBe('a=1');
      expect(gate.handled[0].headers.authorization).toBeUndefined();
    });

    it('asks other plugins for the keys that its own lacks, for ten calls a second', async () => {
      gate.hasKeys = false;
      gate.asked.length = 0;
      const find = jest
        .spyOn(gate.plugins.anyRegistered().verifier, 'find')
        .mockRejectedValue(new AuthenticationError('No keys'));
      let clock = performance.now() + 10_000;
      const now = jest
        .spyOn(performance, 'now')
        .mockImplementation(() => clock);
      const statuses = [];
      for (let i = 0; i < 11; i += 1) {
        statuses.push((await signOut(cookie(token))).status);
      }
      expect(statuses).toEqual([...Array(10).fill(200), 503]);
      expect(gate.stored).toEqual(Array(10).fill(session(sub)));
      expect(new Set(gate.asked)).toEqual(new Set(['auth', 'app', 'ours']));
      clock += 1_000;
      expect((await signOut(cookie(token))).status).toBe(200);
      now.mockRestore();
      find.mockRestore();
    });

    it('waits for a router that is not that of Backstage', async () => {
      const starting = Promise.reject(new ServiceUnavailableError('wait'));
      starting.catch(() => {});
      gate.starting.set('ours', starting);
      const target = `/api/ours${COOKIE_ENDPOINT}`;
      const { body } = await gate.send('DELETE', target, bearer(service));
      gate.starting.clear();
      expect([body, gate.handled]).toEqual(['wait', []]);
    });

    it('is 503 where the store is gone, in force all the same', async () => {
      gate.isStoreGone = true;
      const answer = await signOut(cookie(token));
      expect(answer.status).toBe(503);
      expect(answer.headers['set-cookie']).toBe(CLEARED);
      expect(gate.decided[0].decision.reason).toBe('sign-out-not-stored');
      expect(signedOut()).toEqual([
        ['hello', { scope: 'session', userEntityRef: sub, isStored: false }],
      ]);
      expect(
        (await gate.send('GET', '/api/hello/x', bearer(token))).status,
      ).toBe(401);
    });

    describe('everywhere', () => {
      beforeEach(() => {
        gate.endOfflineSessions.mockReset().mockResolvedValue({ ended: 1 });
        Object.assign(gate.policy.signOut!, {
          scope: 'user',
          offlineSessions: 'end',
        });
      });

      it('is 503 while the auth plugin is out of reach, and in force all the same', async () => {
        gate.endOfflineSessions.mockRejectedValue(new Error('gone'));
        const answer = await signOut(cookie(token));
        expect(answer.status).toBe(503);
        expect(answer.headers['retry-after']).toBe('5');
        expect(gate.decided[0].decision.reason).toBe('sign-out-incomplete');
        expect(gate.handled).toEqual([]);
        expect(gate.stored).toMatchObject([
          { scope: 'session', sub },
          { scope: 'user', sub },
        ]);
      });
    });
  });

  describe('an upgrade that passes Express', () => {
    it('that a rule opens is recorded with the rule', async () => {
      const rule = { plugin: 'hello', path: '/open', methods: ['WEBSOCKET'] };
      gate.policy.allow = [rule];
      const lines = ['Upgrade: websocket', 'Connection: Upgrade'];
      await gate.send('GET', '/api/hello/open', ...lines);
      expect(gate.decided).toMatchObject([
        { decision: { reason: 'allow-rule', rule } },
      ]);
    });

    it('is tracked by its session until it is answered', async () => {
      const release = jest.fn();
      const track = jest.fn((..._: unknown[]) => release);
      const bare = await startBareGate({ replaced: { sockets: { track } } });
      await prepare(bare);
      const answers = [];
      for (const token of [user, service]) {
        const line = `Sec-WebSocket-Protocol: ${token}`;
        const target = '/api/hello/ws';
        answers.push(
          await bare.send('GET', target, 'Upgrade: websocket', line),
        );
      }
      await bare.stop();
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      expect(track.mock.calls).toEqual([[expect.any(Socket), claimsOf(A)]]);
      expect(release).toHaveBeenCalledTimes(1);
    });
  });

  describe('what goes wrong', () => {
    const fail = () => {
      throw new TypeError('not thought of');
    };

    it.each([
      ['an unexpected error', { plugins: { targetOf: fail } as never }],
      ['an observer that fails', { observer: { decided: fail } as never }],
    ])('ends closed: %s', async (_, options) => {
      const bare = await startBareGate({ replaced: options });
      await prepare(bare);
      const answers = [
        await bare.send('GET', '/api/hello/x', bearer(service)),
        await bare.send('GET', '/api/auth/x'),
      ];
      await bare.stop();
      for (const { status, body, headers } of answers) {
        expect([status, body]).toEqual([503, 'Credentials can not be checked']);
        expect(headers['api-gate-decision']).toMatch(/^[0-9a-f]{16}$/);
      }
      expect(bare.handled).toEqual([]);
      expect(bare.log).toHaveLength(2);
    });

    it('ends closed if only the decision at once fails', async () => {
      const isUp = jest.spyOn(gate.starting, 'has').mockImplementation(fail);
      const { status } = await gate.send('GET', '/api/hello/open/x');
      isUp.mockRestore();
      expect([status, gate.handled]).toEqual([503, []]);
      expect(gate.decided[0].decision.reason).toBe('failed');
    });

    it.each([
      ['passes', { authorization: `Bearer ${service}` }, undefined],
      ['refuses', {}, 'Missing credentials'],
    ])(
      'calls next once where it %s at once, and is no judge of what that throws',
      (_, headers, message) => {
        const { verifier } = gate.plugins.anyRegistered();
        Object.assign(verifier, {
          look: () => ({ principal: { type: 'service', subject: 'ci' } }),
        });
        const req = Object.assign(new IncomingMessage(new Socket()), {
          method: 'GET',
          headers,
          baseUrl: '/api/hello',
          originalUrl: '/api/hello/x',
          url: '/x',
          path: '/x',
          params: { gatedPluginId: 'hello' },
        });
        const res = new ServerResponse(req);
        const calls: unknown[] = [];
        const next = (error?: unknown) => {
          calls.push((error as Error | undefined)?.message);
          throw new TypeError('of a handler');
        };
        expect(() => gate.handler(req as never, res as never, next)).toThrow(
          'of a handler',
        );
        expect(calls).toEqual([message]);
        expect(gate.log).toEqual([]);
      },
    );

    it('waits for its decision also if an app has another global Promise', async () => {
      const bare = await startBareGate();
      const started = new Promise<void>(resolve => setTimeout(resolve, 10));
      bare.starting.set('hello', started);
      const { Promise: Own } = globalThis;
      globalThis.Promise = class extends Own<any> {} as typeof Own;
      const { status } = await bare.send('GET', '/api/hello/x').finally(() => {
        globalThis.Promise = Own;
      });
      await bare.stop();
      expect(status).toBe(401);
      expect(bare.decided[0].decision.outcome).toBe('refused');
    });

    it('leaves an answer alone that has begun', async () => {
      const bare = await startBareGate({
        before: (_req, res, next) => {
          res.flushHeaders();
          next();
        },
      });
      const { body } = await bare.send('GET', '/api/hello/x');
      await bare.stop();
      expect(body).toContain('Missing credentials');
      expect(bare.handled).toEqual([]);
    });
  });
});
