import type { AllowRule } from '../config/AllowRule';
import { AllowList } from './AllowList';
import { classifyRoute, Route, RouteClass } from './classifyRoute';

const rules: AllowRule[] = [
  { plugin: 'open', path: '/**', methods: ['GET', 'DELETE'] },
  { plugin: 'open', path: '/live', methods: ['WEBSOCKET'] },
  { plugin: 'auth', path: '/live', methods: ['WEBSOCKET'] },
];
const [openRule, webSocketRule, authWebSocketRule] = rules;

const classify = (route: Partial<Route>): RouteClass =>
  classifyRoute(
    { plugin: 'open', method: 'GET', path: '/', isInstalled: true, ...route },
    {
      allowList: new AllowList(rules),
      config: { signOut: { providers: new Set(['github']) } },
    },
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
      classify({ plugin: 'auth', path: '/live', method: 'WEBSOCKET' }),
    ).toBe(authWebSocketRule);
  });

  it.each<Partial<Route>>([
    { plugin: 'closed' },
    { method: 'POST' },
    // Routers and proxies may read these paths differently.
    { path: undefined },
    { path: '/a;b' },
    { path: '/a/' },
    { path: '/a/../b' },
    { plugin: 'auth', path: undefined },
    { plugin: 'auth', path: '/a/%2e%2e' },
    // An upgrade is open by a rule for it alone.
    { method: 'WEBSOCKET', path: '/a' },
    { method: 'WEBSOCKET', plugin: 'app', path: '/a' },
    { method: 'WEBSOCKET', plugin: 'auth', path: '/a' },
    { plugin: 'auth', path: '/api-gate/v1/policy' },
    { path: COOKIE },
    { plugin: 'closed', path: KEYS, hasPluginKeys: false },
  ])('protects %j', route => {
    expect(classify(route)).toBe('protected');
  });

  it.each<Partial<Route>>([
    { method: 'POST', plugin: 'auth', path: '/github/logout' },
    { method: 'DELETE', plugin: 'closed', path: COOKIE },
    { method: 'DELETE', plugin: 'open', path: COOKIE },
    { method: 'DELETE', plugin: 'absent', path: COOKIE, isInstalled: false },
  ])('takes %j for a sign-out', route => {
    expect(classify(route)).toBe('sign-out');
  });

  it.each<Partial<Route>>([
    { plugin: 'auth' },
    { plugin: 'app', path: '/index.html' },
    { plugin: 'closed', path: KEYS },
    { plugin: 'open', path: KEYS },
    { plugin: 'closed', path: KEYS, hasPluginKeys: true },
    { method: 'POST', plugin: 'auth', path: '/gitlab/logout' },
    // Behind a gateway, the `auth` plugin of the other backend signs out.
    {
      ...{ method: 'POST', plugin: 'auth', path: '/github/logout' },
      isInstalled: false,
    },
  ])('takes %j for public without a rule', route => {
    expect(classify(route)).toBe('built-in-public');
  });
});
