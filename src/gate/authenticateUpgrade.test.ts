import { createVerification } from '../__testUtils__/createVerification';
import { NotAllowedError } from '@backstage/errors';
import {
  BareGate,
  ISSUER,
  startBareGate,
} from '../__testUtils__/startBareGate';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import { decideUpgrade } from './authenticateUpgrade';

const NOW = Math.floor(Date.now() / 1000);
const claimsOf = (sub: string) => ({ sub, iat: NOW, exp: NOW + 3600 });
const tokenOf = (sub: string, iss = ISSUER) =>
  unsignedToken('vnd.backstage.user', { iss, ...claimsOf(sub) });
const SUB = 'user:default/a';
const user = tokenOf(SUB);
const ENDED = 'user:default/ended';
const ended = tokenOf(ENDED);
const foreign = tokenOf('user:default/a', 'https://other');
const unknown = tokenOf('user:default/unknown', 'https://other');
const forged = unsignedToken('vnd.backstage.user', {
  ...claimsOf(ENDED),
  forged: true,
});

const expired = unsignedToken('vnd.backstage.user', {
  ...claimsOf('user:default/a'),
  exp: NOW - 1,
});
const cut = [ended.slice(0, -1), ended.slice(-1)];

const cookie = `Cookie: a=1; token=${user}`;
const ownOrigin = 'Origin: https://backstage.example.com';
const protocols = (...tokens: string[]) =>
  `Sec-WebSocket-Protocol: ${tokens.join(', ')}`;

async function prepare(gate: BareGate) {
  for (const token of [user, ended, foreign]) {
    const userEntityRef = token === ended ? ENDED : 'user:default/a';
    gate.tokens.set(token, { type: 'user', userEntityRef });
  }
  gate.tokens.set('static', { type: 'service', subject: 'external:ci' });
  gate.tokens.set('restricted', new NotAllowedError('Not for this plugin'));
  await gate.revocations.revoke({
    scope: 'session',
    ...claimsOf(ENDED),
  });
}

let gate: BareGate;

beforeAll(async () => {
  gate = await startBareGate();
  await prepare(gate);
});
beforeEach(() => {
  gate.handled.length = 0;
  gate.decided.length = 0;
  gate.told.length = 0;
});
afterAll(() => gate.stop());

/** An upgrade, as it passes Express where nobody listens for upgrades. */
const upgrade = (...headerLines: string[]) =>
  gate.send('GET', '/api/hello/ws', 'Upgrade: websocket', ...headerLines);

it.each([
  ['nothing', [], [401, 'missing-credentials', 'none']],
  ['a protocol', [protocols(user)], [200, 'bearer', 'bearer']],
  ['the second protocol', [protocols('x', user)], [200, 'bearer', 'bearer']],
  ['a bearer', [`Authorization: Bearer ${user}`], [200, 'bearer', 'bearer']],
  [
    'a bearer behind a protocol',
    [protocols('x'), 'Authorization: Bearer static'],
    [200, 'bearer', 'bearer'],
  ],
  ['the cookie', [cookie, ownOrigin], [200, 'cookie', 'cookie']],
  [
    'the cookie behind a protocol',
    [protocols('graphql-ws'), cookie, ownOrigin],
    [200, 'cookie', 'cookie'],
  ],
  ['another site’s cookie', [cookie], [403, 'cross-site', 'cookie']],
  [
    'a protocol beside another site’s cookie',
    [protocols('static'), cookie],
    [200, 'bearer', 'bearer'],
  ],
  [
    'none that verifies',
    [protocols('x', 'y')],
    [401, 'invalid-token', 'bearer'],
  ],
  // A refusal that may be different at another moment or plugin comes before a final one.
  [
    'one that fails and another site’s cookie',
    [protocols('x'), cookie],
    [403, 'cross-site', 'cookie'],
  ],
  [
    'a restricted one first',
    [protocols('restricted', 'x')],
    [403, 'restricted', 'bearer'],
  ],
  [
    'a restricted one last',
    [protocols('x', 'restricted')],
    [403, 'restricted', 'bearer'],
  ],
  // Else the last one is told.
  [
    'a foreign one last',
    [protocols('x', foreign)],
    [401, 'untrusted-issuer', 'bearer'],
  ],
  [
    'a foreign one first',
    [protocols(foreign, 'x')],
    [401, 'invalid-token', 'bearer'],
  ],
  [
    'a foreign one in the middle',
    [protocols('x', foreign, 'y')],
    [401, 'invalid-token', 'bearer'],
  ],
  // The first token that verifies decides who the caller is.
  [
    'an ended session first',
    [protocols(ended, user)],
    [401, 'revoked', 'bearer'],
  ],
  [
    'an ended session last',
    [protocols(user, ended)],
    [200, 'bearer', 'bearer'],
  ],
  // A listener may take the whole header as one token, and Backstage may skip the comma.
  [
    'an ended session that a comma cuts',
    [protocols(...cut), 'Authorization: Bearer static'],
    [401, 'invalid-token', 'bearer'],
  ],
  [
    'an ended session with another character behind it',
    [protocols(`${ended}%`), 'Authorization: Bearer static'],
    [401, 'invalid-token', 'bearer'],
  ],
  [
    'a user of another deployment beside a service',
    [protocols(foreign), 'Authorization: Bearer static'],
    [401, 'untrusted-issuer', 'bearer'],
  ],
  [
    'a forged token beside a service',
    [protocols(forged), 'Authorization: Bearer static'],
    [200, 'bearer', 'bearer'],
  ],
  [
    'an expired token first',
    [protocols(expired, user)],
    [200, 'bearer', 'bearer'],
  ],
])('an upgrade is judged by %s', async (_, headerLines, expected) => {
  const { status } = await upgrade(...headerLines);
  const [{ decision, request }] = gate.decided;
  expect([status, decision.reason, decision.credential]).toEqual(expected);
  expect(request).toEqual({ method: 'WEBSOCKET', path: '/ws' });
  expect(gate.handled).toHaveLength(status === 200 ? 1 : 0);
});

