import { MCP_PLUGIN, mcpMetadataUrl } from '../config/readMcpPaths';
import type { BackendPlugins } from '../credentials/BackendPlugins';
import type { Policy } from '../policy/Policy';
import type { MaybePromise } from '../util/then';

/**
 * Returns the address of the RFC 9728 metadata of the requested resource; `undefined` if there is none, or if discovery fails.
 * Discovery alone decides the address, never a header of the request.
 *
 * @param path - below the plugin
 */
export function findResourceMetadata(
  plugin: string,
  path: string,
  { config }: Policy,
  plugins: Pick<BackendPlugins, 'isInstalled' | 'anyRegistered'>,
): MaybePromise<string | undefined> {
  // Express reads `/v1/` as `/v1`.
  const resource = path.replace(/(.)\/$/, '$1');
  const isMcp =
    plugin === MCP_PLUGIN &&
    config.mcpPaths.has(resource) &&
    plugins.isInstalled(plugin);
  return isMcp ? discoverMcpMetadata(resource, plugins) : undefined;
}

async function discoverMcpMetadata(
  resource: string,
  plugins: Pick<BackendPlugins, 'anyRegistered'>,
): Promise<string | undefined> {
  try {
    const { discovery } = plugins.anyRegistered();
    const url = await discovery.getExternalBaseUrl(MCP_PLUGIN);
    return mcpMetadataUrl(url, resource);
  } catch {
    return undefined;
  }
}
