import { NotAllowedError } from '@backstage/errors';
import {
  createGateServices,
  ISSUER,
} from '../../__tests__/__testUtils__/createGateServices';
import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import type { GateRequest } from '../read/GateRequest';
import {
  refuseLimitedTokens,
  assertPublicTokensHarmless,
  removeRevokedUserCookie,
  verifyPublicToken,
} from './publicTokens';

const NOW = Math.floor(Date.now() / 1000);
const ended = { sub: 'user:default/ended', iat: NOW, exp: NOW + 3600 };
const alive = { ...ended, sub: 'user:default/live' };

const tokenOf = (claims: object, typ = 'vnd.backstage.user') =>
  unsignedToken(typ, { iss: ISSUER, ...claims });
const full = tokenOf(ended);
const limited = tokenOf(ended, 'vnd.backstage.limited-user');
const acting = unsignedToken('vnd.backstage.plugin', {
  sub: 'search',
  obo: limited,
});
const live = tokenOf(alive);
const elsewhere = { iss: 'https://staging.example.com/api/auth' };
const foreign = tokenOf({ ...ended, ...elsewhere });

const rule = { plugin: 'hello', path: '/x', methods: ['GET'] };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const cookie = (token: string) => ({ cookie: `a=1; backstage-auth=${token}` });

function create() {
  const gate = createGateServices();
  const principal = { type: 'user', userEntityRef: ended.sub };
  gate.tokens = new Map<string, object | Error>([
    [full, principal],
    [limited, principal],
    [acting, { ...principal, actor: { subject: 'plugin:search' } }],
    [live, { type: 'user', userEntityRef: alive.sub }],
    [foreign, principal],
  ]);
  const revocations = {
    isRevoked: ({ sub }: { sub: string }) => sub === ended.sub,
    isLocked: () => false,
    isLoaded: true,
  };
  gate.services.revocations = revocations as never;
  const requestWith = (headers: object) =>
    ({
      req: { headers },
      plugin: gate.plugins.installed('hello'),
      policy: gate.services.source.current,
      services: gate.services,
      forwarded: {},
      places: { isBound: false },
    }) as unknown as GateRequest;
  return {
    gate,
    revocations,
    requestWith,
    /** Returns the refusal of a request with a bearer token. */
    find: (token: string) =>
      assertPublicTokensHarmless(requestWith(bearer(token))).then(
        () => undefined,
        error => error,
      ),
  };
}

