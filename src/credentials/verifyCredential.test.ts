import {
  AuthenticationError,
  NotAllowedError,
  ServiceUnavailableError,
} from '@backstage/errors';
import type { Request } from 'express';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import type { Policy } from '../policy/Policy';
import { Refusal } from '../decision/Refusal';
import { DecodedToken, decodeToken, Token } from './token';
import { KeyAnswer, KeyEndpoints } from './KeyEndpoints';
import { NegativeTokenCache } from './NegativeTokenCache';
import { OwnIssuer } from './OwnIssuer';
import { TokenCache } from './TokenCache';
import {
  PresentedToken,
  VerifiedCredential,
  verifyCredential,
  verifyTimed,
} from './verifyCredential';

const NOW = Math.floor(Date.now() / 1000);
const session = { sub: 'user:default/a', iat: NOW, exp: NOW + 3600 };
const OWN_ISSUER = 'https://backstage.example.com/api/auth';
const user = unsignedToken('vnd.backstage.user', {
  ...session,
  iss: OWN_ISSUER,
});
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
    keys?: Record<string, KeyAnswer>;
    issuers?: string[];
    known?: () => Promise<void>;
    userKeysStarted?: () => Promise<void>;
    /** The result of an `httpAuth` that can recall. */
    recall?: (req: Request, token: Token) => object | undefined;
  } = {},
) {
  const calls: { req: Request; options: object; pluginId: string }[] = [];
  const askedKeys: string[] = [];
  const steps: string[] = [];
  const tokens = new TokenCache({ ttlMs: 30_000 });
  const invalidTokens = new NegativeTokenCache();
  const plugins = {
    all: () => [],
    userKeysStarted: () => {
      steps.push('user keys');
      return options.userKeysStarted?.();
    },
    anyRegistered: () => ({
      discovery: {
        getBaseUrl: async (id: string) => `http://${id}`,
        getExternalBaseUrl: async (id: string) =>
          `https://backstage.example.com/api/${id}`,
      },
    }),
  } as never;
  const req = { headers: {} } as Request;
  const keyEndpoints = new KeyEndpoints({
    isKnown: async () => true,
    fetchKeyIds: async url => {
      askedKeys.push(url);
      return url in (options.keys ?? {}) ? options.keys![url] : ['key'];
    },
  });

  const ownIssuer = new OwnIssuer(plugins);

  const argumentsOf = (
    token: string,
    kind: PresentedToken['kind'] = 'bearer',
    pluginId = 'catalog',
  ) =>
    [
      req,
      {
        id: pluginId,
        httpAuthFor: (decoded: DecodedToken | undefined) => {
          steps.push(`httpAuth for ${decoded?.sub}`);
          const httpAuth = {
            ...(options.recall && { recall: options.recall }),
            credentials: async (ofReq: Request, ofOptions: object) => {
              calls.push({ req: ofReq, options: ofOptions, pluginId });
              return options.credentials?.() ?? { principal: {} };
            },
          } as never;
          return options.recall ? httpAuth : Promise.resolve(httpAuth);
        },
      },
      { kind, token },
      { config: { issuers: options.issuers ?? [] } } as unknown as Policy,
      {
        invalidTokens,
        ownIssuer,
        tokens,
        issuerClock: { observe: () => {} },
        keyEndpoints: {
          hasKeysOf: (...args: Parameters<KeyEndpoints['hasKeysOf']>) =>
            keyEndpoints.hasKeysOf(...args),
          observe: (...args: Parameters<KeyEndpoints['observe']>) =>
            keyEndpoints.observe(...args),
          assertCallerKnown: (
            decoded: DecodedToken | undefined,
            discovery: unknown,
          ) => {
            steps.push(`known ${decoded?.sub} by ${Boolean(discovery)}`);
            return options.known?.();
          },
        },
        plugins,
      },
    ] as const;
  const verifyNow = (...args: Parameters<typeof argumentsOf>) =>
    verifyCredential(...argumentsOf(...args));
  const verify = async (...args: Parameters<typeof argumentsOf>) =>
    verifyNow(...args);
  /** Verifies a token, and passes the time that it took to a function. */
  const time = async (
    token: string,
    verified: (seconds: number) => void,
    externalTokenUsed: (subject: string, pluginId: string) => void = () => {},
  ) => {
    const [of, plugin, presented, policy, services] = argumentsOf(token);
    const observer = { verified, externalTokenUsed };
    return verifyTimed(of, plugin, presented, policy, {
      ...services,
      observer,
    });
  };
  return {
    askedKeys,
    calls,
    req,
    steps,
    time,
    tokens,
    verify,
    verifyNow,
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

describe('verifyCredential', () => {
  it.each([
    ['a user', user, decodeToken(user)],
    ['a limited token', limited, decodeToken(limited)],
    ['a service', service, undefined],
    ['a service that acts for a user', onBehalf, decodeToken(limited)],
    ['a static token', 'static', undefined],
  ])('returns the user token of %s', async (_, token, userToken) => {
    const credentials = { principal: {} };
    const { verify } = create({ credentials: () => credentials });
    const verified = await verify(token);
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
    await expect(verify(token)).rejects.toBe(Refusal.invalidToken);
  });

  it('authenticates a bearer token on the request itself, for users and services', async () => {
    const { calls, req, verify } = create({ credentials: () => actor });
    await verify(user, 'bearer');
    expect(calls[0].req).toBe(req);
    expect(calls[0].options).toEqual({ allow: ['user', 'service'] });
  });

  it('authenticates Backstage’s own cookie on the request itself, with limited access', async () => {
    const { calls, req, verify } = create();
    await verify(limited, 'user-cookie');
    expect(calls[0].req).toBe(req);
    expect(calls[0].options).toEqual({
      allow: ['user'],
      allowLimitedAccess: true,
    });
  });

  it('authenticates a cookie on a substitute request, for users', async () => {
    const { calls, req, verify } = create();
    await verify(user, 'cookie');
    expect(calls[0].req).not.toBe(req);
    expect(calls[0].req).toEqual({
      headers: { authorization: `Bearer ${user}` },
    });
    expect(calls[0].options).toEqual({ allow: ['user'] });
  });

  it.each(['cookie', 'user-cookie'] as const)(
    'accepts no %s by which a service acts for a user',
    async kind => {
      const { verify } = create({ credentials: () => actor });
      await expect(verify(user, kind)).rejects.toBe(Refusal.invalid.signature);
    },
  );

  it.each([
    ['AuthenticationError', new AuthenticationError('no')],
    ['an error that is none of Backstage', new TypeError('no')],
    ['what is no error', 'no' as never],
    ['nothing', undefined as never],
  ])('is 401 for %s', async (_, error) => {
    const { verify } = create(fails(error));
    await expect(verify(user)).rejects.toBe(Refusal.invalid.signature);
    await expect(verify('static')).rejects.toBe(Refusal.invalid.malformed);
  });

  it('is 403 for a restricted bearer token, with the message of the service', async () => {
    const { askedKeys, verify } = create(
      fails(new NotAllowedError('not here')),
    );
    await expect(verify('static')).rejects.toMatchObject({
      reason: 'restricted',
      error: { name: 'NotAllowedError', message: 'not here' },
    });
    await expect(verify(user, 'cookie')).rejects.toBe(
      Refusal.invalid.signature,
    );
    expect(askedKeys).toHaveLength(1);
  });

  it('verifies an invalid token again as another kind or for another plugin', async () => {
    const { calls, verify } = create(notValid);
    for (let i = 0; i < 3; i += 1) {
      await expect(verify(user)).rejects.toBe(Refusal.invalid.signature);
    }
    expect(calls).toHaveLength(1);
    await expect(verify(user, 'cookie')).rejects.toThrow();
    await expect(verify(user, 'bearer', 'search')).rejects.toThrow();
    await expect(verify(limited)).rejects.toThrow();
    expect(calls).toHaveLength(4);
  });

  it.each([
    ['of any other error', fails(new ServiceUnavailableError('wait'))],
    ['of what is no error', fails('no' as never)],
    [
      'keys are out of reach',
      { ...notValid, keys: { 'http://auth/.well-known/jwks.json': undefined } },
    ],
  ])('verifies again because %s', async (_, options) => {
    const { calls, verify } = create(options);
    await expect(verify(user)).rejects.toThrow();
    await expect(verify(user)).rejects.toThrow();
    expect(calls).toHaveLength(2);
  });

  it.each(['=', ',', '%', '+', ' ', '\u00e9'])(
    'does not verify a token that is followed by %j, which some verifiers skip',
    async junk => {
      const { calls, steps, verify } = create();
      for (const token of [user, service]) {
        const twin = `${token}${junk}`;
        await expect(verify(twin)).rejects.toBe(Refusal.invalid.malformed);
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
    await expect(verify(expired)).rejects.toBe(Refusal.invalid.expired);
    expect([calls, steps]).toEqual([[], []]);
  });

  it.each([
    [
      user,
      [
        'known user:default/a by true',
        'user keys',
        'httpAuth for user:default/a',
      ],
    ],
    [service, ['known search by true', 'httpAuth for search']],
    [onBehalf, ['known search by true', 'user keys', 'httpAuth for search']],
    ['static', ['known undefined by true', 'httpAuth for undefined']],
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
          throw Refusal.keysUnavailable;
        },
      },
    ],
    [
      'the keys of users',
      {
        userKeysStarted: async () => {
          throw Refusal.keysUnavailable;
        },
      },
    ],
  ])('is not verified while it waits for %s', async (_, options) => {
    const { calls, verify } = create(options);
    await expect(verify(onBehalf)).rejects.toBe(Refusal.keysUnavailable);
    expect(calls).toEqual([]);
  });

  const userKeys = 'http://auth/.well-known/jwks.json';
  const serviceKeys = 'http://search/.backstage/auth/v1/jwks.json';
  const KEY = 'key';

  it.each<[string, string, Record<string, KeyAnswer>, Refusal]>([
    ['a user', user, { [userKeys]: [KEY] }, Refusal.invalid.signature],
    ['a user', user, { [userKeys]: [] }, Refusal.keysUnavailable],
    ['a user', user, { [userKeys]: 'not-found' }, Refusal.keysUnavailable],
    ['a user', user, { [userKeys]: undefined }, Refusal.keysUnavailable],
    ['a limited token', limited, { [userKeys]: [] }, Refusal.keysUnavailable],
    ['a service', service, { [serviceKeys]: [KEY] }, Refusal.invalid.signature],
    [
      'a service',
      service,
      { [serviceKeys]: [] },
      Refusal.invalid['unknown-key'],
    ],
    [
      'a service',
      service,
      { [serviceKeys]: 'not-found' },
      Refusal.keysUnavailable,
    ],
    [
      'a service',
      service,
      { [serviceKeys]: undefined },
      Refusal.keysUnavailable,
    ],
    [
      'a service for a user',
      onBehalf,
      { [userKeys]: [KEY], [serviceKeys]: [KEY] },
      Refusal.invalid.signature,
    ],
    [
      'a service for a user',
      onBehalf,
      { [userKeys]: [KEY], [serviceKeys]: undefined },
      Refusal.keysUnavailable,
    ],
    ['a static token', 'static', {}, Refusal.invalid.malformed],
  ])('probes the keys when %s fails: %#', async (_, token, keys, refusal) => {
    const { askedKeys, verify } = create({ ...notValid, keys });
    await expect(verify(token)).rejects.toBe(refusal);
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
    const refusal = await verify(token).catch(error => error);
    expect(refusal).toBe(Refusal.invalid[detail]);
    // The second time, the detail comes from the cache.
    await expect(verify(token)).rejects.toBe(refusal);
    expect(new Set(askedKeys).size).toBe(askedKeys.length);
  });

  const other = 'https://other/api/auth';
  const issuedBy = (iss: string | undefined) =>
    unsignedToken('vnd.backstage.user', { ...session, iss });

  it.each([
    ['of this backend', OWN_ISSUER, []],
    ['that is configured', other, ['x', other]],
  ])('trusts an issuer %s', async (_, issuer, issuers) => {
    const token = issuedBy(issuer);
    expect((await create({ issuers }).verify(token)).token.text).toBe(token);
  });

  it.each([
    ['of another backend', other, ['x']],
    ['that is a part of this one', 'https://backstage.example.com', []],
    ['that is not there', undefined, ['x']],
  ])('trusts no issuer %s', async (_, issuer, issuers) => {
    await expect(
      create({ issuers }).verify(issuedBy(issuer)),
    ).rejects.toMatchObject({
      reason: 'untrusted-issuer',
      subject: session.sub,
    });
  });

  it('remembers a verified token', async () => {
    const { tokens, verify } = create();
    const { token } = await verify(user);
    tokens.read('another');
    expect(tokens.read(user)).toBe(token);
    await verify('static');
  });

  it('remembers nothing of a token that has not verified', async () => {
    const { tokens, verify } = create(notValid);
    const token = tokens.read(user);
    await expect(verify(user)).rejects.toThrow();
    tokens.read('another');
    expect(tokens.read(user)).not.toBe(token);
  });

  describe('with credentials that httpAuth recalls', () => {
    const recalled = { principal };
    const recall = () => recalled;

    /** Returns a verifier that knows the issuer, as it does after another token. */
    const createWarm = async (options: Parameters<typeof create>[0]) => {
      const created = create({ recall, ...options });
      await created.verify(user);
      return created;
    };

    it('needs no promise, and verifies nothing', async () => {
      const { calls, verifyNow } = await createWarm({});
      for (const kind of ['bearer', 'cookie'] as const) {
        const verified = verifyNow(user, kind) as VerifiedCredential;
        expect(verified.credentials).toBe(recalled);
        expect(verified.token.text).toBe(user);
      }
      expect(calls).toEqual([]);
    });

    it('recalls the token for the request', async () => {
      const asked = jest.fn(recall);
      const { req, tokens, verifyNow } = await createWarm({ recall: asked });
      asked.mockClear();
      verifyNow(user);
      expect(asked.mock.calls).toEqual([[req, tokens.read(user)]]);
    });

    it.each<[string, PresentedToken['kind'], object | undefined]>([
      ['nothing is recalled', 'bearer', undefined],
      ['the cookie is Backstage’s own', 'user-cookie', recalled],
      ['a service acts for the user of a cookie', 'cookie', actor],
      [
        'a cookie is of a service',
        'cookie',
        { principal: { type: 'service' } },
      ],
      ['nobody is recalled', 'bearer', { principal: { type: 'none' } }],
    ])('verifies the token if %s', async (_, kind, found) => {
      const { calls, verify } = create({
        recall: () => found,
        credentials: () => recalled,
      });
      expect((await verify(user, kind)).credentials).toBe(recalled);
      expect(calls).toHaveLength(1);
    });

    it('accepts services by bearer tokens', async () => {
      const found = { principal: { type: 'service', subject: 'x' } };
      const { calls, verifyNow } = create({ recall: () => found });
      for (const token of [service, 'static']) {
        const verified = verifyNow(token) as VerifiedCredential;
        expect(verified.credentials).toBe(found);
      }
      expect(calls).toEqual([]);
    });

    it('accepts a service that acts for a user by a bearer token', async () => {
      const { calls, verifyNow } = create({ recall: () => actor });
      const verified = verifyNow(onBehalf) as VerifiedCredential;
      expect(verified.credentials).toBe(actor);
      expect(calls).toEqual([]);
    });

    it.each<[string, Parameters<typeof create>[0], string, Refusal]>([
      [
        'is of another user',
        {},
        unsignedToken('vnd.backstage.user', { ...session, sub: 'user:x/eve' }),
        Refusal.invalidToken,
      ],
      [
        'has another issuer',
        {},
        unsignedToken('vnd.backstage.user', { ...session, iss: 'https://x' }),
        Refusal.untrustedIssuer,
      ],
      [
        'has no issuer',
        {},
        unsignedToken('vnd.backstage.user', session),
        Refusal.untrustedIssuer,
      ],
      [
        'has expired',
        {},
        unsignedToken('vnd.backstage.user', {
          ...session,
          iss: OWN_ISSUER,
          exp: NOW - 1,
        }),
        Refusal.invalidToken,
      ],
      ['is followed by what some skip', {}, `${user}%`, Refusal.invalidToken],
    ])(
      'refuses at once a token that %s',
      async (_, options, token, refusal) => {
        const { verifyNow } = await createWarm(options);
        expect(() => verifyNow(token)).toThrow(refusal);
      },
    );

    it('asks the policy for the issuers each time', async () => {
      const issuers = ['https://x'];
      const token = unsignedToken('vnd.backstage.user', {
        ...session,
        iss: 'https://x',
      });
      const { verifyNow } = await createWarm({ issuers });
      expect((verifyNow(token) as VerifiedCredential).credentials).toBe(
        recalled,
      );
      issuers.pop();
      expect(() => verifyNow(token)).toThrow(Refusal.untrustedIssuer);
    });

    it('waits for the keys of users all the same', async () => {
      let started: () => void = () => {};
      const { verifyNow } = create({
        recall,
        userKeysStarted: () =>
          new Promise(resolve => {
            started = resolve;
          }),
      });
      const verified = verifyNow(user);
      expect(verified).toBeInstanceOf(Promise);
      started();
      expect((await verified).credentials).toBe(recalled);
    });
  });

  it.each([
    ['at once', { recall: () => ({ principal: { type: 'service' } }) }],
    ['later', {}],
    ['at once, and fails', { recall: () => ({ principal }) }],
    ['later, and fails', notValid],
  ])('records the time of a verification that ends %s', async (_, options) => {
    const seconds: number[] = [];
    const { time } = create(options);
    await time('static', s => seconds.push(s)).catch(() => {});
    expect(seconds).toHaveLength(1);
    expect(seconds[0]).toBeGreaterThanOrEqual(0);
    expect(seconds[0]).toBeLessThan(10);
  });

  it('records the time in seconds', async () => {
    const { time } = create();
    const now = jest.spyOn(performance, 'now');
    now.mockReturnValueOnce(5_000).mockReturnValueOnce(6_500);
    const seconds: number[] = [];
    await time('static', s => seconds.push(s));
    now.mockRestore();
    expect(seconds).toEqual([1.5]);
  });

  it.each<[string, string, object, unknown[]]>([
    [
      'a static token',
      'static',
      { type: 'service', subject: 'ci' },
      [['ci', 'catalog']],
    ],
    [
      'a token of a service',
      service,
      { type: 'service', subject: 'search' },
      [],
    ],
    ['a user', user, principal, []],
  ])('records the use of %s if it is external', async (_, token, of, uses) => {
    const credentials = { principal: of };
    const { time } = create({ credentials: () => credentials });
    const used: unknown[] = [];
    const verified = await time(
      token,
      () => {},
      (...use) => used.push(use),
    );
    expect(verified.credentials).toBe(credentials);
    expect(used).toEqual(uses);
  });
});
