import type { Config } from '@backstage/config';
import { asObject } from './values';

/**
 * Reads the paths at which the plugin `mcp-actions` serves RFC 9728 metadata for what is below it: `/v1` and each named
 * server's, and none where it serves none. The condition is the plugin's own, and its settings are experimental: this file
 * alone reads them. A value of a wrong type is the plugin's to refuse.
 */
export function readMcpPaths(rootConfig: Config): ReadonlySet<string> {
  if (!hasOAuthClients(rootConfig)) {
    return new Set();
  }
  const servers = asObject(rootConfig.getOptional('mcpActions.servers'));
  const paths = Object.keys(servers).map(server => `/v1/${server}`);
  return new Set(['/v1', ...paths]);
}

function hasOAuthClients(rootConfig: Config): boolean {
  const has = (key: string) => rootConfig.getOptional(key) !== undefined;
  const isOn = (key: string) => rootConfig.getOptional(key) === true;
  const documents = has('auth.clientIdMetadataDocuments')
    ? 'auth.clientIdMetadataDocuments'
    : 'auth.experimentalClientIdMetadataDocuments';
  return (
    isOn('auth.experimentalDynamicClientRegistration.enabled') ||
    isOn(`${documents}.enabled`) ||
    has('auth.staticClients')
  );
}
