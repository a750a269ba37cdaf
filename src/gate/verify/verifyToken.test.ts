import type { TokenKind } from '../Decision';
import { AuthenticationError, NotAllowedError } from '@backstage/errors';
import {
  createGateServices,
  ISSUER,
} from '../../__tests__/__testUtils__/createGateServices';
import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import type { KeyAnswer } from './fetchKeyIds';
import { KeyEndpoints } from './KeyEndpoints';
import { decodeToken } from '../read/token';
import { TokenCache } from './TokenCache';
import { Refusal } from '../Refusal';
import { IssuerClock } from '../../store/revocations/IssuerClock';
import type { VerifiedToken } from '../judge/findRefused';
import type { TokenEntry } from '../rules/GateSettings';
import { run } from './steps';
import { verifyToken } from './verifyToken';

// The proof has each kind of token. Here is what no state of it has: keys, clocks, memories, and an auth of the app's own.

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
const principal = { type: 'user', userEntityRef: session.sub };
const invalid = new AuthenticationError('no');

/** Creates a verifier with a backend whose `auth` returns a principal, or throws. */
function create(
  answer: () => object,
  options: {
    remembered?: object;
    keys?: Record<string, KeyAnswer>;
    tokens?: TokenEntry[];
  } = {},
) {
  const { keys = {} } = options;
  const askedKeys: string[] = [];
  let calls = 0;
  const gate = createGateServices({
    replaced: {
      keyEndpoints: new KeyEndpoints(
        {
          logger: { warn: () => {} } as never,
          isKnown: async () => true,
          plugins: createGateServices().plugins,
        },
        async url => {
          askedKeys.push(url);
          return url in keys ? keys[url] : ['key'];
        },
      ),
      tokens: new TokenCache({ ttlMs: 30_000 }),
    },
  });
  gate.policy = { tokens: options.tokens };
  const { services } = gate;
  const request = {
    plugin: {
      id: 'catalog',
      verifierFor: () =>
        ({
          look: () => options.remembered && { principal: options.remembered },
          find: async () => {
            calls += 1;
            return { principal: answer() };
          },
        }) as never,
    },
    policy: services.source.current,
    services,
    method: 'GET',
    path: '/y',
    pluginId: 'catalog',
  };
  return {
    askedKeys,
    calls: () => calls,
    services,
    tokens: services.tokens,
    verify: async (token: string, kind: TokenKind = 'bearer') =>
      run(verifyToken(request, kind, services.tokens.read(token))),
  };
}

const failing = (options?: Parameters<typeof create>[1]) =>
  create(() => {
    throw invalid;
  }, options);

it('a token that has verified, and no other, shows the clock and the keys of the issuer', async () => {
  const claims = { ...session, iss: ISSUER, iat: NOW + 60 };
  const ahead = unsignedToken('vnd.backstage.user', claims, 'key');
  const issuerClock = new IssuerClock();
  const forged = failing();
  forged.services.issuerClock = issuerClock;
  await forged.verify(ahead);
  expect(issuerClock.now()).toBeLessThan(NOW + 50);
  const { askedKeys, services, verify } = create(() => principal);
  services.issuerClock = issuerClock;
  await verify(ahead);
  expect(issuerClock.now()).toBeGreaterThan(NOW + 50);
  // The first key that verifies is known without a request.
  expect(askedKeys).toEqual([]);
  await verify(unsignedToken('vnd.backstage.user', claims, 'next key'));
  await new Promise(setImmediate);
  expect(askedKeys).toEqual([
    expect.stringMatching(/\/auth\/\.well-known\/jwks\.json$/),
  ]);
});

it.each([
  ['something unknown', 'bearer', 'static', { type: 'unknown' }],
  [
    'another user',
    'bearer',
    user,
    { ...principal, userEntityRef: 'user:default/eve' },
  ],
  ['a service', 'cookie', 'static', { type: 'service', subject: 'ci' }],
] as const)(
  'a remembered principal of %s is refused, too',
  async (_, kind, token, remembered) => {
    const { verify } = create(() => principal, { remembered });
    expect(await verify(token, kind)).toMatchObject({
      reason: 'invalid-token',
    });
  },
);

it('a user’s token ends with its session also if an auth of the app’s own makes a service of the user', async () => {
  const { verify } = create(() => ({ type: 'service', subject: 'external:x' }));
  // The list of revocations is not loaded.
  const { excluded } = (await verify(user)) as VerifiedToken;
  expect(excluded?.reason).toBe('revocations-unavailable');
});

