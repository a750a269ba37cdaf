import { AllowList } from './AllowList';
import { classifyRoute, RouteClass } from './classifyRoute';

// The proof has each class of routes, with the paths and methods that differ by a character or two.
it.each<[plugin: string, method: string, path: string, RouteClass]>([
  ['auth', 'POST', '/x/github/logout', 'built-in-public'],
  ['auth', 'POST', '/logout', 'built-in-public'],
  ['auth', 'GET', '/x/api-gate', 'built-in-public'],
  ['auth', 'GET', '/.well-known/jwks.json', 'built-in-public'],
  ['closed', 'GET', '/.well-known/jwks.json', 'protected'],
  ['closed', 'GET', '/x/.backstage/auth/v1/jwks.json', 'protected'],
  // No plugin can have such an id.
  ['x:80', 'GET', '/.backstage/auth/v1/jwks.json', 'protected'],
  ['x@y', 'HEAD', '/.backstage/auth/v1/jwks.json', 'protected'],
  ['app', 'get', '/', 'protected'],
])('of %s, %s %s is taken for %s', (pluginId, method, path, expected) => {
  const found = classifyRoute(
    { pluginId, method, path, isInstalled: true },
    {
      allowList: new AllowList([]),
      config: { signOut: { providers: new Set(['github']) } },
    },
    0,
  );
  expect(found).toBe(expected);
});
