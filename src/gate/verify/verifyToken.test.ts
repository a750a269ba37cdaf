import type { TokenKind } from '../Decision';
import {
  AuthenticationError,
  NotAllowedError,
  ServiceUnavailableError,
} from '@backstage/errors';
import type { Request } from 'express';
import {
  createGateServices,
  ISSUER,
} from '../../__tests__/__testUtils__/createGateServices';
import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import type { KeyAnswer } from './fetchKeyIds';
import { KeyEndpoints } from './KeyEndpoints';
import { DecodedToken, decodeToken, Token } from '../read/token';
import { TokenCache } from './TokenCache';
import { Refusal } from '../Refusal';
import { IssuerClock } from '../../store/revocations/IssuerClock';
import type { VerifiedToken } from '../judge/findRefused';
import { run } from './steps';
import { findSessionRefusal, verifyToken } from './verifyToken';

const NOW = Math.floor(Date.now() / 1000);
const session = { sub: 'user:default/a', iat: NOW, exp: NOW + 3600 };
const user = unsignedToken('vnd.backstage.user', { ...session, iss: ISSUER });
const limited = unsignedToken('vnd.backstage.limited-user', session);
const ofService = { sub: 'search', aud: 'catalog' };
const service = unsignedToken('vnd.backstage.plugin', ofService);
const onBehalf = unsignedToken('vnd.backstage.plugin', {
  ...ofService,
  obo: limited,
});

/** Creates a verifier with a backend whose services return the given results. */
function create(
  options: {
    /** The result of `httpAuth`. */
    credentials?: () => object;
    /** The principal that `httpAuth` has remembered for each token. */
    remembered?: object;
    keys?: Record<string, KeyAnswer>;
    issuers?: string[];
    known?: () => Promise<void>;
    tokens?: object[];
    /** The start of the plugin that has the keys of users. Default: it is up. */
    userKeysStarted?: () => Promise<void>;
  } = {},
) {
  const { issuers = [], keys = {}, tokens = [], userKeysStarted } = options;
  const calls: { req: Request; options: object }[] = [];
  const askedKeys: string[] = [];
  const steps: string[] = [];
  const keyEndpoints = new KeyEndpoints(
    {
      logger: { warn: () => {} } as never,
      isKnown: async () => true,
      plugins: createGateServices().plugins,
    },
    async url => {
      askedKeys.push(url);
      return url in keys ? keys[url] : ['key'];
    },
  );
  const gate = createGateServices({
    replaced: {
      keyEndpoints: Object.assign(keyEndpoints, {
        assertCallerKnown: async (decoded: DecodedToken | undefined) => {
          steps.push(`known ${decoded?.sub}`);
          await options.known?.();
        },
      }),
      tokens: new TokenCache({ ttlMs: 30_000 }),
    },
  });
  gate.policy = { issuers, tokens } as never;
  jest.spyOn(gate.plugins, 'userKeysPlugin').mockReturnValue({
    isUp: () => false,
    started: async () => {
      steps.push('user keys');
      await userKeysStarted?.();
    },
  } as never);
  const { services } = gate;

  const req = { headers: {} } as Request;
  const requestFor = (pluginId: string) => ({
    req,
    plugin: {
      id: pluginId,
      httpAuthFor: (decoded: DecodedToken | undefined) => {
        steps.push(`httpAuth for ${decoded?.sub}`);
        return {
          recall: () => options.remembered && { principal: options.remembered },
          credentials: async (ofReq: Request, ofOptions: object) => {
            calls.push({ req: ofReq, options: ofOptions });
            return (
              options.credentials?.() ?? {
                principal: { type: 'service', subject: 'x' },
              }
            );
          },
        } as never;
      },
    },
    policy: services.source.current,
    services,
    method: 'GET',
    path: '/y',
    pluginId,
  });
  return {
    askedKeys,
    calls,
    req,
    services,
    steps,
    tokens: services.tokens,
    verify: async (
      token: string,
      kind: TokenKind = 'bearer',
      pluginId = 'catalog',
    ) =>
      run(verifyToken(requestFor(pluginId), kind, services.tokens.read(token))),
  };
}

