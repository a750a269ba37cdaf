import {
  acceptsUserCookie,
  isIssuanceEndpoint,
  isTrustedPath,
} from './cookiePaths';
import type { ExpressRequest } from './GateRequest';

/** A request to a plugin that has declared `/static` for cookies; the operator trusts `/docs` below it, for any method. */
const request = (method: string, path?: string, pluginId = 'hello') =>
  ({
    method,
    path,
    pluginId,
    plugin: {
      id: pluginId,
      acceptsUserCookie: (below: string) => below.startsWith('/static/'),
      isForCookies: (below: string) => below.startsWith('/static/'),
    },
    policy: {
      isTrustedPath: (id: string, below: string) =>
        id === 'hello' && below.startsWith('/docs/'),
    },
  }) as unknown as ExpressRequest;

describe('acceptsUserCookie', () => {
  it.each([
    ['GET', '/static/x', true],
    ['HEAD', '/static/x', true],
    ['GET', '/static/a%20b', true],
    ['GET', '/static/..%2fx', false],
    ['GET', '/static/%', false],
    ['GET', '/other', false],
    ['GET', undefined, false],
    ['POST', '/static/x', false],
    ['WEBSOCKET', '/static/x', false],
  ])('of %s %s is %s', (method, path, expected) => {
    expect(acceptsUserCookie(request(method, path))).toBe(expected);
  });
});

describe('isTrustedPath', () => {
  it.each([
    ['GET', '/static/x', true],
    ['POST', '/static/x', false],
    ['GET', '/static/..%2fx', false],
    ['GET', '/docs/x', true],
    ['POST', '/docs/x', true],
    ['GET', '/docs/a%20b', false],
    ['GET', '/docs/../x', false],
    ['GET', '/other', false],
    ['GET', undefined, false],
  ])('of %s %s is %s', (method, path, expected) => {
    expect(isTrustedPath(request(method, path))).toBe(expected);
  });
});

describe('isIssuanceEndpoint', () => {
  it.each([
    ['/.backstage/auth/v1/cookie', 'hello', true],
    ['/.backstage/auth/v1/cookie', 'cookie', true],
    ['/', 'cookie', true],
    ['/', 'hello', false],
    ['/x', 'cookie', false],
    ['/x', 'hello', false],
    [undefined, 'cookie', false],
  ])('of %s below %s is %s', (path, pluginId, expected) => {
    expect(isIssuanceEndpoint(request('GET', path, pluginId))).toBe(expected);
  });
});
