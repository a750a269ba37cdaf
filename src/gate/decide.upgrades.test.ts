import { NotAllowedError } from '@backstage/errors';
import {
  createUpgradeServices,
  sessionOf,
  upgradeRequest,
  userTokenOf,
} from '../__tests__/__testUtils__/upgradeServices';
import { unsignedToken } from '../__tests__/__testUtils__/unsignedToken';

const A = 'user:default/a';
const B = 'user:default/b';
const ENDED = 'user:default/ended';
const [user, other, ended] = [A, B, ENDED].map(userTokenOf);
const claimsOf = (sub: string, more: object = {}) => ({
  iss: 'https://other',
  ...sessionOf(sub),
  ...more,
});
const foreign = unsignedToken('vnd.backstage.user', claimsOf(A));
const unknown = unsignedToken('vnd.backstage.user', claimsOf('user:x/y'));
const forged = unsignedToken('vnd.backstage.user', claimsOf(ENDED));
const expired = unsignedToken('vnd.backstage.user', claimsOf(A, { exp: 1 }));
const limitedOf = (sub: string) =>
  unsignedToken('vnd.backstage.limited-user', sessionOf(sub));
const cut = [ended.slice(0, -1), ended.slice(-1)];

const userOf = (userEntityRef: string) => ({ type: 'user', userEntityRef });
const TOKENS = {
  [user]: userOf(A),
  [limitedOf(A)]: userOf(A),
  [foreign]: userOf(A),
  [other]: userOf(B),
  [ended]: userOf(ENDED),
  [limitedOf(ENDED)]: userOf(ENDED),
  static: { type: 'service', subject: 'external:ci' },
  plugin: { type: 'service', subject: 'plugin:search' },
  restricted: new NotAllowedError('Not for this plugin'),
};

const offer = (...tokens: string[]) => ({
  'sec-websocket-protocol': tokens.join(', '),
});
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const cookie = { cookie: `a=1; token=${user}` };
const ownCookie = { ...cookie, origin: 'https://backstage.example.com' };
const rule = { plugin: 'live', path: '/ws', methods: ['WEBSOCKET'] };

/** Sends an upgrade to the gate. */
async function upgrade(
  headers: Record<string, string>,
  { allow = [] as (typeof rule)[], prepare = (_: Gate) => {} } = {},
) {
  const gate = createUpgradeServices({
    tokens: TOKENS,
    policy: { allow, audit: { clientAddress: false } },
    revoked: [ENDED],
  });
  prepare(gate);
  const req = upgradeRequest(headers);
  const { admitted, answer: text } = await gate.admit(req);
  const status = admitted ? 101 : Number(text.split(' ')[1]);
  const sessions = gate.track.mock.calls.map(([, session]: any[]) =>
    typeof session === 'function' ? 'the configuration' : session.sub,
  );
  const { decision } = gate.decided[0];
  return {
    decision,
    req: req as typeof req & { user?: object },
    sessions,
    status,
    told: gate.told,
  };
}

type Gate = ReturnType<typeof createUpgradeServices>;