const fails = (error: Error) => ({
  credentials: () => {
    throw error;
  },
});
const notValid = fails(new AuthenticationError('no'));
const principal = { type: 'user', userEntityRef: session.sub };
const actor = { principal: { ...principal, actor: { subject: 'search' } } };

describe('verifyToken', () => {
  it('follows the clock and the keys of the issuer by a token that has verified, and by no other', async () => {
    const claims = { ...session, iss: ISSUER, iat: NOW + 60 };
    const ahead = unsignedToken('vnd.backstage.user', claims, 'key');
    const issuerClock = new IssuerClock();
    const forged = create(notValid);
    forged.services.issuerClock = issuerClock;
    expect(await forged.verify(ahead)).toBe(
      Refusal.because('invalid-token', 'signature'),
    );
    expect(issuerClock.now()).toBeLessThan(NOW + 50);
    const { askedKeys, services, verify } = create({
      credentials: () => ({ principal }),
    });
    services.issuerClock = issuerClock;
    await verify(ahead);
    expect(issuerClock.now()).toBeGreaterThan(NOW + 50);
    await new Promise(setImmediate);
    expect(askedKeys).toEqual([
      expect.stringMatching(/\/auth\/\.well-known\/jwks\.json$/),
    ]);
  });

  it.each([
    ['a user', user, decodeToken(user)],
    ['a limited token', limited, decodeToken(limited)],
    ['a service', service, undefined],
    ['a service that acts for a user', onBehalf, decodeToken(limited)],
    ['a static token', 'static', undefined],
    ['a static token with other characters', 'static==', undefined],
  ])('returns the user token of %s', async (_, token, userToken) => {
    const credentials = { principal: { type: 'service', subject: 'x' } };
    const { verify } = create({ credentials: () => credentials });
    const verified = (await verify(token)) as VerifiedToken;
    expect(verified.credentials).toBe(credentials);
    expect(verified.token.text).toBe(token);
    expect(verified.token.claims).toEqual(decodeToken(token));
    expect(verified.token.userToken).toEqual(userToken);
  });

  it.each([
    [
      'another user',
      unsignedToken('vnd.backstage.user', {
        ...session,
        sub: 'user:default/eve',
      }),
    ],
    ['no user', service],
    ['nobody', 'static'],
  ])('refuses a user if the token is of %s', async (_, token) => {
    const { verify } = create({ credentials: () => ({ principal }) });
    expect(await verify(token)).toBe(Refusal.because('invalid-token'));
  });

  it.each([
    ['bearer', user, ['user', 'service']],
    ['user-cookie', limited, ['user']],
    ['cookie', user, ['user']],
  ] as const)('authenticates a %s', async (kind, token, allow) => {
    const { calls, req, verify } = create({
      credentials: () => ({ principal }),
    });
    const headers =
      kind === 'user-cookie'
        ? { cookie: `backstage-auth=${token}` }
        : { authorization: `Bearer ${token}` };
    Object.assign(req, { headers: kind === 'bearer' ? headers : {} });
    await verify(token, kind);
    const [call] = calls;
    const allowLimitedAccess = kind === 'user-cookie';
    expect(call.options).toEqual({ allow, allowLimitedAccess });
    // `httpAuth` keeps the result at its request: the request does not present a cookie as its own token.
    expect(call.req === req).toBe(kind === 'bearer');
    expect(call.req.headers).toEqual(headers);
  });

  it.each(['cookie', 'user-cookie'] as const)(
    'accepts no %s by which a service acts for a user',
    async kind => {
      const { verify } = create({ credentials: () => actor });
      expect(await verify(user, kind)).toBe(
        Refusal.because('invalid-token', 'signature'),
      );
    },
  );

  it.each([
    ['bearer', user, principal],
    ['bearer', onBehalf, actor.principal],
    ['bearer', 'static', { type: 'service', subject: 'ci' }],
    ['cookie', user, principal],
  ] as const)(
    'does not authenticate a %s again that is remembered: %#',
    async (kind, token, remembered) => {
      const { calls, verify } = create({ remembered });
      const verified = (await verify(token, kind)) as VerifiedToken;
      expect(verified.credentials.principal).toBe(remembered);
      expect(calls).toEqual([]);
    },
  );

  it('authenticates Backstage’s own cookie each time, which gives limited access', async () => {
    const { calls, verify } = create({
      credentials: () => ({ principal }),
      remembered: principal,
    });
    await verify(limited, 'user-cookie');
    expect(calls).toHaveLength(1);
  });

  it.each([
    ['a service that acts for the user', 'cookie', user, actor.principal],
    ['a service', 'cookie', 'static', { type: 'service', subject: 'ci' }],
    // A custom `httpAuth` may return others than the gate asks for.
    ['nobody', 'bearer', 'static', { type: 'none' }],
    ['something unknown', 'bearer', 'static', { type: 'unknown' }],
    [
      'another user',
      'bearer',
      user,
      { ...principal, userEntityRef: 'user:default/eve' },
    ],
  ] as const)(
    'refuses the principal of %s for a %s, remembered or not',
    async (_, kind, token, of) => {
      for (const options of [
        { remembered: of },
        { credentials: () => ({ principal: of }) },
      ]) {
        expect(await create(options).verify(token, kind)).toMatchObject({
          reason: 'invalid-token',
        });
      }
    },
  );

  it.each([
    ['AuthenticationError', new AuthenticationError('no')],
    ['an error that is none of Backstage', new TypeError('no')],
    ['what is no error', 'no' as never],
    ['nothing', undefined as never],
  ])('is 401 for %s', async (_, error) => {
    const { verify } = create(fails(error));
    expect(await verify(user)).toBe(
      Refusal.because('invalid-token', 'signature'),
    );
    expect(await verify('static')).toBe(
      Refusal.because('invalid-token', 'malformed'),
    );
  });

  it('is 403 for a restricted bearer token, with the message of the service', async () => {
    const { askedKeys, verify } = create(
      fails(new NotAllowedError('not here')),
    );
    expect(await verify('static')).toMatchObject({
      reason: 'restricted',
      error: { name: 'NotAllowedError', message: 'not here' },
    });
    expect(await verify(user, 'cookie')).toBe(
      Refusal.because('invalid-token', 'signature'),
    );
    expect(askedKeys).toHaveLength(1);
  });

  it('verifies a token once that fails in a cookie, also if the plugin has accepted it as a bearer', async () => {
    const { calls, tokens, verify } = create();
    const credentials = { principal: { type: 'service' } } as never;
    const verdict = { key: 'catalog', credentials, keptUntil: Infinity };
    tokens.read(service).verdicts = [verdict];
    for (let i = 0; i < 2; i += 1) {
      expect(await verify(service, 'cookie')).toMatchObject({
        reason: 'invalid-token',
      });
    }
    expect(calls).toHaveLength(1);
  });

  it('verifies an invalid token again as another kind or for another plugin', async () => {
    const { calls, verify } = create(notValid);
    for (let i = 0; i < 3; i += 1) {
      expect(await verify(user)).toBe(
        Refusal.because('invalid-token', 'signature'),
      );
    }
    expect(calls).toHaveLength(1);
    await verify(user, 'cookie');
    await verify(user, 'bearer', 'search');
    await verify(limited);
    expect(calls).toHaveLength(4);
  });

  it.each([
    ['of any other error', fails(new ServiceUnavailableError('wait'))],
    ['of what is no error', fails('no' as never)],
    [
      'keys are out of reach',
      {
        ...notValid,
        keys: { 'http://backend/auth/.well-known/jwks.json': undefined },
      },
    ],
  ])('verifies again because %s', async (_, options) => {
    const { calls, verify } = create(options);
    await verify(user);
    await verify(user);
    expect(calls).toHaveLength(2);
  });

  it.each(['=', ',', '%', '+', ' ', '\u00e9'])(
    'does not verify a token that is followed by %j, which some verifiers skip',
    async junk => {
      const { calls, steps, verify } = create();
      for (const token of [user, service]) {
        const twin = `${token}${junk}`;
        expect(await verify(twin)).toBe(
          Refusal.because('invalid-token', 'malformed'),
        );
      }
      expect([calls, steps]).toEqual([[], []]);
    },
  );

  it('does not verify an expired token', async () => {
    const { calls, steps, verify } = create();
    const expired = unsignedToken('vnd.backstage.user', {
      ...session,
      exp: NOW - 1,
    });
    expect(await verify(expired)).toBe(
      Refusal.because('invalid-token', 'expired'),
    );
    expect([calls, steps]).toEqual([[], []]);
  });

  it.each([
    [
      user,
      ['known user:default/a', 'httpAuth for user:default/a', 'user keys'],
    ],
    [service, ['known search', 'httpAuth for search']],
    [onBehalf, ['known search', 'httpAuth for search', 'user keys']],
    ['static', ['known undefined', 'httpAuth for undefined']],
  ])(
    'waits for the caller and the keys that a token needs',
    async (token, expected) => {
      const { steps, verify } = create();
      await verify(token);
      expect(steps).toEqual(expected);
    },
  );

  it.each([
    [
      'the plugin that made it',
      {
        known: async () => {
          throw Refusal.because('keys-unavailable');
        },
      },
    ],
    [
      'the keys of users',
      {
        userKeysStarted: async () => {
          throw Refusal.because('keys-unavailable');
        },
      },
    ],
  ])('is not verified while it waits for %s', async (_, options) => {
    const { calls, verify } = create(options);
    expect(await verify(onBehalf)).toBe(Refusal.because('keys-unavailable'));
    expect(calls).toEqual([]);
  });

  const userKeys = 'http://backend/auth/.well-known/jwks.json';
  const serviceKeys = 'http://backend/search/.backstage/auth/v1/jwks.json';
  const KEY = 'key';

  it.each<[string, string, Record<string, KeyAnswer>, Refusal]>([
    [
      'a user',
      user,
      { [userKeys]: [KEY] },
      Refusal.because('invalid-token', 'signature'),
    ],
    ['a user', user, { [userKeys]: [] }, Refusal.because('keys-unavailable')],
    [
      'a user',
      user,
      { [userKeys]: 'not-found' },
      Refusal.because('keys-unavailable'),
    ],
    [
      'a user',
      user,
      { [userKeys]: undefined },
      Refusal.because('keys-unavailable'),
    ],
    [
      'a limited token',
      limited,
      { [userKeys]: [] },
      Refusal.because('keys-unavailable'),
    ],
    [
      'a service',
      service,
      { [serviceKeys]: [KEY] },
      Refusal.because('invalid-token', 'signature'),
    ],
    [
      'a service',
      service,
      { [serviceKeys]: [] },
      Refusal.because('invalid-token', 'unknown-key'),
    ],
    [
      'a service',
      service,
      { [serviceKeys]: 'not-found' },
      Refusal.because('keys-unavailable'),
    ],
    [
      'a service',
      service,
      { [serviceKeys]: undefined },
      Refusal.because('keys-unavailable'),
    ],
    [
      'a service for a user',
      onBehalf,
      { [userKeys]: [KEY], [serviceKeys]: [KEY] },
      Refusal.because('invalid-token', 'signature'),
    ],
    [
      'a service for a user',
      onBehalf,
      { [userKeys]: [KEY], [serviceKeys]: undefined },
      Refusal.because('keys-unavailable'),
    ],
    [
      'a static token',
      'static',
      {},
      Refusal.because('invalid-token', 'malformed'),
    ],
  ])('probes the keys when %s fails: %#', async (_, token, keys, refusal) => {
    const { askedKeys, verify } = create({ ...notValid, keys });
    expect(await verify(token)).toBe(refusal);
    expect(askedKeys).toEqual(Object.keys(keys));
  });

  const withKey = (kid: string, claims: object = {}) =>
    unsignedToken('vnd.backstage.user', { ...session, ...claims }, kid);
  const ofPlugin = (claims: object, kid = KEY) =>
    unsignedToken('vnd.backstage.plugin', { ...ofService, ...claims }, kid);

  it.each([
    ['text', 'malformed', 'static'],
    ['three parts that are no JWT', 'malformed', 'a.b.c'],
    ['a user token of a key of the endpoint', 'signature', withKey(KEY)],
    ['a user token of another key', 'unknown-key', withKey('other')],
    [
      'an expired token of another key',
      'expired',
      withKey('other', { exp: 1 }),
    ],
    ['a service token of a key of the endpoint', 'signature', ofPlugin({})],
    ['a service token of another key', 'unknown-key', ofPlugin({}, 'other')],
    ['a service token for another plugin', 'audience', ofPlugin({ aud: 'x' })],
    ['a service token for no plugin', 'audience', ofPlugin({ aud: [{}, 7] })],
    [
      'one for this plugin too',
      'signature',
      ofPlugin({ aud: ['x', 'Catalog'] }),
    ],
    [
      'a service token with a user token of another key',
      'unknown-key',
      ofPlugin({ obo: withKey('other') }),
    ],
    [
      'a service token with an expired user token',
      'expired',
      ofPlugin({ obo: withKey(KEY, { exp: 1 }) }),
    ],
    [
      'an expired token of another system',
      'expired',
      unsignedToken('JWT', { exp: 1 }),
    ],
    ['a token of another system', 'signature', unsignedToken('JWT', {})],
  ] as const)('refuses %s with the detail %s', async (_, detail, token) => {
    const keys = { [userKeys]: [KEY], [serviceKeys]: [KEY] };
    const { askedKeys, verify } = create({ ...notValid, keys });
    const refusal = await verify(token);
    expect(refusal).toBe(Refusal.because('invalid-token', detail));
    // The second time, the detail comes from the cache.
    expect(await verify(token)).toBe(refusal);
    expect(new Set(askedKeys).size).toBe(askedKeys.length);
  });

  const other = 'https://other/api/auth';
  const issuedBy = (iss: string | undefined) =>
    unsignedToken('vnd.backstage.user', { ...session, iss });

  it.each([
    ['of this backend', ISSUER, []],
    ['that is configured', other, ['x', other]],
  ])('trusts an issuer %s', async (_, issuer, issuers) => {
    const token = issuedBy(issuer);
    expect(await create({ issuers }).verify(token)).toMatchObject({
      token: { text: token },
    });
  });

  it.each([
    ['of another backend', other, ['x']],
    ['that is a part of this one', 'https://backstage.example.com', []],
    ['that is not there', undefined, ['x']],
  ])('trusts no issuer %s', async (_, issuer, issuers) => {
    const { verify } = create({ issuers });
    expect(await verify(issuedBy(issuer))).toMatchObject({
      reason: 'untrusted-issuer',
      subject: session.sub,
    });
  });

  it('remembers a verified token', async () => {
    const { tokens, verify } = create();
    const { token } = (await verify(user)) as VerifiedToken;
    tokens.read('another');
    expect(tokens.read(user)).toBe(token);
    await verify('static');
  });

  it('returns the token that the cache keeps, if its text was read again meanwhile', async () => {
    const gate = create({
      credentials: () => {
        gate.tokens.read('other');
        gate.tokens.remember(gate.tokens.read(user));
        return { principal };
      },
    });
    const { token } = (await gate.verify(user)) as VerifiedToken;
    gate.tokens.read('other');
    expect(token).toBe(gate.tokens.read(user));
  });

  it('remembers nothing of a token that has not verified', async () => {
    const { tokens, verify } = create(notValid);
    const token = tokens.read(user);
    await verify(user);
    tokens.read('another');
    expect(tokens.read(user)).not.toBe(token);
  });
});

