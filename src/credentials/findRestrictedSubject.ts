import type { BackendPlugins } from './BackendPlugins';
import { substituteRequest } from './substituteRequest';

/**
 * Finds the subject of an external token whose access restrictions exclude a plugin. Backstage has verified such a token, but
 * its error does not name the subject; the plugins that the token may call return it.
 *
 * @returns `undefined` if no plugin of this backend accepts the token
 */
export async function findRestrictedSubject(
  token: string,
  plugins: Pick<BackendPlugins, 'all'>,
): Promise<string | undefined> {
  for (const plugin of plugins.all()) {
    try {
      const httpAuth = await plugin.httpAuthFor(undefined);
      const { principal } = await httpAuth.credentials(
        substituteRequest(token),
        { allow: ['service'] },
      );
      return principal.subject;
    } catch {
      // The token is not for this plugin either.
    }
  }
  return undefined;
}
