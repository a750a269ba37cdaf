import { isCookieEndpoint } from '../http/backstagePaths';
import { isBuiltInPublicRoute } from './isBuiltInPublicRoute';

const KEYS = '/.backstage/auth/v1/jwks.json';
const COOKIE = '/.backstage/auth/v1/cookie';
const NEW_SYSTEM = { hasPluginKeys: true };

describe('isBuiltInPublicRoute', () => {
  it('is not the key endpoint of plugins that have no keys', () => {
    const isPublic = (plugin: string, path: string) =>
      isBuiltInPublicRoute(plugin, 'GET', path, { hasPluginKeys: false });
    expect(isPublic('catalog', KEYS)).toBe(false);
    expect(isPublic('auth', '/.well-known/jwks.json')).toBe(true);
    expect(isPublic('app', '/')).toBe(true);
  });

  it.each([
    ['catalog', 'GET', KEYS],
    ['catalog', 'HEAD', KEYS],
    ['auth', 'GET', '/.well-known/jwks.json'],
    ['auth', 'GET', KEYS],
    ['auth', 'GET', '/github/start'],
    ['auth', 'POST', '/v1/token'],
    ['auth', 'GET', '/'],
    ['auth', 'GET', '/api-gateway'],
    ['auth', 'GET', '/x/api-gate'],
    ['app', 'GET', '/'],
    ['app', 'HEAD', '/static/main.js'],
  ])('is %s %s %s', (plugin, method, path) => {
    expect(isBuiltInPublicRoute(plugin, method, path, NEW_SYSTEM)).toBe(true);
  });

  it.each([
    ['catalog', 'POST', KEYS],
    ['x.example.com', 'GET', KEYS],
    ['x:80', 'GET', KEYS],
    ['x@y', 'HEAD', KEYS],
    ['catalog', 'OPTIONS', KEYS],
    ['catalog', 'GET', `${KEYS}/`],
    ['catalog', 'GET', KEYS.toUpperCase()],
    ['catalog', 'GET', `/x${KEYS}`],
    ['catalog', 'GET', '/.well-known/jwks.json'],
    ['catalog', 'GET', '/'],
    ['auth', 'GET', '/api-gate'],
    ['auth', 'GET', '/API-Gate/v1/policy'],
    ['auth', 'POST', '/api-gate/v1/revocations'],
    ['auth', 'GET', COOKIE],
    ['auth', 'DELETE', COOKIE],
    ['app', 'GET', COOKIE],
    ['app', 'GET', `${COOKIE}/`],
    ['app', 'POST', '/'],
    ['app', 'OPTIONS', '/'],
    ['app', 'get', '/'],
  ])('is not %s %s %s', (plugin, method, path) => {
    expect(isBuiltInPublicRoute(plugin, method, path, NEW_SYSTEM)).toBe(false);
  });
});

describe('isCookieEndpoint', () => {
  it.each([
    [COOKIE, true],
    [`${COOKIE}/`, true],
    [COOKIE.toUpperCase(), true],
    [`${COOKIE}//`, false],
    [`${COOKIE}s`, false],
    [`${COOKIE}/x`, false],
    [`/x${COOKIE}`, false],
    ['/', false],
  ])('holds for %s: %s', (path, expected) => {
    expect(isCookieEndpoint(path)).toBe(expected);
  });
});
