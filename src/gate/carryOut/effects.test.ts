import type { GateRequest } from '../read/GateRequest';
import { run } from '../verify/steps';
import { findResourceMetadata } from './effects';

const EXTERNAL = 'https://example.com/api/mcp-actions';
const METADATA = '/.well-known/oauth-protected-resource/api/mcp-actions';

const find = (
  pluginId: string,
  reportedPath: string | undefined,
  { isInstalled = true, external = async () => EXTERNAL } = {},
) =>
  run(
    findResourceMetadata({
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
    } as unknown as GateRequest),
  );

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
    expect(await find(plugin, path)).toBe(
      resource && `https://example.com${METADATA}${resource}`,
    );
  });

  it('has none where mcp-actions is not installed, or discovery fails', async () => {
    const failing = () => Promise.reject(new Error('gone'));
    for (const options of [{ isInstalled: false }, { external: failing }]) {
      expect(await find('mcp-actions', '/v1', options)).toBeUndefined();
    }
  });

  it.each([
    [EXTERNAL, 'https://example.com'],
    [
      'https://example.com/backstage/api/mcp-actions',
      'https://example.com/backstage',
    ],
    ['https://mcp.example.com/some/path', 'https://mcp.example.com'],
  ])('of %s is below %s', async (external, root) => {
    const options = { external: async () => external };
    expect(await find('mcp-actions', '/v1/docs', options)).toBe(
      `${root}${METADATA}/v1/docs`,
    );
  });
});
