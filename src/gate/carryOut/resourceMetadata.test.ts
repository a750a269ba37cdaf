import type { ExpressRequest } from '../read/GateRequest';
import { findMcpResource, findResourceMetadata } from './resourceMetadata';

const EXTERNAL = 'https://example.com/api/mcp-actions';
const METADATA = '/.well-known/oauth-protected-resource/api/mcp-actions';

const requestFor = (
  pluginId: string,
  reportedPath: string | undefined,
  { isInstalled = true, external = async () => EXTERNAL } = {},
) =>
  ({
    isInstalled,
    pluginId,
    policy: { config: { mcpPaths: new Set(['/v1', '/v1/docs']) } },
    reportedPath,
    services: {
      plugins: {
        anyRegistered: () => ({
          discovery: {
            getExternalBaseUrl: (id: string) =>
              id === 'mcp-actions' ? external() : undefined,
          },
        }),
      },
    },
  }) as unknown as ExpressRequest;

describe('findResourceMetadata', () => {
  it.each([
    ['mcp-actions', '/v1', '/v1'],
    ['mcp-actions', '/v1/', '/v1'],
    ['mcp-actions', '/v1/docs', '/v1/docs'],
    ['mcp-actions', '/v1/other', undefined],
    ['mcp-actions', '/', undefined],
    ['mcp-actions', undefined, undefined],
    ['other', '/v1', undefined],
  ])('%s %s: %s', async (plugin, path, resource) => {
    const request = requestFor(plugin, path);
    expect(findMcpResource(request)).toBe(resource);
    expect(await findResourceMetadata(request)).toBe(
      resource && `https://example.com${METADATA}${resource}`,
    );
  });

  it('has none where mcp-actions is not installed, or discovery fails', async () => {
    const absent = requestFor('mcp-actions', '/v1', { isInstalled: false });
    expect(findMcpResource(absent)).toBeUndefined();
    expect(await findResourceMetadata(absent)).toBeUndefined();
    const external = () => Promise.reject(new Error('gone'));
    const failing = requestFor('mcp-actions', '/v1', { external });
    expect(await findResourceMetadata(failing)).toBeUndefined();
  });

  it.each([
    [EXTERNAL, 'https://example.com'],
    [
      'https://example.com/backstage/api/mcp-actions',
      'https://example.com/backstage',
    ],
    ['https://mcp.example.com/some/path', 'https://mcp.example.com'],
  ])('of %s is below %s', async (external, root) => {
    const request = requestFor('mcp-actions', '/v1/docs', {
      external: async () => external,
    });
    expect(await findResourceMetadata(request)).toBe(
      `${root}${METADATA}/v1/docs`,
    );
  });
});