// Handlers read `Authorization`, and Backstage's own cookie where it is missing. Neither may be of another session.
it.each([
  [
    'a bearer of an ended session',
    [protocols(user), `Authorization: Bearer ${ended}`],
    `Bearer ${user}`,
    undefined,
  ],
  [
    'a bearer of another deployment',
    [protocols('static'), `Authorization: Bearer ${foreign}`],
    'Bearer static',
    undefined,
  ],
  [
    'Backstage’s own cookie of an ended session',
    [protocols(user), `Cookie: a=1; backstage-auth=${ended}`],
    undefined,
    'a=1',
  ],
])(
  '[P5] an upgrade that a protocol authenticates goes on without %s',
  async (_, headerLines, authorization, others) => {
    expect((await upgrade(...headerLines)).status).toBe(200);
    const [{ headers }] = gate.handled;
    expect(headers.authorization).toBe(authorization);
    expect(headers.cookie).toBe(others);
  },
);

describe('an upgrade that a rule opens', () => {
  const bearer = (token: string) => `Authorization: Bearer ${token}`;
  const five = ['1', '2', '3', '4', '5'];
  const rule = { plugin: 'hello', path: '/ws', methods: ['WEBSOCKET'] };

  beforeEach(() => {
    gate.policy = { allow: [rule] };
  });
  afterEach(() => {
    gate.policy = {};
  });

  it.each([
    ['nothing', [], true],
    ['a protocol that is no token', [protocols('graphql-ws')], true],
    ['as many protocols as are tried', [protocols(...five)], true],
    ['a protocol that is a token', [protocols('graphql-ws', user)], false],
    ['a bearer', [bearer(user)], false],
    ['a token that does not verify', [bearer(unknown)], false],
    ['an expired token first', [protocols(expired, 'graphql-ws')], false],
    ['another site’s cookie', [cookie], false],
    ['a forged token of a revoked session', [protocols(forged)], false],
  ])(
    'passes with %s, and is anonymous: %j %s',
    async (_, lines, isAnonymous) => {
      expect((await upgrade('Connection: Upgrade', ...lines)).status).toBe(200);
      expect(gate.decided.map(({ decision }) => decision)).toEqual([
        {
          plugin: 'hello',
          outcome: 'passed',
          reason: 'allow-rule',
          credential: 'none',
          isAnonymous,
          rule,
        },
      ]);
      expect(gate.handled).toHaveLength(1);
    },
  );

  it.each([
    ['a bearer of a revoked session', [bearer(ended)], 'revoked', ENDED],
    [
      'a protocol of a revoked session',
      [protocols('x', ended)],
      'revoked',
      ENDED,
    ],
    [
      'a bearer of a revoked session beside a protocol',
      [protocols(user), bearer(ended)],
      'revoked',
      ENDED,
    ],
    [
      'a bearer of another deployment that has the same keys',
      [bearer(foreign)],
      'untrusted-issuer',
      'user:default/a',
    ],
    [
      'a token of an ended session that a comma cuts',
      [protocols(...cut)],
      'invalid-token',
      undefined,
    ],
    [
      'more tokens than are tried',
      [protocols(...five), bearer(user)],
      'too-many-tokens',
      undefined,
    ],
  ])('is refused with %s', async (_, lines, reason, subject) => {
    expect((await upgrade('Connection: Upgrade', ...lines)).status).toBe(401);
    expect(gate.decided).toMatchObject([
      { decision: { outcome: 'refused', reason, credential: 'none' } },
    ]);
    expect(gate.decided[0].decision.subject).toBe(subject);
    expect(gate.handled).toEqual([]);
  });
});