describe('[P82] an external token', () => {
  const SUBJECTS = ['ci', 'a plugin:ci', 'plugin:ci', session.sub];
  const only = [{ plugin: 'hello', path: '/x', methods: ['GET'] }];
  const tokens = [
    ...SUBJECTS.map(subject => ({ subject, only })),
    { subject: 'ended', until: 1 },
  ];
  /** Verifies a token of a principal for a request that the limits of the subjects exclude. */
  const verifyAs = async (of: object, token = 'static') => {
    const { verify } = create({
      credentials: () => ({ principal: of }),
      tokens,
    });
    return (await verify(token)) as VerifiedToken;
  };

  it.each([
    ['ci', 'restricted', 'only'],
    ['a plugin:ci', 'restricted', 'only'],
    ['ended', 'token-ended', undefined],
  ])('of %s is excluded: %s', async (subject, reason, detail) => {
    const verified = await verifyAs({ type: 'service', subject });
    expect(verified.excluded).toBeInstanceOf(Refusal);
    expect(verified.excluded).toMatchObject({ reason, subject });
    expect(verified.excluded!.detail).toBe(detail);
    expect((verified.session as () => number)()).toBe(-Infinity);
  });

  it.each([
    ['a plugin', { type: 'service', subject: 'plugin:ci' }, service, []],
    ['a service without a subject', { type: 'service' }, 'static', []],
    // The list of revocations is not loaded.
    ['a user', principal, user, ['revocations-unavailable', session]],
  ])(
    'is not that of %s, whose session decides',
    async (_, of, token, expected) => {
      const verified = await verifyAs(of, token);
      const [reason, ofSocket] = expected;
      expect(verified.excluded?.reason).toBe(reason);
      expect(verified.session).toEqual(ofSocket);
    },
  );
});

