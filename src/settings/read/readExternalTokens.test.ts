import { ConfigReader } from '@backstage/config';
import type { JsonObject, JsonValue } from '@backstage/types';
import { readApiGateConfig } from './readApiGateConfig';
import { readExternalTokens } from './readExternalTokens';

const read = (externalAccess: JsonValue) =>
  readExternalTokens(
    new ConfigReader({ backend: { auth: { externalAccess } } }),
  );

describe('readExternalTokens', () => {
  it('has the subjects that the configuration names, and no token', () => {
    const options = { token: 'secret-value', subject: 'ci' };
    const tokens = read([
      { type: 'static', options },
      {
        type: 'legacy',
        options: { secret: 'secret-value', subject: 'old' },
        accessRestrictions: [{ plugin: 'catalog' }],
      },
      { type: 'jwks', options: { url: 'https://x', subjectPrefix: 'p' } },
    ]);
    expect(tokens).toEqual([
      {
        subject: 'ci',
        at: 'backend.auth.externalAccess[0]',
        type: 'static',
        isRestricted: false,
      },
      {
        subject: 'old',
        at: 'backend.auth.externalAccess[1]',
        type: 'legacy',
        isRestricted: true,
        plugins: ['catalog'],
      },
    ]);
    expect(JSON.stringify(tokens)).not.toContain('secret');
    expect(readExternalTokens(new ConfigReader({}))).toEqual([]);
  });

  it('is empty where a parent has a wrong type', () => {
    expect(readExternalTokens(new ConfigReader({ backend: 'x' }))).toEqual([]);
  });

  it('has the entries of a file that replaces a parent of a wrong type', () => {
    const externalAccess = [{ type: 'static', options: { subject: 'ci' } }];
    const config = ConfigReader.fromConfigs([
      { context: 'a', data: { backend: { auth: 'x' } } },
      { context: 'b', data: { backend: { auth: { externalAccess } } } },
    ]);
    expect(readExternalTokens(config)).toMatchObject([{ subject: 'ci' }]);
  });

  it.each<[JsonValue]>([
    ['x'],
    [{}],
    [['x', null, 7]],
    [[{ options: 'x' }, { options: { subject: 7 } }]],
    [[{ options: { subject: '' } }, { type: 'static' }]],
  ])('leaves %j to Backstage, which refuses it', value => {
    expect(read(value)).toEqual([]);
  });
});

describe('the subject of an external token', () => {
  const start = (entry: JsonObject, isLegacy = false) =>
    readApiGateConfig(
      new ConfigReader({
        backend: {
          baseUrl: 'http://localhost',
          auth: { externalAccess: [{ type: 'jwks', options: {} }, entry] },
        },
      }),
      { isLegacy },
    );

  it.each(['my-plugin:a', 'plugin', 'external:plugin:a', 'users:a'])(
    'may be %s',
    subject =>
      expect(() =>
        start({ type: 'static', options: { subject } }),
      ).not.toThrow(),
  );
});
