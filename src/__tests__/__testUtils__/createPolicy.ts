import type { ApiGateConfig } from '../../settings/read/readApiGateConfig';
import { ConfiguredPolicy } from '../../settings/ConfiguredPolicy';

/** Creates a policy that enforces and opens nothing, but for the settings of a test. */
export function createPolicy(
  settings: Partial<ApiGateConfig>,
): ConfiguredPolicy {
  return new ConfiguredPolicy({
    mode: 'enforce',
    allow: [],
    backendOrigin: 'https://backstage.example.com',
    trustedOrigins: ['https://backstage.example.com'],
    trustedPaths: [],
    foreignAuthorization: [],
    signOut: { scope: 'session', providers: new Set() },
    mcpPaths: new Set(),
    audit: { clientAddress: false },
    ...settings,
  } as unknown as ApiGateConfig);
}
