import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';
import { readApiGateConfig } from '../../settings/read/readApiGateConfig';
import { Policy } from './Policy';

const policyOf = (apiGate: JsonObject) =>
  new Policy(
    readApiGateConfig(
      new ConfigReader({
        backend: { baseUrl: 'https://backstage.example.com' },
        auth: { apiGate },
      }),
    ),
  );

describe('Policy', () => {
  it('trusts the paths that the cookie settings name, and no others', () => {
    const trustedPaths = [{ plugin: 'docs', path: '/static/**' }];
    const policy = policyOf({ cookie: { trustedPaths } });
    expect(policy.isTrustedPath('docs', '/static/a')).toBe(true);
    expect(policy.isTrustedPath('docs', '/other')).toBe(false);
    expect(policy.isTrustedPath('other', '/static/a')).toBe(false);
  });

  it.each([
    ['proxy', '/v1.2', true],
    ['proxy', '/V1.2/A?q', true],
    ['proxy', '/v1.2?q', true],
    ['proxy', '/v1.2x', false],
    ['proxy', '/v1x2/a', false],
    ['proxy', '/a/v1.2', false],
    ['git', '/info', true],
    ['git', '/Info//', true],
    ['git', '/info/?q', true],
    ['git', '/info?q', true],
    ['git', '/info/a', false],
    ['git', '/infox', false],
    ['git', '/v1.2', false],
    ['other', '/info', false],
    // Express can't read this path.
    ['git', undefined, true],
    ['other', undefined, false],
  ])(
    'has at the plugin %s the path %s as a foreign one: %p',
    (plugin, path, expected) => {
      const policy = policyOf({
        foreignAuthorization: [
          { plugin: 'proxy', path: '/v1.2/**' },
          { plugin: 'git', path: '/info' },
        ],
      });
      expect(policy.isForeignPath(plugin, path)).toBe(expected);
    },
  );
});
