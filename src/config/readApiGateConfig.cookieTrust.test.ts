import { ConfigReader } from '@backstage/config';
import { InputError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import { readApiGateConfig } from './readApiGateConfig';

const BASE_URL = 'https://backstage.example.com';

const read = (cookie: JsonObject) =>
  readApiGateConfig(
    new ConfigReader({
      backend: { baseUrl: BASE_URL },
      auth: { apiGate: { cookie } },
    }),
  );

const AT = 'auth.apiGate.cookie';
const NO_ORIGIN =
  'must be one origin, such as https://portal.example.com, without a path or a wildcard';

describe('what the cookie trusts', () => {
  it('is the backend, and origins and paths that are named', () => {
    const trustedOrigins = ['http://localhost:3000', 'https://a.example.com'];
    const trustedPaths = [{ plugin: 'proxy', path: '/a/**' }];
    const config = read({ trustedOrigins, trustedPaths });
    expect(config.trustedOrigins).toEqual([BASE_URL, ...trustedOrigins]);
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
          backend: { baseUrl: BASE_URL },
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
    [{ trustedOrigins: 'x' }, 'trustedOrigins must be a list of texts'],
    [
      { trustedPaths: 'x' },
      'trustedPaths must be a list of objects, each with a plugin and a path',
    ],
    [
      { trustedPaths: [[]] },
      'trustedPaths[0] must be an object with the keys plugin, path',
    ],
    [
      { trustedPaths: [{ plugin: 'A', path: '/a' }] },
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
