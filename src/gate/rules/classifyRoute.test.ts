import type { AllowRule } from './AllowRule';
import { AllowList } from './AllowList';
import { DenyList } from './DenyList';
import { classifyRoute, Route, RouteClass } from './classifyRoute';

const rules: AllowRule[] = [
  { plugin: 'open', path: '/**', methods: ['GET', 'DELETE'] },
  { plugin: 'open', path: '/live', methods: ['WEBSOCKET'] },
  { plugin: 'auth', path: '/live', methods: ['WEBSOCKET'] },
];
const [openRule, webSocketRule, authWebSocketRule] = rules;

const classify = (route: Partial<Route>): RouteClass =>
  classifyRoute(
    { pluginId: 'open', method: 'GET', path: '/', isInstalled: true, ...route },
    {
      allowList: new AllowList(rules),
      denyList: new DenyList([]),
      config: { signOut: { providers: new Set(['github']) } },
    },
    0,
  );

const KEYS = '/.backstage/auth/v1/jwks.json';
const COOKIE = '/.backstage/auth/v1/cookie';

describe('classifyRoute', () => {
  it('names the rule that opens a route', () => {
    expect(classify({ path: '/a' })).toBe(openRule);
    expect(classify({ path: '/a', isInstalled: false })).toBe(openRule);
    expect(classify({ path: '/live', method: 'WEBSOCKET' })).toBe(
      webSocketRule,
    );
    expect(
      classify({ pluginId: 'auth', path: '/live', method: 'WEBSOCKET' }),
    ).toBe(authWebSocketRule);
  });

  it.each<Partial<Route>>([
    { pluginId: 'closed' },
    { method: 'POST' },
    // Routers and proxies may read these paths differently.
    { path: undefined },
    { path: '/a;b' },
    { path: '/a/' },
    { path: '/a/../b' },
    { pluginId: 'auth', path: undefined },
    { pluginId: 'auth', path: '/a/%2e%2e' },
    // An upgrade is open by a rule for it alone.
    { method: 'WEBSOCKET', path: '/a' },
    { method: 'WEBSOCKET', pluginId: 'app', path: '/a' },
    { method: 'WEBSOCKET', pluginId: 'auth', path: '/a' },
    { path: COOKIE },
  ])('protects %j', route => {
    expect(classify(route)).toBe('protected');
  });

  it.each<[plugin: string, method: string, path: string, RouteClass]>([
    ['auth', 'POST', '/github/logout', 'sign-out'],
    ['auth', 'POST', '/GitHub/Logout', 'sign-out'],
    ['auth', 'GET', '/github/logout', 'built-in-public'],
    ['auth', 'DELETE', '/github/logout', 'built-in-public'],
    ['auth', 'POST', '/gitlab/logout', 'built-in-public'],
    ['auth', 'POST', '/github/refresh', 'built-in-public'],
    ['auth', 'POST', '/github/logout/x', 'built-in-public'],
    ['auth', 'POST', '/x/github/logout', 'built-in-public'],
    ['auth', 'POST', '/logout', 'built-in-public'],
    ['closed', 'POST', '/github/logout', 'protected'],
    ['closed', 'DELETE', COOKIE, 'sign-out'],
    ['open', 'DELETE', COOKIE, 'sign-out'],
    ['auth', 'DELETE', COOKIE, 'sign-out'],
    ['auth', 'DELETE', '/.Backstage/auth/v1/Cookie', 'sign-out'],
    ['closed', 'DELETE', `${COOKIE}s`, 'protected'],
    ['closed', 'GET', COOKIE, 'protected'],
    ['closed', 'POST', COOKIE, 'protected'],
    ['auth', 'GET', COOKIE, 'protected'],
    ['app', 'GET', COOKIE, 'protected'],
    ['closed', 'GET', KEYS, 'built-in-public'],
    ['closed', 'HEAD', KEYS, 'built-in-public'],
    ['open', 'GET', KEYS, 'built-in-public'],
    ['closed', 'POST', KEYS, 'protected'],
    ['closed', 'OPTIONS', KEYS, 'protected'],
    ['closed', 'GET', `${KEYS}/`, 'protected'],
    ['closed', 'GET', KEYS.toUpperCase(), 'protected'],
    ['closed', 'GET', `/x${KEYS}`, 'protected'],
    ['closed', 'GET', '/.well-known/jwks.json', 'protected'],
    // No plugin can have such an id.
    ['x.example.com', 'GET', KEYS, 'protected'],
    ['x:80', 'GET', KEYS, 'protected'],
    ['x@y', 'HEAD', KEYS, 'protected'],
    ['auth', 'GET', KEYS, 'built-in-public'],
    ['auth', 'GET', '/.well-known/jwks.json', 'built-in-public'],
    ['auth', 'GET', '/github/start', 'built-in-public'],
    ['auth', 'POST', '/v1/token', 'built-in-public'],
    ['auth', 'POST', '/', 'built-in-public'],
    ['auth', 'GET', '/api-gateway', 'built-in-public'],
    ['auth', 'GET', '/x/api-gate', 'built-in-public'],
    ['auth', 'GET', '/api-gate', 'protected'],
    ['auth', 'GET', '/API-Gate/v1/policy', 'protected'],
    ['auth', 'POST', '/api-gate/v1/revocations', 'protected'],
    ['app', 'GET', '/', 'built-in-public'],
    ['app', 'HEAD', '/static/main.js', 'built-in-public'],
    ['app', 'POST', '/', 'protected'],
    ['app', 'OPTIONS', '/', 'protected'],
    ['app', 'get', '/', 'protected'],
  ])('of %s, takes %s %s for %s', (plugin, method, path, expected) => {
    expect(classify({ pluginId: plugin, method, path })).toBe(expected);
  });

  it.each<[RouteClass, Partial<Route>]>([
    ['sign-out', { method: 'DELETE', pluginId: 'absent', path: COOKIE }],
    // Behind a gateway, the `auth` plugin of the other backend signs out.
    [
      'built-in-public',
      { method: 'POST', pluginId: 'auth', path: '/github/logout' },
    ],
  ])('is %s for %j where the plugin is not installed', (expected, route) => {
    expect(classify({ ...route, isInstalled: false })).toBe(expected);
  });
});
