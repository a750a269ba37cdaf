import type { GateRequest } from '../read/GateRequest';
import { awaited, Steps } from '../verify/steps';

/** The plugin that serves Backstage's actions to MCP clients. */
const MCP_PLUGIN = 'mcp-actions';

/**
 * Returns the path of the requested resource of the MCP plugin, if its clients read in its metadata how to sign in (RFC 9728).
 * Discovery alone decides the address of the metadata, never a header of the request.
 */
function findMcpResource({
  isInstalled,
  pluginId,
  policy,
  reportedPath,
}: GateRequest): string | undefined {
  if (pluginId !== MCP_PLUGIN || !isInstalled) {
    return undefined;
  }
  // Express reads `/v1/` as `/v1`.
  const path = reportedPath?.replace(/(.)\/$/, '$1');
  return path && policy.config.mcpPaths.has(path) ? path : undefined;
}

/**
 * Returns the address of the metadata of the requested resource, which the plugin serves at the root of the backend; `undefined` if
 * there is none, or if discovery fails.
 */
export function* findResourceMetadata(
  request: GateRequest,
): Steps<string | undefined> {
  const path = findMcpResource(request);
  if (path === undefined) {
    return undefined;
  }
  try {
    const { discovery } = request.services.plugins.anyRegistered();
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
