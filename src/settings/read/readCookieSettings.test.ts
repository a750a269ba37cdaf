import { ConfigReader } from '@backstage/config';
import type { JsonObject, JsonValue } from '@backstage/types';
import { readApiGateConfig } from './readApiGateConfig';

const HTTPS = 'https://backstage.example.com';
const HTTP = 'http://backstage.example.com';

const read = (cookie: JsonValue, baseUrl = HTTPS) =>
  readApiGateConfig(
    new ConfigReader({ backend: { baseUrl }, auth: { apiGate: { cookie } } }),
  );

describe('auth.apiGate.cookie', () => {
  it.each<[JsonObject, string, object]>([
    [{}, HTTPS, { sameSite: 'lax', secure: true }],
    [{}, HTTP, { sameSite: 'lax', secure: false }],
    [{ sameSite: 'strict' }, HTTP, { sameSite: 'strict', secure: false }],
    [
      { domain: 'example.com', sameSite: 'none' },
      HTTPS,
      { domain: 'example.com', sameSite: 'none', secure: true },
    ],
    ...['example.com', 'Example.COM', 'backstage.example.com'].map(
      (domain): [JsonObject, string, object] => [
        { domain },
        HTTP,
        { domain, sameSite: 'lax', secure: false },
      ],
    ),
  ])('%j at %s has the attributes %j', (written, baseUrl, attributes) => {
    expect(read(written, baseUrl).cookie).toStrictEqual({
      enabled: true,
      name: 'token',
      maxAgeMs: undefined,
      attributes: { httpOnly: true, path: '/', ...attributes },
    });
  });

  it.each<[JsonObject, string]>([
    [{ enabled: false, name: "!#$%&'*+-.^_`|~a1" }, HTTP],
    [{ name: 'x__Host-token', domain: 'example.com' }, HTTP],
    [{ name: '__Host-token' }, HTTPS],
    [{ name: '__Secure-token', domain: 'example.com' }, HTTPS],
  ])('is %j at %s', (written, baseUrl) => {
    const { enabled = true, name } = written;
    expect(read(written, baseUrl).cookie).toMatchObject({ enabled, name });
  });
});

describe('what the cookie trusts', () => {
  it('is the backend, and origins and paths that are named', () => {
    const trustedOrigins = ['http://localhost:3000', 'https://a.example.com'];
    const trustedPaths = [{ plugin: 'proxy', path: '/a/**' }];
    const config = read({ trustedOrigins, trustedPaths });
    expect(config.trustedOrigins).toEqual([HTTPS, ...trustedOrigins]);
    expect(config.trustedPaths).toStrictEqual(trustedPaths);
  });
});

const MINUTE = 60_000;
const GOOGLE = { google: { production: { signIn: {} } } };

const maxAgeOf = (maxAge: JsonValue | undefined, providers?: JsonValue) =>
  readApiGateConfig(
    new ConfigReader({
      backend: { baseUrl: HTTPS },
      auth: { providers, apiGate: { cookie: { maxAge } } },
    }),
  ).cookie.maxAgeMs;

const { NODE_ENV } = process.env;
const setEnvironment = (value: string | undefined) =>
  Object.assign(process.env, { NODE_ENV: value });
afterEach(() => setEnvironment(NODE_ENV));

describe('[P48] auth.apiGate.cookie.maxAge', () => {
  it.each<[JsonValue, number]>([
    ['1m', MINUTE],
    ['PT20M', 20 * MINUTE],
    [{ hours: 2 }, 120 * MINUTE],
    ['24h', 24 * 60 * MINUTE],
  ])('%j is %d ms, whatever the providers', (value, expected) => {
    expect(maxAgeOf(value, GOOGLE)).toBe(expected);
    expect(maxAgeOf(value, { gcpIap: {} })).toBe(expected);
  });

  it.each([
    'awsalb',
    'awsAlb',
    'azureEasyAuth',
    'easyAuth',
    'cfaccess',
    'gcpIap',
    'gcp-iap',
    'oauth2Proxy',
  ])('is 15 minutes where %s signs users in', id => {
    const providers = { ...GOOGLE, [id]: { signIn: {} } };
    expect(maxAgeOf(undefined, providers)).toBe(15 * MINUTE);
  });

  it.each([undefined, 'x', {}, GOOGLE, { okta: {}, oauth2: {} }])(
    'is the life of the token with the providers %j',
    providers => {
      setEnvironment('development');
      expect(maxAgeOf(undefined, providers)).toBeUndefined();
    },
  );

  it.each<[string | undefined, JsonObject, number | undefined]>([
    ['development', {}, 15],
    ['production', {}, undefined],
    [undefined, {}, undefined],
    ['production', { dangerouslyAllowOutsideDevelopment: false }, undefined],
    ['production', { dangerouslyAllowOutsideDevelopment: true }, 15],
    // A variable of the environment is a text.
    ['production', { dangerouslyAllowOutsideDevelopment: 'true' }, 15],
  ])(
    'with NODE_ENV %s and the guest provider %j is %s minutes',
    (environment, guest, minutes) => {
      setEnvironment(environment);
      const providers = { ...GOOGLE, guest };
      expect(maxAgeOf(undefined, providers)).toBe(minutes && minutes * MINUTE);
    },
  );
});
