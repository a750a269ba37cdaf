import {
  acceptsUserCookie,
  isIssuanceEndpoint,
  trustOfPath,
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

describe('trustOfPath', () => {
  it.each([
    ['GET', '/static/x', 'plugin'],
    ['POST', '/static/x', undefined],
    ['GET', '/static/..%2fx', undefined],
    ['GET', '/docs/x', 'operator'],
    ['POST', '/docs/x', 'operator'],
    ['GET', '/docs/a%20b', undefined],
    ['GET', '/docs/../x', undefined],
    ['GET', '/other', undefined],
    ['GET', undefined, undefined],
  ])('of %s %s is %s', (method, path, expected) => {
    expect(trustOfPath(request(method, path))).toBe(expected);
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
