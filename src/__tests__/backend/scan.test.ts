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
import { findUnscanned } from '../../cli/scan/compareScans';
import type { DeclaredPolicy } from '../../gate/plugins/DeclaredPolicies';
import { asRules } from '../../settings/declaredOpen';
import { RunningBackend, startBackend } from '../__testUtils__/startBackend';

jest.setTimeout(60_000);

// Goes in October 2027: plugins of releases before November 2026 differ, or are not installed.
const { API_GATE_TEST_RELEASE: release = '2026-11' } = process.env;
const describeWithPlugins = release >= '2026-11' ? describe : describe.skip;

let backend: RunningBackend | undefined;
afterAll(() => backend?.stop());

describeWithPlugins('the stock plugins', () => {
  it('[P120] a scan names what the stock plugins declare as they start, or says that it can not be told', async () => {
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

const policy: DeclaredPolicy = {
  ...{ plugin: 'acme', path: '/', allow: 'unauthenticated' },
  isWebSocket: false,
};

it.each<[Partial<DeclaredPolicy>]>([
  [{ path: '/other' }],
  [{ plugin: 'other' }],
  [{ allow: 'user-cookie' }],
  [{ isWebSocket: true }],
])('the scan is compared with %j', changed => {
  const of = { name: 'a', version: '', routes: [], asks: true, doubts: [] };
  const opens = [{ ...policy, at: 'index.js:1' }];
  const named = { ...of, plugins: ['acme'], opens };
  const doubts = [{ doubt: 'why' }];
  const doubtful = { ...of, plugins: ['Acme'], opens: [], doubts };
  const declared = [asRules({ ...policy, ...changed })];
  expect(findUnscanned([named], [asRules(policy)])).toEqual([]);
  expect(findUnscanned([named], declared)).toEqual(declared);
  expect(findUnscanned([doubtful], declared)).toEqual(
    changed.plugin ? declared : [],
  );
});
