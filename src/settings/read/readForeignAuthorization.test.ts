import { ConfigReader } from '@backstage/config';
import { readApiGateConfig } from './readApiGateConfig';

const read = (apiGate: object) =>
  readApiGateConfig(
    new ConfigReader({
      backend: { baseUrl: 'https://backstage.example.com' },
      auth: { apiGate },
    } as never),
  );

const readForeign = (path: string, allow: [string, string][] = []) =>
  read({
    foreignAuthorization: [{ plugin: 'proxy', path }],
    allow: allow.map(([plugin, rulePath]) => ({ plugin, path: rulePath })),
  }).foreignAuthorization;

describe('credentialHeader', () => {
  it.each([
    'X-Backstage-Token',
    'x-token',
    'Backstage-Authorization',
    'X-Forwarded',
    'X-Amz-Token',
  ])('may be %s, and is compared in lower case', name => {
    const { credentialHeader } = read({ credentialHeader: name });
    expect(credentialHeader).toBe(name.toLowerCase());
  });

  it.each([
    'Authorization',
    'Cookie',
    'X-',
    'X-A B',
    'X-A:',
    'X-Ä',
    '',
    7,
    ['X-Token'],
    'X-Forwarded-User',
    'X-Forwarded-Access-Token',
    'x-real-ip',
    'X-Goog-IAP-JWT-Assertion',
    'X-Amzn-OIDC-Data',
    'X-MS-TOKEN-AAD-ID-TOKEN',
    'X-Auth-Request-Access-Token',
    'X-HTTP-Method-Override',
    'X-Requested-With',
    'Backstage-Kubernetes-Authorization',
    'X-Api-Gate-Cookie-Issued-In-Front',
  ])('must not be %j', credentialHeader => {
    expect(() => read({ credentialHeader })).toThrow(
      'auth.apiGate.credentialHeader must be the name of a header that begins with X- or Backstage- and that nobody else sets, such as X-Backstage-Token',
    );
  });
});

describe('foreignAuthorization', () => {
  it('names paths below plugins', () => {
    expect(readForeign('/cost-management/**')).toEqual([
      { plugin: 'proxy', path: '/cost-management/**' },
    ]);
  });

  it.each([
    [{}, 'foreignAuthorization must be a list of objects'],
    [[{ plugin: 'proxy' }], 'foreignAuthorization[0].path must be text'],
    [
      [{ plugin: 'proxy', path: '/a', reason: 'x' }],
      'foreignAuthorization[0].reason is not known: use plugin, path',
    ],
    [
      [{ plugin: 'proxy', path: '/a/*/b' }],
      'foreignAuthorization[0].path may have a wildcard only as a trailing /**',
    ],
    [
      [{ plugin: 'auth', path: '/a' }],
      'foreignAuthorization[0].plugin must not be auth, whose routes are for signing in',
    ],
    [
      [{ plugin: 'app', path: '/a' }],
      'foreignAuthorization[0].plugin must not be app, whose routes are for signing in',
    ],
    [
      [{ plugin: 'proxy', path: '/.backstage/auth/v1/cookie' }],
      'foreignAuthorization[0].path is where cookies are issued',
    ],
  ])('refuses %j', (foreignAuthorization, message) => {
    expect(() => read({ foreignAuthorization })).toThrow(message);
  });

  it.each<[string, string]>([
    ['/a', '/a'],
    ['/a', '/**'],
    ['/', '/**'],
    ['/**', '/'],
    ['/a/b', '/a/**'],
    ['/a/b', '/a/*'],
    ['/a/**', '/a'],
    ['/A/**', '/a/b'],
    ['/a/**', '/a/b'],
    ['/a/**', '/a/*/c'],
    ['/a/b/**', '/a/*/**'],
    ['/a/b/**', '/a/*'],
    ['/a/**', '/a/**'],
    ['/**', '/a/b'],
  ])('refuses %s beside the allow rule %s', (path, rule) => {
    expect(() => readForeign(path, [['proxy', rule]])).toThrow(
      `auth.apiGate.foreignAuthorization[0] overlaps the allow rule GET /api/proxy${rule}`,
    );
  });

  it.each<[string, string]>([
    ['/a', '/a/**'],
    ['/a/**', '/b/**'],
    ['/a/b', '/a/*/c'],
    ['/a/b/**', '/a/c/**'],
  ])('accepts %s beside the allow rule %s', (path, rule) => {
    expect(() => readForeign(path, [['proxy', rule]])).not.toThrow();
    expect(() => readForeign(path, [['other', path]])).not.toThrow();
  });
});
