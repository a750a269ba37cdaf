import { tokenTypes } from '@backstage/plugin-auth-node';
import { Refusal } from '../decision/Refusal';
import { PLUGIN_KEYS_PATH, USER_KEYS_PATH } from '../http/backstagePaths';
import type { BackendPlugins } from './BackendPlugins';
import { KeyEndpoints, offersKeys } from './KeyEndpoints';
import type { Token } from './token';

interface AskedServices {
  plugins: Pick<BackendPlugins, 'anyRegistered'>;
  keyEndpoints: KeyEndpoints;
}

/**
 * Distinguishes an invalid token from one whose keys cannot be fetched; Backstage reports both as an AuthenticationError.
 *
 * @throws Refusal 503
 */
export async function assertKeysAvailable(
  { claims, userToken }: Token,
  { plugins, keyEndpoints }: AskedServices,
): Promise<void> {
  const { discovery } = plugins.anyRegistered();
  if (userToken) {
    const url = `${await discovery.getBaseUrl('auth')}${USER_KEYS_PATH}`;
    if (!offersKeys(await keyEndpoints.probe(url))) {
      throw Refusal.keysUnavailable;
    }
  }
  if (claims?.typ === tokenTypes.plugin.typParam) {
    const url = `${await discovery.getBaseUrl(claims.sub!)}${PLUGIN_KEYS_PATH}`;
    // An empty key set is a valid answer here: a plugin that has called no other plugin has no key yet.
    if (typeof (await keyEndpoints.probe(url)) !== 'number') {
      throw Refusal.keysUnavailable;
    }
  }
}