it('the socket of an external token ends once its limits exclude the request', async () => {
  const tokens: TokenEntry[] = [{ subject: 'ci', only: 'all', until: 1 }];
  const ci = { type: 'service', subject: 'ci' };
  const { verify } = create(() => ci, { tokens });
  const verified = (await verify('static')) as VerifiedToken;
  expect((verified.session as () => number)()).toBe(-Infinity);
});

it('[P116] an external token is told what to write if tokens has no entry for it', async () => {
  const only = [{ plugin: 'a', path: '/a', methods: ['GET'] }];
  const excludedBy = async (tokens: TokenEntry[]) => {
    const ci = { type: 'service', subject: 'ci' };
    const { verify } = create(() => ci, { tokens });
    return ((await verify('static')) as VerifiedToken).excluded;
  };
  const refusal = await excludedBy([]);
  expect(refusal).toMatchObject({
    ...{ reason: 'restricted', detail: 'no-entry', subject: 'ci', status: 403 },
    error: {
      message:
        'The token is restricted to other requests: auth.apiGate.tokens has no entry for its subject',
    },
  });
  expect(await excludedBy([{ subject: 'ci', only }])).toMatchObject({
    ...{ reason: 'restricted', detail: 'only' },
    error: { message: 'The token is restricted to other requests' },
  });
});

it.each([
  ['what is no error', 'no'],
  ['nothing', undefined],
])('a token is invalid by %s that auth throws', async (_, error) => {
  const { verify } = create(() => {
    throw error;
  });
  expect(await verify(user)).toBe(
    Refusal.because('invalid-token', 'signature'),
  );
});

it('a restricted token is refused with the message of Backstage', async () => {
  const { verify } = create(() => {
    throw new NotAllowedError('not here');
  });
  expect(await verify('static')).toMatchObject({
    reason: 'restricted',
    error: { name: 'NotAllowedError', message: 'not here' },
  });
});

it('a token that fails in a cookie is verified once, also if the plugin has accepted it as a bearer', async () => {
  const { calls, tokens, verify } = create(() => ({ type: 'service' }));
  const credentials = { principal: { type: 'service' } } as never;
  const verdict = { key: 'catalog', credentials, keptUntil: Infinity };
  tokens.read(service).verdicts = [verdict];
  for (let i = 0; i < 2; i += 1) {
    expect(await verify(service, 'cookie')).toMatchObject({
      reason: 'invalid-token',
    });
  }
  expect(calls()).toBe(1);
});

const USERS = 'http://backend/auth/.well-known/jwks.json';
const SERVICES = 'http://backend/search/.backstage/auth/v1/jwks.json';
const unavailable = Refusal.because('keys-unavailable');
const because = (detail: Refusal['detail']) =>
  Refusal.because('invalid-token', detail);

it.each<[string, string, Record<string, KeyAnswer>, Refusal]>([
  ['a user', user, { [USERS]: 'not-found' }, unavailable],
  ['a limited token', limited, { [USERS]: [] }, unavailable],
  ['a service', service, { [SERVICES]: [] }, because('unknown-key')],
  ['a service', service, { [SERVICES]: undefined }, unavailable],
  [
    'a service for a user',
    onBehalf,
    { [USERS]: ['key'], [SERVICES]: ['key'] },
    because('signature'),
  ],
  ['a static token', 'static', {}, because('malformed')],
])('keys are asked for if %s fails: %#', async (_, token, keys, refusal) => {
  const { askedKeys, verify } = failing({ keys });
  expect(await verify(token)).toBe(refusal);
  expect(askedKeys).toEqual(Object.keys(keys));
});

describe('the cache of tokens', () => {
  it('keeps a token that has verified', async () => {
    const { tokens, verify } = create(() => principal);
    const { token } = (await verify(user)) as VerifiedToken;
    tokens.read('another');
    expect(tokens.read(user)).toBe(token);
  });

  it('keeps the token that is returned, if its text was read again meanwhile', async () => {
    const gate = create(() => {
      gate.tokens.read('other');
      gate.tokens.remember(gate.tokens.read(user));
      return principal;
    });
    const { token } = (await gate.verify(user)) as VerifiedToken;
    gate.tokens.read('other');
    expect(token).toBe(gate.tokens.read(user));
    expect(token.claims).toEqual(decodeToken(user));
  });

  it('keeps nothing of a token that has not verified', async () => {
    const { tokens, verify } = failing();
    const token = tokens.read(user);
    await verify(user);
    tokens.read('another');
    expect(tokens.read(user)).not.toBe(token);
  });
});