describe('[P10] assertPublicTokensHarmless', () => {
  it.each([
    ['the full token', full],
    ['the limited token', limited],
    ['a service that acts for the user', acting],
  ])('refuses %s of a revoked session', async (_, token) => {
    expect(await create().find(token)).toMatchObject({
      reason: 'revoked',
      subject: ended.sub,
    });
  });

  it('passes a forged token of a new key, whatever the session that it claims', async () => {
    const { find, gate } = create();
    gate.tokens.clear();
    gate.isKeyNew = true;
    expect([await find(full), await find(live)]).toEqual([
      undefined,
      undefined,
    ]);
  });

  it.each([
    ['no JWT', 'static'],
    ['no JWT, with other characters', 'static=='],
    [
      'a service, with other characters',
      `${unsignedToken('vnd.backstage.plugin', { sub: 'search' })}==`,
    ],
    ['a session that is not revoked', live],
  ])('passes %s, and does not verify it', async (_, token) => {
    const { find, gate } = create();
    expect(await find(token)).toBeUndefined();
    expect(gate.asked).toEqual([]);
  });

  it.each([
    ['is forged', new Error('Forged')],
    ['is restricted to other plugins', new NotAllowedError('Not here')],
  ])('passes a token of the session that %s', async (_, error) => {
    const { find, gate } = create();
    gate.tokens.set(full, error);
    expect(await find(full)).toBeUndefined();
  });

  it.each([
    ['a revoked session', full],
    ['a session that is not revoked', live],
    ['a limited token', limited],
    ['a service that acts for the user', acting],
  ])(
    'refuses other characters behind %s, whatever the session',
    async (_, token) => {
      const { find, gate } = create();
      const refusal = await find(`${token}==`);
      expect([refusal.reason, refusal.detail, refusal.subject]).toEqual([
        'invalid-token',
        'malformed',
        undefined,
      ]);
      expect(gate.asked).toEqual([]);
    },
  );

  it('refuses a token without `iat` if it verifies, since it belongs to no session', async () => {
    const { find, gate } = create();
    const token = tokenOf(
      { ...alive, aud: 'backstage', iat: undefined },
      'JWT',
    );
    expect(await find(token)).toBeUndefined();
    const other = create();
    other.gate.tokens.set(token, gate.tokens.get(live)!);
    expect(await other.find(token)).toMatchObject({ reason: 'invalid-token' });
  });

  it('[P6] refuses a user of another deployment that has the same keys', async () => {
    expect(await create().find(foreign)).toMatchObject({
      reason: 'untrusted-issuer',
      subject: ended.sub,
    });
  });

  it('passes a user of another deployment that has other keys', async () => {
    const { find, gate } = create();
    gate.tokens.delete(foreign);
    expect(await find(foreign)).toBeUndefined();
  });

  it('[P7] refuses any session with 503 while the list is not loaded', async () => {
    const { find, gate, revocations } = create();
    revocations.isLoaded = false;
    expect(await find(live)).toMatchObject({
      reason: 'revocations-unavailable',
    });
    expect(await find(full)).toMatchObject({ reason: 'revoked' });
    expect(await find('static')).toBeUndefined();
    gate.tokens.clear();
    expect(await find(live)).toBeUndefined();
  });

  it('passes a session if the list is loaded while the token is verified', async () => {
    const { requestWith, revocations } = create();
    revocations.isLoaded = false;
    const judged = verifyPublicToken(live, requestWith({}));
    revocations.isLoaded = true;
    expect(await judged).toEqual(alive);
  });

  it('passes another system’s token while this one has no keys', async () => {
    const { find, gate, revocations } = create();
    gate.tokens.clear();
    gate.hasKeys = false;
    const token = tokenOf({ ...alive, ...elsewhere });
    expect(await find(token)).toBeUndefined();
    revocations.isLoaded = false;
    expect(await find(token)).toMatchObject({ reason: 'keys-unavailable' });
  });

  it('verifies no token of a service that acts for no user', async () => {
    const { gate, requestWith } = create();
    expect(await verifyPublicToken('static', requestWith({}))).toBeUndefined();
    expect(gate.asked).toEqual([]);
  });

  it('rejects with an unexpected error, whatever properties that has', async () => {
    const { find, gate } = create();
    const error = Object.assign(new Error('unexpected'), { isFinal: true });
    gate.starting.set('auth', Promise.reject(error));
    expect(await find(full)).toBe(error);
  });
});

it.each([
  ['enforce', live, 'removed'],
  ['report-only', live, undefined],
  ['report-only', limited, 'removed'],
] as const)(
  '[P97] while the list is not loaded, in %s, a cookie is forwarded as it should: %#',
  async (mode, token, userCookie) => {
    const { gate, requestWith, revocations } = create();
    revocations.isLoaded = false;
    gate.policy.mode = mode;
    const request = requestWith(cookie(token));
    await removeRevokedUserCookie(request);
    expect(request.forwarded.userCookie).toBe(userCookie);
  },
);

