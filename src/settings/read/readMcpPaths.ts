import type { Config } from '@backstage/config';
import { asObject } from './values';

/**
 * Reads the paths at which the plugin `mcp-actions` serves RFC 9728 metadata for what is below it: `/v1` and each named
 * server's, and none where it serves none. The condition is the plugin's own, and its settings are experimental: this file
 * alone reads them. A value of a wrong type is the plugin's to refuse.
 */
export function readMcpPaths(rootConfig: Config): ReadonlySet<string> {
  const read = (key: string) => rootConfig.getOptional(key);
  const documents =
    read('auth.clientIdMetadataDocuments') === undefined
      ? 'auth.experimentalClientIdMetadataDocuments'
      : 'auth.clientIdMetadataDocuments';
  const hasOAuthClients =
    read('auth.experimentalDynamicClientRegistration.enabled') === true ||
    read(`${documents}.enabled`) === true ||
    read('auth.staticClients') !== undefined;
  const servers = Object.keys(asObject(asObject(read('mcpActions')).servers));
  return new Set(
    hasOAuthClients ? ['/v1', ...servers.map(each => `/v1/${each}`)] : [],
  );
}
