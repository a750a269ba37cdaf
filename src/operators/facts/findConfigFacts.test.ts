import { AllowList } from '../../gate/rules/AllowList';
import { classifyRoute } from '../../gate/rules/classifyRoute';
import { ALWAYS_PUBLIC } from './findConfigFacts';

const PATHS = [
  '/',
  '/x',
  '/.backstage/auth/v1/jwks.json',
  '/.backstage/auth/v1/jwks.json/x',
  '/.backstage/auth/v1/cookie',
  '/.well-known/jwks.json',
  '/guest/refresh',
  '/guest/logout',
  '/api-gate',
  '/api-gate/v1/policy',
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Returns whether a line of the list, as it reads, names a request. */
function isListed(plugin: string, method: string, path: string): boolean {
  return ALWAYS_PUBLIC.some(({ what, note = '' }) => {
    const [methods, target] = what.split(/ +/);
    const [, excepted] = note.split('except ');
    const at = `/api/${plugin}${path}`;
    return (
      ['any', method === 'HEAD' ? 'GET' : method].includes(methods) &&
      [`/api/${plugin}/**`, at, `/api/*${path}`].includes(target) &&
      !excepted
        ?.split(' and ')
        .map(each => each.replace('…', `/api/${plugin}`))
        .some(each => at === each || at.startsWith(`${each}/`))
    );
  });
}

describe('the list of what is public without a rule', () => {
  it.each(['auth', 'app', 'hello'])(
    'is what the gate decides, for %s',
    plugin => {
      for (const path of PATHS) {
        for (const method of METHODS) {
          const route = classifyRoute(
            { pluginId: plugin, method, path, isInstalled: true },
            {
              allowList: new AllowList([]),
              config: { signOut: { providers: new Set(['guest']) } },
            },
            0,
          );
          expect([path, method, route !== 'protected']).toEqual([
            path,
            method,
            isListed(plugin, method, path),
          ]);
        }
      }
    },
  );
});
