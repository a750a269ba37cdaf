import catalogPlugin from '@backstage/plugin-catalog-backend';
import eventsPlugin from '@backstage/plugin-events-backend';
import mcpActionsPlugin from '@backstage/plugin-mcp-actions-backend';
import permissionPlugin from '@backstage/plugin-permission-backend';
import allowAllPolicy from '@backstage/plugin-permission-backend-module-allow-all-policy';
import proxyPlugin from '@backstage/plugin-proxy-backend';
import searchPlugin from '@backstage/plugin-search-backend';
import signalsPlugin from '@backstage/plugin-signals-backend';
import techdocsPlugin from '@backstage/plugin-techdocs-backend';
import { recordDeclared } from '../__testUtils__/expectScanned';
import { RunningBackend, startBackend } from '../__testUtils__/startBackend';

jest.setTimeout(60_000);

// Goes in October 2027: plugins of releases before November 2026 differ, or are not installed.
const { API_GATE_TEST_RELEASE: release = '2026-11' } = process.env;
const describeWithPlugins = release >= '2026-11' ? describe : describe.skip;

let backend: RunningBackend | undefined;
afterAll(() => backend?.stop());

describeWithPlugins('the stock plugins', () => {
  it('[P120] the report names what the stock plugins declare as they start, or says that it can not be told', async () => {
    const expectScanned = recordDeclared();
    backend = await startBackend({
      features: [
        ...[catalogPlugin, eventsPlugin, mcpActionsPlugin, permissionPlugin],
        ...[allowAllPolicy, proxyPlugin, searchPlugin, signalsPlugin],
        techdocsPlugin,
      ],
      config: {
        proxy: {
          endpoints: {
            '/open': {
              target: 'http://localhost:1',
              credentials: 'dangerously-allow-unauthenticated',
            },
          },
        },
        techdocs: { builder: 'external', publisher: { type: 'local' } },
      },
    });
    const names = ['auth', 'catalog', 'events', 'mcp-actions', 'permission'];
    const declared = await expectScanned(
      ...[...names, 'proxy', 'search', 'signals', 'techdocs'].map(
        name => `@backstage/plugin-${name}-backend`,
      ),
    );
    expect(
      declared.map(({ plugin, path, allow }) => [plugin, path, allow]),
    ).toEqual([
      ['auth', '/', 'unauthenticated'],
      ['events', '/http', 'unauthenticated'],
      ['permission', '/health', 'unauthenticated'],
      ['proxy', '/open', 'unauthenticated'],
      ['signals', '/health', 'unauthenticated'],
      ['techdocs', '/static', 'user-cookie'],
    ]);
    // Without a package, what its plugin declares is found to be missing.
    await expect(
      expectScanned('@backstage/plugin-events-backend'),
    ).rejects.toThrow(/"\/static"/);
  });
});
