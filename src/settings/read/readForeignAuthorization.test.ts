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
});

describe('foreignAuthorization', () => {
  it('names paths below plugins', () => {
    expect(readForeign('/cost-management/**')).toEqual([
      { plugin: 'proxy', path: '/cost-management/**' },
    ]);
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
