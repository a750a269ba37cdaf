import { ConfigReader } from '@backstage/config';
import { InputError } from '@backstage/errors';
import type { JsonObject, JsonValue } from '@backstage/types';
import { readApiGateConfig } from './readApiGateConfig';

const HTTPS = 'https://backstage.example.com';
const HTTP = 'http://backstage.example.com';

const read = (cookie: JsonValue, baseUrl = HTTPS) =>
  readApiGateConfig(
    new ConfigReader({ backend: { baseUrl }, auth: { apiGate: { cookie } } }),
  );

const AT = 'auth.apiGate.cookie';
const NO_ORIGIN =
  'must be one origin, such as https://portal.example.com, without a path or a wildcard';
const NO_DOMAIN = (host: string) =>
  `domain must be a domain that the host of backend.baseUrl (${host}) is in; leave it out for a cookie of that host alone`;

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

  it.each<[JsonValue, string]>([
    [
      'off',
      ` must be an object with the keys enabled, name, maxAge, domain, sameSite, trustedOrigins, trustedPaths`,
    ],
    ...['no', 'false'].map((enabled): [JsonValue, string] => [
      { enabled },
      '.enabled must be true or false',
    ]),
    [{ sameSite: 'open' }, '.sameSite must be one of strict, lax, none'],
    ...['Lax', 'LAX'].map((sameSite): [JsonValue, string] => [
      { sameSite },
      '.sameSite must be one of strict, lax, none (did you mean lax?)',
    ]),
    ...[5, '', ' a', 'a ', 'a b', 'a=b', 'a;b', 'tokén', ['token']].map(
      (name): [JsonValue, string] => [
        { name },
        '.name must be a cookie name of letters, digits and -_. such as token',
      ],
    ),
    [
      { name: 'backstage-auth' },
      ".name must not be backstage-auth, the name of Backstage's own cookie",
    ],
    ...[
      ...['com', '.example.com', 'ample.com', 'example.com.', ''],
      ...['example.org', 5, ['example.com']],
    ].map((domain): [JsonValue, string] => [
      { domain },
      `.${NO_DOMAIN('backstage.example.com')}`,
    ]),
    ...['__Host-token', '__host-token'].map((name): [JsonValue, string] => [
      { name, domain: 'example.com' },
      `.domain must be left out with a name that starts with ${name.slice(0, 7)}: such a cookie is of one host`,
    ]),
  ])('refuses %j', (written, message) => {
    expect(() => read(written)).toThrow(new InputError(`${AT}${message}`));
  });

  it.each<[JsonValue, string]>([
    [
      { sameSite: 'none' },
      'sameSite must be lax or strict where backend.baseUrl is not https: browsers drop the cookie otherwise',
    ],
    ...['__Host-', '__SECURE-'].map((prefix): [JsonValue, string] => [
      { name: `${prefix}token` },
      `name must not start with ${prefix} where backend.baseUrl is not https: browsers drop the cookie otherwise`,
    ]),
  ])('refuses %j without https', (written, message) => {
    expect(() => read(written, HTTP)).toThrow(
      new InputError(`${AT}.${message}`),
    );
  });

  // Browsers take no cookie of such a domain.
  it.each(['a_b.example.com', 'a.b_c.com'])(
    'refuses the domain %s, though it is the host',
    host => {
      expect(() => read({ domain: host }, `https://${host}`)).toThrow(
        new InputError(`${AT}.${NO_DOMAIN(host)}`),
      );
    },
  );
});

describe('what the cookie trusts', () => {
  it('is the backend, and origins and paths that are named', () => {
    const trustedOrigins = ['http://localhost:3000', 'https://a.example.com'];
    const trustedPaths = [{ plugin: 'proxy', path: '/a/**' }];
    const config = read({ trustedOrigins, trustedPaths });
    expect(config.trustedOrigins).toEqual([HTTPS, ...trustedOrigins]);
    expect(config.trustedPaths).toStrictEqual(trustedPaths);
  });

  it.each([
    ...['https://a.example.com/', 'https://a.example.com:443', 'https://a b'],
    ...['https://*.example.com', 'https://a*.example.com', 'ftp://a', 'a.com'],
    ...['null', '*', 'HTTPS://a.example.com', 'https://', 'blob:https://a.com'],
  ])('is no origin %s', origin => {
    const trustedOrigins = ['https://b.example.com', origin];
    expect(() => read({ trustedOrigins })).toThrow(
      new InputError(`${AT}.trustedOrigins[1] ${NO_ORIGIN}`),
    );
  });

  it.each(['app', 'backend'])(
    'is not the origin null of a %s.baseUrl without its scheme',
    key => {
      for (const baseUrl of [
        ...['portal.example.com:443', 'localhost:3000', 'x'],
        ...['httpx://portal.example.com', 'xhttp://portal.example.com'],
      ]) {
        const config = new ConfigReader({
          backend: { baseUrl: HTTPS },
          [key]: { baseUrl },
        });
        expect(() => readApiGateConfig(config)).toThrow(
          new InputError(
            `${key}.baseUrl must be a URL that begins with http:// or https://, such as https://backstage.example.com`,
          ),
        );
      }
    },
  );

  it.each<[JsonObject, string]>([
    [
      { trustedOrigins: 'x' },
      'trustedOrigins must be a list of texts: begin each entry with "- ", in a line of its own',
    ],
    [
      { trustedPaths: 'x' },
      'trustedPaths must be a list of objects, each with a plugin and a path: begin each entry with "- ", in a line of its own',
    ],
    [
      { trustedPaths: [[]] },
      'trustedPaths[0] must be an object with the keys plugin, path',
    ],
    [
      { trustedPaths: [{ plugin: '*', path: '/a' }] },
      'trustedPaths[0].plugin must be one plugin id in lower case, such as catalog',
    ],
    [
      { trustedPaths: [{ plugin: 'a', path: '/a/*' }] },
      'trustedPaths[0].path may have a wildcard only as a trailing /**, which covers everything below',
    ],
  ])('is not %j', (written, message) => {
    expect(() => read(written)).toThrow(new InputError(`${AT}.${message}`));
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

  it.each<JsonValue>(['59s', '25h', 'x', 15, false, {}])(
    'refuses %j',
    value => {
      expect(() => maxAgeOf(value, GOOGLE)).toThrow(
        new InputError(
          `${AT}.maxAge must be a duration from 1m to 24h, such as 900s or { seconds: 900 }`,
        ),
      );
    },
  );
});
