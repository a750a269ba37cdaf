import { ConfigReader } from '@backstage/config';
import { InputError } from '@backstage/errors';
import type { JsonObject, JsonValue } from '@backstage/types';
import { readApiGateConfig } from './readApiGateConfig';

const read = (apiGate: JsonObject, providers?: JsonValue) =>
  readApiGateConfig(
    new ConfigReader({
      backend: { baseUrl: 'https://backstage.example.com' },
      auth: { ...(providers !== undefined && { providers }), apiGate },
    }),
  );

const expectRefused = (apiGate: JsonObject, message: string) =>
  expect(() => read(apiGate)).toThrow(
    new InputError(`auth.apiGate.${message}`),
  );

describe('auth.apiGate.signOut', () => {
  it('is of a session, unless it is of all sessions of the user', () => {
    expect(read({}).signOut).toEqual({
      scope: 'session',
      offlineSessions: 'keep',
      providers: new Set(),
    });
    for (const offlineSessions of ['keep', 'end']) {
      const signOut = { scope: 'user', offlineSessions };
      expect(read({ signOut }).signOut).toMatchObject(signOut);
    }
  });

  it.each<[JsonValue, string[]]>([
    [{ Github: { development: { signIn: {} } } }, ['github']],
    [{ github: { signIn: {} } }, ['github']],
    [{ github: { development: { clientId: 'x' } } }, []],
    [{ github: { clientId: 'signIn' }, guest: 'signIn', okta: null }, []],
    ['github', []],
  ])('with the providers %j is by %j', (providers, ids) => {
    expect([...read({}, providers).signOut.providers]).toEqual(ids);
    const signOut = { providers: ['Mine'] };
    expect([...read({ signOut }, providers).signOut.providers]).toEqual([
      ...ids,
      'mine',
    ]);
  });

  it.each<[JsonValue, string]>([
    [[], ' must be an object with the keys scope, providers, offlineSessions'],
    [{ scope: 'all' }, '.scope must be one of session, user'],
    [{ providers: 'github' }, '.providers must be a list of texts'],
    [
      { scope: 'user', offlineSessions: 'yes' },
      '.offlineSessions must be one of keep, end',
    ],
    [
      { offlineSessions: 'end' },
      '.offlineSessions must be keep unless auth.apiGate.signOut.scope is user: a sign-out of one session leaves other clients alone',
    ],
  ])('is not %j', (signOut, message) => {
    expectRefused({ signOut }, `signOut${message}`);
  });
});

describe('auth.apiGate.operators', () => {
  it('are entity references, in lower case', () => {
    const operators = ['Group:default/Platform', 'user:default/jane'];
    expect(read({ operators }).operators).toEqual(
      new Set(['group:default/platform', 'user:default/jane']),
    );
  });

  it('are no shorter references', () => {
    expectRefused(
      { operators: ['user:default/jane', 'jane'] },
      'operators[1] must be a full entity reference, such as group:default/platform or user:default/jane',
    );
  });
});

describe('durations', () => {
  it.each<[JsonObject, number, number | undefined]>([
    [{}, 2_000, 30_000],
    [{ revocation: {}, tokenCache: {} }, 2_000, 30_000],
    [
      { revocation: { pollInterval: '100ms' }, tokenCache: { ttl: '1s' } },
      100,
      1_000,
    ],
    [
      { revocation: { pollInterval: '5m' }, tokenCache: { ttl: '5m' } },
      300_000,
      300_000,
    ],
    [{ tokenCache: false }, 2_000, undefined],
  ])('of %j are %d ms and %d ms', (apiGate, pollIntervalMs, ttlMs) => {
    const { revocation, tokenCache } = read(apiGate);
    expect(revocation).toEqual({ pollIntervalMs });
    expect(tokenCache).toEqual(ttlMs && { ttlMs });
  });

  it.each<[JsonObject, string]>([
    [
      { revocation: 'x' },
      'revocation must be an object with the keys pollInterval',
    ],
    ...['99ms', '301s', 2, {}].map((pollInterval): [JsonObject, string] => [
      { revocation: { pollInterval } },
      'revocation.pollInterval must be a duration from 100ms to 5m, such as 2s or { seconds: 2 }',
    ]),
    [
      { tokenCache: true },
      'tokenCache must be false, or an object with the key ttl; leave it out for the default',
    ],
    [{ tokenCache: 'x' }, 'tokenCache must be an object with the keys ttl'],
    ...['999ms', '301s', false].map((ttl): [JsonObject, string] => [
      { tokenCache: { ttl } },
      'tokenCache.ttl must be a duration from 1s to 5m, such as 30s or { seconds: 30 }',
    ]),
  ])('are not %j', (apiGate, message) => {
    expectRefused(apiGate, message);
  });
});
