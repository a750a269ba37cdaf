import { isCookieEndpoint } from '../http/backstagePaths';

/**
 * Returns whether a request is one of the two by which stock Backstage frontends sign out. Both send cookies and no bearer token.
 *
 * - `POST /api/auth/<provider>/logout`, of a provider that signs users in. The same call of another provider disconnects an
 *   account in the settings
 * - `DELETE /api/<plugin>/.backstage/auth/v1/cookie`
 *
 * @param path - unambiguous, below the plugin
 * @param providers - ids of the providers that sign users in, in lower case
 */
export function isSignOutCall(
  plugin: string,
  method: string,
  path: string,
  providers: ReadonlySet<string>,
): boolean {
  if (method === 'DELETE') {
    return isCookieEndpoint(path);
  }
  if (method === 'POST' && plugin === 'auth') {
    const [, provider, action, ...rest] = path.toLowerCase().split('/');
    return action === 'logout' && rest.length === 0 && providers.has(provider);
  }
  return false;
}
