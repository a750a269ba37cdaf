import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';
import { mcpMetadataUrl, readMcpPaths } from './readMcpPaths';

const read = (config: JsonObject) => [
  ...readMcpPaths(new ConfigReader(config)),
];

describe('readMcpPaths', () => {
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
  });
});

it.each([
  [
    'https://backstage.example.com/api/mcp-actions',
    'https://backstage.example.com',
  ],
  [
    'https://example.com/backstage/api/mcp-actions',
    'https://example.com/backstage',
  ],
  ['https://mcp.example.com/some/path', 'https://mcp.example.com'],
])('the metadata of %s are below %s', (external, root) => {
  expect(mcpMetadataUrl(external, '/v1/docs')).toBe(
    `${root}/.well-known/oauth-protected-resource/api/mcp-actions/v1/docs`,
  );
});
