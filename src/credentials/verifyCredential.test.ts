import {
  AuthenticationError,
  NotAllowedError,
  ServiceUnavailableError,
} from '@backstage/errors';
import type { Request } from 'express';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import type { Policy } from '../policy/Policy';
import { Refusal } from '../decision/Refusal';
import { decodeToken } from './token';
import { KeyAnswer, KeyEndpoints } from './KeyEndpoints';
import { NegativeTokenCache } from './NegativeTokenCache';
import { OwnIssuer } from './OwnIssuer';
import { TokenCache } from './TokenCache';
import { PresentedToken, verifyCredential } from './verifyCredential';

const NOW = Math.floor(Date.now() / 1000);
const session = { sub: 'user:default/a', iat: NOW, exp: NOW + 3600 };
const OWN_ISSUER = 'https://backstage.example.com/api/auth';
const user = unsignedToken('vnd.backstage.user', {
  ...session,
  iss: OWN_ISSUER,
});
const limited = unsignedToken('vnd.backstage.limited-user', session);
const service = unsignedToken('vnd.backstage.plugin', { sub: 'search' });
const onBehalf = unsignedToken('vnd.backstage.plugin', {
  sub: 'search',
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
  } = {},
) {
  const calls: { req: Request; options: object; pluginId: string }[] = [];
  const askedKeys: string[] = [];
  const steps: string[] = [];
  const tokens = new TokenCache({ ttlMs: 30_000 });
  const invalidTokens = new NegativeTokenCache();
  const plugins = {
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
    fetchKeyCount: async url => {
      askedKeys.push(url);
      return url in (options.keys ?? {}) ? options.keys![url] : 1;
    },
  });

  const verify = async (
    token: string,
    kind: PresentedToken['kind'] = 'bearer',
    pluginId = 'catalog',
  ) =>
    verifyCredential(
      req,
      {
        id: pluginId,
        httpAuthFor: async decoded => {
          steps.push(`httpAuth for ${decoded?.sub}`);
          return {
            credentials: async (ofReq: Request, ofOptions: object) => {
              calls.push({ req: ofReq, options: ofOptions, pluginId });
              return options.credentials?.() ?? { principal: {} };
            },
          } as never;
        },
      },
      { kind, token },
      { config: { issuers: options.issuers ?? [] } } as unknown as Policy,
      {
        invalidTokens,
        ownIssuer: new OwnIssuer(plugins),
        tokens,
        issuerClock: { observe: () => {} },
        keyEndpoints: {
          assertAvailable: (...args) => keyEndpoints.assertAvailable(...args),
          assertCallerKnown: (decoded, discovery) => {
            steps.push(`known ${decoded?.sub} by ${Boolean(discovery)}`);
            return options.known?.();
          },
        },
        plugins,
      },
    );
  return { askedKeys, calls, req, steps, tokens, verify };
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
      await expect(verify(user, kind)).rejects.toBe(Refusal.invalidToken);
    },
  );

  it.each([
    ['AuthenticationError', new AuthenticationError('no')],
    ['an error that is none of Backstage', new TypeError('no')],
    ['what is no error', 'no' as never],
  ])('is 401 for %s', async (_, error) => {
    const { verify } = create(fails(error));
    await expect(verify(user)).rejects.toBe(Refusal.invalidToken);
    await expect(verify('static')).rejects.toBe(Refusal.invalidToken);
  });

  it('is 403 for a restricted bearer token, with the message of the service', async () => {
    const { askedKeys, verify } = create(
      fails(new NotAllowedError('not here')),
    );
    await expect(verify('static')).rejects.toMatchObject({
      reason: 'restricted',
      error: { name: 'NotAllowedError', message: 'not here' },
    });
    await expect(verify(user, 'cookie')).rejects.toBe(Refusal.invalidToken);
    expect(askedKeys).toHaveLength(1);
  });

  it('verifies an invalid token again as another kind or for another plugin', async () => {
    const { calls, verify } = create(notValid);
    for (let i = 0; i < 3; i += 1) {
      await expect(verify(user)).rejects.toBe(Refusal.invalidToken);
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
        await expect(verify(twin)).rejects.toBe(Refusal.invalidToken);
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
    await expect(verify(expired)).rejects.toBe(Refusal.invalidToken);
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

  it.each<[string, string, Record<string, KeyAnswer>, Refusal]>([
    ['a user', user, { [userKeys]: 1 }, Refusal.invalidToken],
    ['a user', user, { [userKeys]: 0 }, Refusal.keysUnavailable],
    ['a user', user, { [userKeys]: 'not-found' }, Refusal.keysUnavailable],
    ['a user', user, { [userKeys]: undefined }, Refusal.keysUnavailable],
    ['a limited token', limited, { [userKeys]: 0 }, Refusal.keysUnavailable],
    ['a service', service, { [serviceKeys]: 1 }, Refusal.invalidToken],
    ['a service', service, { [serviceKeys]: 0 }, Refusal.invalidToken],
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
      { [userKeys]: 1, [serviceKeys]: 1 },
      Refusal.invalidToken,
    ],
    [
      'a service for a user',
      onBehalf,
      { [userKeys]: 1, [serviceKeys]: undefined },
      Refusal.keysUnavailable,
    ],
    ['a static token', 'static', {}, Refusal.invalidToken],
  ])('probes the keys when %s fails: %#', async (_, token, keys, refusal) => {
    const { askedKeys, verify } = create({ ...notValid, keys });
    await expect(verify(token)).rejects.toBe(refusal);
    expect(askedKeys).toEqual(Object.keys(keys));
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
    await expect(create({ issuers }).verify(issuedBy(issuer))).rejects.toBe(
      Refusal.untrustedIssuer,
    );
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
});