it.each([
  ['a cookie', [cookie, ownOrigin], `Bearer ${user}`],
  ['a protocol', [protocols(user), cookie], undefined],
  ['a bearer', [`Authorization: Bearer ${user}`, cookie], `Bearer ${user}`],
])(
  'a handler gets the token of %s, and no cookie',
  async (_, headerLines, authorization) => {
    await upgrade(...headerLines);
    const [{ headers, user: identity }] = gate.handled;
    expect(headers.authorization).toBe(authorization);
    expect(headers.cookie).toBe('a=1');
    expect(identity).toMatchObject({ token: user });
  },
);

it('each verification is timed, in seconds', async () => {
  await upgrade(protocols('x', user));
  expect(gate.told).toHaveLength(2);
  for (const [what, seconds] of gate.told as [string, number][]) {
    expect(what).toBe('verified');
    expect(seconds).toBeGreaterThanOrEqual(0);
    expect(seconds).toBeLessThan(5);
  }
});

it('after an unexpected error no other token is tried', async () => {
  let asked = 0;
  const bare = await startBareGate({
    gate: {
      cookie: undefined,
      keyEndpoints: {
        hasKeysOf: async () => true,
        observe: () => {},
        assertCallerKnown: () => {
          asked += 1;
          throw new TypeError('not expected');
        },
      },
    },
  });
  await prepare(bare);
  const { status } = await bare.send(
    'GET',
    '/api/hello/ws',
    'Upgrade: websocket',
    protocols('x', user),
  );
  await bare.stop();
  expect([status, asked]).toEqual([503, 1]);
  expect(bare.decided[0].decision.reason).toBe('failed');
});

it('a gate without a cookie reads none, and leaves it', async () => {
  const bare = await startBareGate({ gate: { cookie: undefined } });
  await prepare(bare);
  const send = (...headerLines: string[]) =>
    bare.send('GET', '/api/hello/ws', 'Upgrade: websocket', ...headerLines);
  const statuses = [
    (await send(cookie, ownOrigin)).status,
    (await send(cookie, protocols(user))).status,
  ];
  await bare.stop();
  expect(statuses).toEqual([401, 200]);
  expect(bare.handled[0].headers.cookie).toBe(cookie.slice(8));
});

describe('decideUpgrade', () => {
  const limited = unsignedToken(
    'vnd.backstage.limited-user',
    claimsOf('user:default/a'),
  );
  const other = tokenOf('user:default/b');

  async function sessionsOf(offered: string, route: unknown) {
    const { plugin, services, tokens } = createVerification(ISSUER);
    for (const token of [user, limited, other]) {
      const userEntityRef = token === other ? 'user:default/b' : SUB;
      tokens.set(token, { type: 'user', userEntityRef });
    }
    tokens.set('static', { type: 'service', subject: 'external:ci' });
    const request = {
      req: { headers: { 'sec-websocket-protocol': offered }, rawHeaders: [] },
      plugin: { ...plugin, started: () => undefined },
      policy: { config: { issuers: [] } },
      route,
      forwarded: {},
    };
    const { sessions } = await decideUpgrade(
      request as never,
      {
        ...services,
        observer: { verified: () => {}, externalTokenUsed: () => {} },
        revocations: { isLoaded: true, isRevoked: () => false },
      } as never,
    );
    return sessions.map(({ sub }) => sub);
  }

  it.each([
    ['a user', user, 'protected', [SUB]],
    ['a service', 'static', 'protected', []],
    ['a user after a limited token', `${limited},${user}`, 'protected', [SUB]],
    ['no token', 'graphql-ws', {}, []],
    ['a user and another protocol', `${user},graphql-ws`, {}, [SUB]],
    ['two users', `${user},${other}`, {}, [SUB, 'user:default/b']],
  ])(
    'returns the sessions that the socket ends with: %s',
    async (_, offered, route, expected) => {
      expect(await sessionsOf(offered, route)).toEqual(expected);
    },
  );
});
