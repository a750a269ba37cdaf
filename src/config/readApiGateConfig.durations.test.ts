import { ConfigReader } from '@backstage/config';
import { InputError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import { readApiGateConfig } from './readApiGateConfig';

const read = (apiGate: JsonObject) =>
  readApiGateConfig(
    new ConfigReader({
      backend: { baseUrl: 'https://backstage.example.com' },
      auth: { apiGate },
    }),
  );

const expectRefused = (apiGate: JsonObject, message: string) =>
  expect(() => read(apiGate)).toThrow(
    new InputError(`auth.apiGate.${message}`),
  );

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
    ...[
      ...['99ms', '301s', 2, {}, 0, '10ms', '1h', 'often'],
      // YAML has `.nan`.
      { seconds: NaN },
    ].map((pollInterval): [JsonObject, string] => [
      { revocation: { pollInterval } },
      'revocation.pollInterval must be a duration from 100ms to 5m, such as 2s or { seconds: 2 }',
    ]),
    [
      { tokenCache: true },
      'tokenCache must be false, or an object with the key ttl; leave it out for the default',
    ],
    [{ tokenCache: 'x' }, 'tokenCache must be an object with the keys ttl'],
    ...['999ms', '301s', '1h', false].map((ttl): [JsonObject, string] => [
      { tokenCache: { ttl } },
      'tokenCache.ttl must be a duration from 1s to 5m, such as 30s or { seconds: 30 }',
    ]),
  ])('are not %j', (apiGate, message) => {
    expectRefused(apiGate, message);
  });
});
