import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';
import { readApiGateConfig } from './readApiGateConfig';

const backend = { baseUrl: 'https://backstage.example.com' };
const read = (config: JsonObject) => [
  ...readApiGateConfig(new ConfigReader({ backend, ...config })).mcpPaths,
];

describe('the paths of MCP servers', () => {
  const mcpActions = { servers: { docs: { name: 'Docs' }, 'read-only': {} } };

  it.each<[JsonObject]>([
    [{ clientIdMetadataDocuments: { enabled: true } }],
    [{ experimentalClientIdMetadataDocuments: { enabled: true } }],
    [{ experimentalDynamicClientRegistration: { enabled: true } }],
    [{ staticClients: [] }],
  ])('has the default server and each named one with auth %j', auth => {
    expect(read({ auth })).toEqual(['/v1']);
    expect(read({ auth, mcpActions })).toEqual([
      '/v1',
      '/v1/docs',
      '/v1/read-only',
    ]);
  });

  it.each<[JsonObject]>([
    [{}],
    [{ clientIdMetadataDocuments: { enabled: false } }],
    [{ clientIdMetadataDocuments: {} }],
    // The older key is not read where the newer is there.
    [
      {
        clientIdMetadataDocuments: { enabled: false },
        experimentalClientIdMetadataDocuments: { enabled: true },
      },
    ],
    [{ experimentalDynamicClientRegistration: { enabled: false } }],
    [{ experimentalRefreshToken: { enabled: true } }],
  ])('has none with auth %j', auth => {
    expect(read({ auth, mcpActions })).toEqual([]);
  });

  it('ignores servers of a wrong type', () => {
    const auth = { staticClients: [] };
    expect(read({ auth, mcpActions: { servers: ['docs'] } })).toEqual(['/v1']);
    expect(read({ auth, mcpActions: { servers: 'docs' } })).toEqual(['/v1']);
    expect(read({ auth, mcpActions: 'docs' })).toEqual(['/v1']);
  });
});
