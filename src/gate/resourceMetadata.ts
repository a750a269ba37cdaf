import type { GateRequest } from './GateRequest';

/** The plugin that serves Backstage's actions to MCP clients. */
const MCP_PLUGIN = 'mcp-actions';

/** Returns whether a request is for a resource of the MCP plugin whose clients read in its metadata how to sign in (RFC 9728). */
export function isMcpResource(request: GateRequest): boolean {
  return resourceOf(request) !== undefined;
}

/**
 * Returns the address of the RFC 9728 metadata of the requested resource; `undefined` if there is none, or if discovery fails.
 * Discovery alone decides the address, never a header of the request.
 */
export async function findResourceMetadata(
  request: GateRequest,
): Promise<string | undefined> {
  const resource = resourceOf(request);
  try {
    const { discovery } = request.services.plugins.anyRegistered();
    return resource === undefined
      ? undefined
      : mcpMetadataUrl(
          await discovery.getExternalBaseUrl(MCP_PLUGIN),
          resource,
        );
  } catch {
    return undefined;
  }
}

function resourceOf({
  isInstalled,
  pluginId,
  policy,
  reportedPath,
}: GateRequest): string | undefined {
  if (pluginId !== MCP_PLUGIN || !isInstalled) {
    return undefined;
  }
  // Express reads `/v1/` as `/v1`.
  const resource = reportedPath?.replace(/(.)\/$/, '$1');
  return resource && policy.config.mcpPaths.has(resource)
    ? resource
    : undefined;
}

/**
 * Returns the address of the metadata of a resource. The plugin serves it at the root of the backend.
 *
 * @param externalBaseUrl - the plugin's, from discovery
 */
function mcpMetadataUrl(externalBaseUrl: string, path: string): string {
  const mount = `/api/${MCP_PLUGIN}`;
  const root = externalBaseUrl.endsWith(mount)
    ? externalBaseUrl.slice(0, -mount.length)
    : new URL(externalBaseUrl).origin;
  return `${root}/.well-known/oauth-protected-resource${mount}${path}`;
}