describe('an upgrade', () => {
  it.each<[string, Record<string, string>, [number, string, string]]>([
    ['nothing', {}, [401, 'missing-credentials', 'none']],
    ['a protocol', offer(user), [101, 'bearer', 'bearer']],
    ['the second protocol', offer('x', user), [101, 'bearer', 'bearer']],
    ['a bearer', bearer(user), [101, 'bearer', 'bearer']],
    [
      'a bearer behind a protocol',
      { ...offer('x'), ...bearer('static') },
      [101, 'bearer', 'bearer'],
    ],
    ['the cookie', ownCookie, [101, 'cookie', 'cookie']],
    [
      'the cookie behind a protocol',
      { ...offer('graphql-ws'), ...ownCookie },
      [101, 'cookie', 'cookie'],
    ],
    ['another site’s cookie', cookie, [403, 'cross-site', 'cookie']],
    [
      'a protocol beside another site’s cookie',
      { ...offer('static'), ...cookie },
      [101, 'bearer', 'bearer'],
    ],
    ['none that verifies', offer('x', 'y'), [401, 'invalid-token', 'bearer']],
    // A refusal that may be different at another moment or plugin comes before a final one.
    [
      'one that fails and another site’s cookie',
      { ...offer('x'), ...cookie },
      [403, 'cross-site', 'cookie'],
    ],
    [
      'a restricted one first',
      offer('restricted', 'x'),
      [403, 'restricted', 'bearer'],
    ],
    [
      'a restricted one last',
      offer('x', 'restricted'),
      [403, 'restricted', 'bearer'],
    ],
    // Else the last one is told.
    [
      'a foreign one last',
      offer('x', foreign),
      [401, 'untrusted-issuer', 'bearer'],
    ],
    [
      'a foreign one first',
      offer(foreign, 'x'),
      [401, 'invalid-token', 'bearer'],
    ],
    [
      'a foreign one in the middle',
      offer('x', foreign, 'y'),
      [401, 'invalid-token', 'bearer'],
    ],
    // The first token that verifies decides who the caller is.
    ['an ended session first', offer(ended, user), [401, 'revoked', 'bearer']],
    ['an ended session last', offer(user, ended), [101, 'bearer', 'bearer']],
    // A listener may take the whole header as one token, and Backstage may skip the comma.
    [
      'an ended session that a comma cuts',
      { ...offer(...cut), ...bearer('static') },
      [401, 'invalid-token', 'bearer'],
    ],
    [
      'an ended session with another character behind it',
      { ...offer(`${ended}%`), ...bearer('static') },
      [401, 'invalid-token', 'bearer'],
    ],
    [
      'a user of another deployment beside a service',
      { ...offer(foreign), ...bearer('static') },
      [401, 'untrusted-issuer', 'bearer'],
    ],
    [
      'a forged token beside a service',
      { ...offer(forged), ...bearer('static') },
      [101, 'bearer', 'bearer'],
    ],
    ['an expired token first', offer(expired, user), [101, 'bearer', 'bearer']],
  ])('is decided by %s', async (_, headers, expected) => {
    const { decision, status } = await upgrade(headers);
    const { reason, credential } = decision;
    expect([status, reason, credential]).toEqual(expected);
  });

  // Handlers read `Authorization`, and Backstage's own cookie where it is missing. Neither may be of another session.
  it.each([
    [
      'a bearer of an ended session',
      { ...offer(user), ...bearer(ended) },
      `Bearer ${user}`,
      undefined,
    ],
    [
      'a bearer of another deployment',
      { ...offer('static'), ...bearer(foreign) },
      'Bearer static',
      undefined,
    ],
    [
      'Backstage’s own cookie of an ended session',
      { ...offer(user), cookie: `a=1; backstage-auth=${ended}` },
      undefined,
      'a=1',
    ],
  ])(
    '[P5] that a protocol authenticates goes on without %s',
    async (_, headers, authorization, others) => {
      const { req, status } = await upgrade(headers);
      expect(status).toBe(101);
      expect(req.headers.authorization).toBe(authorization);
      expect(req.headers.cookie).toBe(others);
    },
  );

  it.each([
    ['a cookie', ownCookie, `Bearer ${user}`],
    ['a protocol', { ...offer(user), ...cookie }, undefined],
    ['a bearer', { ...bearer(user), ...cookie }, `Bearer ${user}`],
  ])(
    'goes on with the token of %s, and without the cookie',
    async (_, headers, authorization) => {
      const { req } = await upgrade(headers);
      expect(req.headers.authorization).toBe(authorization);
      expect(req.headers.cookie).toBe('a=1');
      expect(req.user).toMatchObject({ token: user });
    },
  );

  it.each([
    ['a user', offer(user), [], [A]],
    ['the cookie', ownCookie, [], [A]],
    ['a plugin', offer('plugin'), [], []],
    ['an external token', offer('static'), [], ['the configuration']],
    ['a user after a limited token', offer(limitedOf(A), user), [], [A]],
    ['nothing, under a rule', {}, [rule], []],
    ['no token, under a rule', offer('graphql-ws'), [rule], []],
    [
      'a user and another protocol, under a rule',
      offer(user, 'x'),
      [rule],
      [A],
    ],
    ['a limited token, under a rule', offer(limitedOf(A)), [rule], [A]],
    ['two users, under a rule', offer(user, other), [rule], [A, B]],
  ])('ends with the sessions of %s', async (_, headers, allow, expected) => {
    // A deny rule that a reload adds ends each one.
    expect((await upgrade(headers, { allow })).sessions).toEqual([
      ...expected,
      'the configuration',
    ]);
  });

  it('has each verification timed, in seconds', async () => {
    const { told } = await upgrade(offer('x', user));
    expect(told).toHaveLength(2);
    for (const [what, seconds] of told as [string, number][]) {
      expect(what).toBe('verified');
      expect(seconds).toBeGreaterThanOrEqual(0);
      expect(seconds).toBeLessThan(5);
    }
  });

  it('tries no other token after an unexpected error', async () => {
    const assertCallerKnown = jest.fn().mockRejectedValue(new TypeError('no'));
    const { decision, status } = await upgrade(offer('x', user), {
      prepare: ({ services }) =>
        Object.assign(services.keyEndpoints, { assertCallerKnown }),
    });
    expect([status, decision.reason]).toEqual([503, 'failed']);
    expect(assertCallerKnown).toHaveBeenCalledTimes(1);
  });

  it('keeps its cookie where the gate has none, which reads it no more', async () => {
    const prepare = ({ services }: Gate) => {
      services.cookie = undefined;
    };
    expect((await upgrade(ownCookie, { prepare })).status).toBe(401);
    const headers = { ...offer(user), ...cookie };
    const { req, status } = await upgrade(headers, { prepare });
    expect([status, req.headers.cookie]).toEqual([101, cookie.cookie]);
  });
});

