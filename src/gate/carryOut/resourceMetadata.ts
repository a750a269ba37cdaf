import type { GateRequest } from '../read/GateRequest';
import { awaited, Steps } from '../verify/steps';

/** The plugin that serves Backstage's actions to MCP clients. */
const MCP_PLUGIN = 'mcp-actions';

/**
 * Returns the address at which clients of the MCP plugin read how to sign in: that of the metadata of the requested resource (RFC 9728),
 * which the plugin serves at the root of the backend. Returns `undefined` if there is none, or if discovery fails. Discovery alone
 * decides the address, never a header of the request.
 */
export function* findResourceMetadata(
  request: GateRequest,
): Steps<string | undefined> {
  const { isInstalled, pluginId, policy, services } = request;
  if (pluginId !== MCP_PLUGIN || !isInstalled) {
    return undefined;
  }
  // Express reads `/v1/` as `/v1`.
  const path = request.reportedPath?.replace(/(.)\/$/, '$1') ?? '';
  if (!policy.config.mcpPaths.has(path)) {
    return undefined;
  }
  try {
    const { discovery } = services.plugins.anyRegistered();
    const baseUrl = yield* awaited(discovery.getExternalBaseUrl(MCP_PLUGIN));
    const mount = `/api/${MCP_PLUGIN}`;
    const root = baseUrl.endsWith(mount)
      ? baseUrl.slice(0, -mount.length)
      : new URL(baseUrl).origin;
    return `${root}/.well-known/oauth-protected-resource${mount}${path}`;
  } catch {
    return undefined;
  }
}