it('excludes a user’s token by its session also if an httpAuth of the app’s own makes a service of the user', async () => {
  const of = { type: 'service', subject: 'external:x' };
  const { verify } = create({ credentials: () => ({ principal: of }) });
  // The list of revocations is not loaded.
  const { excluded } = (await verify(user)) as VerifiedToken;
  expect(excluded?.reason).toBe('revocations-unavailable');
});

describe('findSessionRefusal', () => {
  const ended = { ...session, sub: 'user:default/ended' };
  const locked = { ...session, sub: 'user:default/locked' };
  const find = (claims: object | undefined, isLoaded: boolean) => {
    const { services } = createGateServices({
      replaced: {
        revocations: {
          isLoaded,
          isRevoked: ({ sub }: { sub: string }) =>
            [ended.sub, locked.sub].includes(sub),
          isLocked: (sub: string) => sub === locked.sub,
        } as never,
      },
    });
    const text = claims
      ? unsignedToken('vnd.backstage.user', claims)
      : 'static';
    return findSessionRefusal(new Token(text), services);
  };

  it.each<[string, object | undefined, boolean, Refusal | undefined]>([
    ['a session', session, true, undefined],
    [
      'a session, with no list',
      session,
      false,
      Refusal.because('revocations-unavailable'),
    ],
    ['a service, with no list', undefined, false, undefined],
    [
      'no session',
      { sub: 'x' },
      true,
      Refusal.because('invalid-token', 'malformed'),
    ],
  ])('of %s', (_, claims, isLoaded, refusal) => {
    expect(find(claims, isLoaded)).toBe(refusal);
  });

  it.each([true, false])(
    'of a revoked session, and of a user who is locked out, has the subject, with the list loaded: %s',
    isLoaded => {
      expect(find(ended, isLoaded)).toMatchObject({
        reason: 'revoked',
        subject: ended.sub,
      });
      expect(find(locked, isLoaded)).toMatchObject({
        reason: 'locked',
        subject: locked.sub,
      });
    },
  );
});