describe('an upgrade that a rule opens', () => {
  const five = ['1', '2', '3', '4', '5'];

  it.each([
    ['nothing', {}, true],
    ['a protocol that is no token', offer('graphql-ws'), true],
    ['as many protocols as are tried', offer(...five), true],
    ['a protocol that is a token', offer('graphql-ws', user), false],
    ['a bearer', bearer(user), false],
    ['a token that does not verify', bearer(unknown), false],
    ['an expired token first', offer(expired, 'graphql-ws'), false],
    ['another site’s cookie', cookie, false],
    ['a forged token of a revoked session', offer(forged), false],
  ])(
    'passes with %s, and is anonymous: %j %s',
    async (_, headers, isAnonymous) => {
      const { decision } = await upgrade(headers, { allow: [rule] });
      expect(decision).toEqual({
        plugin: 'live',
        outcome: 'passed',
        reason: 'allow-rule',
        credential: 'none',
        isAnonymous,
        rule,
      });
    },
  );

  it.each([
    ['a bearer of a revoked session', bearer(ended), 'revoked', ENDED],
    ['a protocol of a revoked session', offer('x', ended), 'revoked', ENDED],
    [
      'a bearer of a revoked session beside a protocol',
      { ...offer(user), ...bearer(ended) },
      'revoked',
      ENDED,
    ],
    [
      'a bearer of another deployment that has the same keys',
      bearer(foreign),
      'untrusted-issuer',
      A,
    ],
    [
      'a token of an ended session that a comma cuts',
      offer(...cut),
      'invalid-token',
      undefined,
    ],
    [
      'more tokens than are tried',
      { ...offer(...five), ...bearer(user) },
      'too-many-tokens',
      undefined,
    ],
  ])('is refused with %s', async (_, headers, reason, subject) => {
    const { decision, status } = await upgrade(headers, { allow: [rule] });
    expect(status).toBe(401);
    expect(decision).toMatchObject({
      outcome: 'refused',
      reason,
      credential: 'none',
    });
    expect(decision.subject).toBe(subject);
    expect(decision.detail).toBe(
      reason === 'invalid-token' ? 'malformed' : undefined,
    );
  });

  it('[P10] goes on without Backstage’s own cookie of a revoked session', async () => {
    for (const [sub, left] of [
      [ENDED, 'a=1'],
      [A, `a=1; backstage-auth=${limitedOf(A)}`],
    ]) {
      const headers = { cookie: `a=1; backstage-auth=${limitedOf(sub)}` };
      const { req, status } = await upgrade(headers, { allow: [rule] });
      expect([status, req.headers.cookie]).toEqual([101, left]);
    }
  });
});
