import type { Policy } from '../policy/Policy';
import { findResourceMetadata } from './findResourceMetadata';

const policy = {
  config: {
    mcpPaths: new Set(['/v1', '/v1/docs']),
  },
} as unknown as Policy;

function find(
  plugin: string,
  path: string,
  options: { isInstalled?: boolean; isDiscoveryGone?: boolean } = {},
) {
  const { isInstalled = true, isDiscoveryGone = false } = options;
  return findResourceMetadata(plugin, path, policy, {
    isInstalled: () => isInstalled,
    anyRegistered: () =>
      ({
        discovery: {
          getExternalBaseUrl: async (id: string) => {
            if (isDiscoveryGone) {
              throw new Error('gone');
            }
            return `https://example.com/api/${id}`;
          },
        },
      }) as never,
  });
}

const MCP =
  'https://example.com/.well-known/oauth-protected-resource/api/mcp-actions';

describe('findResourceMetadata', () => {
  it.each([
    ['mcp-actions', '/v1', `${MCP}/v1`],
    ['mcp-actions', '/v1/', `${MCP}/v1`],
    ['mcp-actions', '/v1/docs', `${MCP}/v1/docs`],
    ['mcp-actions', '/v1/other', undefined],
    ['mcp-actions', '/', undefined],
    ['other', '/v1', undefined],
  ])('%s %s: %s', async (plugin, path, expected) => {
    expect(await find(plugin, path)).toBe(expected);
  });

  it('has none where mcp-actions is not installed, or discovery fails', async () => {
    for (const options of [{ isInstalled: false }, { isDiscoveryGone: true }]) {
      expect(await find('mcp-actions', '/v1', options)).toBeUndefined();
    }
  });
});