describe.each([
  ['removeRevokedUserCookie', removeRevokedUserCookie],
  ['assertPublicTokensHarmless', assertPublicTokensHarmless],
])('%s', (_, check) => {
  it.each([
    ['no cookie', {}, undefined],
    ['a cookie of another session', cookie(live), undefined],
    ['a cookie that is forged', cookie(tokenOf({ ...ended, x: 1 })), undefined],
    ['a cookie that is no JWT', cookie('x'), undefined],
    ['the cookie of a revoked session', cookie(limited), 'removed'],
    [
      'the cookie of a revoked session beside another bearer',
      { ...cookie(limited), ...bearer(live) },
      'removed',
    ],
    [
      'two cookies, which a handler may read in another way',
      { cookie: 'backstage-auth=x; backstage-auth=y' },
      'removed',
    ],
  ])('forwards %s as it should', async (__, headers, userCookie) => {
    const request = create().requestWith(headers);
    await check(request);
    expect(request.forwarded).toEqual(userCookie ? { userCookie } : {});
  });

  it('removes a cookie that may be of a revoked session while keys can not be had, and refuses such a bearer', async () => {
    const { find, gate, requestWith } = create();
    gate.tokens.clear();
    gate.hasKeys = false;
    const request = requestWith(cookie(full));
    await check(request);
    expect(request.forwarded).toEqual({ userCookie: 'removed' });
    expect(await find(full)).toMatchObject({ reason: 'keys-unavailable' });
  });
});

describe('[P82] refuseLimitedTokens', () => {
  const limit = { subject: 'ci', only: [rule] };

  /** Returns what comes of a token in a request to `/y`, which the limit excludes. */
  async function refuse(headers: object, change: object = {}) {
    const { gate, requestWith } = create();
    gate.policy = { tokens: [limit] };
    gate.tokens.set('static', { type: 'service', subject: 'ci' });
    gate.tokens.set('other', { type: 'service', subject: 'plugin:search' });
    const request = Object.assign(requestWith(headers), {
      ...{ isUpgrade: false, method: 'GET', path: '/y', pluginId: 'hello' },
      ...change,
    });
    const sessions = await refuseLimitedTokens(request).catch(error => error);
    return { asked: gate.asked, sessions };
  }
  const restricted = { reason: 'restricted', detail: 'only', subject: 'ci' };
  const protocols = { 'sec-websocket-protocol': 'static, other' };

  it('refuses a request that the limits of the token exclude', async () => {
    const { sessions } = await refuse(bearer('static'));
    expect(sessions).toMatchObject(restricted);
  });

  it('passes a request that they allow, until they end', async () => {
    const { sessions } = await refuse(bearer('static'), { path: '/x' });
    expect(sessions.map((end: () => number) => end())).toEqual([Infinity]);
  });

  it('refuses a limited token in the protocols of an upgrade, and of no other request', async () => {
    const upgrade = await refuse(protocols, { isUpgrade: true });
    expect(upgrade.sessions).toMatchObject(restricted);
    const other = await refuse(protocols);
    expect(other).toEqual({ asked: [], sessions: [] });
  });

  it.each([
    ['a user', live, []],
    ['a plugin', unsignedToken('vnd.backstage.plugin', { sub: 'search' }), []],
    ['nobody', '', []],
    ['another service, which has no end', 'other', ['hello']],
    ['another system, which does not verify', 'unknown', ['hello']],
  ])('passes a token of %s', async (_, token, asked) => {
    const headers = token ? bearer(token) : {};
    expect(await refuse(headers)).toEqual({ asked, sessions: [] });
  });

  it('verifies no token while none is limited', async () => {
    const { gate, requestWith } = create();
    const request = requestWith(bearer('static'));
    expect(await refuseLimitedTokens(request)).toEqual([]);
    expect(gate.asked).toEqual([]);
  });

  it('rejects with an unexpected error', async () => {
    const { gate, requestWith } = create();
    gate.policy = { tokens: [limit] };
    const error = new Error('unexpected');
    gate.services.keyEndpoints.assertCallerKnown = () => Promise.reject(error);
    const request = requestWith(bearer('static'));
    await expect(refuseLimitedTokens(request)).rejects.toBe(error);
  });
});
