import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import { AuthService, BackendFeature } from '@backstage/backend-plugin-api';
import { merge } from 'lodash';
import { parse } from 'yaml';
import { blocksAfter } from '../../__testUtils__/documents';
import {
  openPlugin,
  recordingPlugin,
} from '../../__testUtils__/recordingPlugin';
import { bearer, JSON_TYPE } from '../../__testUtils__/requestParts';
import { runSnippet } from '../../__testUtils__/runSnippet';
import { signedBackends } from '../../__testUtils__/signedBackends';

const backends = signedBackends();

const PAGE = 'docs/migrate.md';

describe('docs/migrate.md, from the setting', () => {
  const [setting] = blocksAfter(
    PAGE,
    'From dangerouslyDisableDefaultAuthPolicy',
  );
  const [callAsItself] = blocksAfter(PAGE, 'What you will find', 'ts');
  const allow = [{ plugin: 'catalog', path: '/open' }];

  /** How the plugin `caller` gets its token for the catalog. */
  type GetToken = (auth: AuthService) => Promise<string>;
  const onBehalfOfNobody: GetToken = async auth =>
    (
      await auth.getPluginRequestToken({
        onBehalfOf: await auth.getNoneCredentials(),
        targetPluginId: 'catalog',
      })
    ).token;
  const asThePageSays: GetToken = auth =>
    runSnippet(callAsItself, { auth }, 'token');

  async function start(options: {
    withSetting: boolean;
    withGate?: boolean;
    apiGate?: { mode?: string };
    getToken?: GetToken;
  }) {
    const { withSetting, withGate, getToken = onBehalfOfNobody } = options;
    let url = '';
    const caller = openPlugin('caller', {
      handle: async (_req, res, { auth }) => {
        const token = await getToken(auth);
        const { status } = await fetch(`${url}/api/catalog/x`, {
          headers: token ? { Authorization: `Bearer ${token}` } : {},
        });
        res.json({ status });
      },
    });
    const backend = await backends.start({
      withGate,
      features: [recordingPlugin('catalog').feature, caller.feature],
      config: withSetting ? parse(setting) : {},
      apiGate: { allow, ...options.apiGate },
    });
    ({ url } = backend);
    const user = bearer(await backend.guest());
    return {
      ...backend,
      anonymous: async () => [
        await backend.statusOf('/api/catalog/x'),
        await backend.statusOf('/api/catalog/open'),
      ],
      bySignedIn: () => backend.statusOf('/api/catalog/x', user),
      /** The status that the catalog answers the plugin `caller` with. */
      betweenPlugins: async () =>
        JSON.parse((await backend.get('/api/caller/x', user)).body).status,
      report: async () => backend.policy(await caller.tokenFor('auth')),
    };
  }

  it('leads from the setting to a gate that enforces, with Backstage’s policy behind it', async () => {
    const before = await start({ withSetting: true, withGate: false });
    expect(await before.anonymous()).toEqual([200, 200]);
    expect(await before.betweenPlugins()).toBe(200);

    const reporting = await start({
      withSetting: true,
      apiGate: { mode: 'report-only' },
    });
    expect(await reporting.anonymous()).toEqual([200, 200]);
    expect(await reporting.betweenPlugins()).toBe(200);
    const { findings, refusals } = await reporting.report();
    expect(findings.map(({ id }) => id)).toContain('no-barrier-behind');
    expect(refusals.last).toContainEqual(
      expect.objectContaining({ plugin: 'catalog', outcome: 'would-refuse' }),
    );

    const enforcing = await start({ withSetting: true });
    expect(await enforcing.anonymous()).toEqual([401, 200]);
    expect(await enforcing.bySignedIn()).toBe(200);
    expect(await enforcing.betweenPlugins()).toBe(401);
    const warning = 'DefaultAuthPolicy: takes the barriers';
    expect(enforcing.logged(warning, 'warn')).not.toEqual([]);

    const without = await start({
      withSetting: false,
      getToken: asThePageSays,
    });
    expect(await without.anonymous()).toEqual([401, 200]);
    expect(await without.bySignedIn()).toBe(200);
    expect(await without.betweenPlugins()).toBe(200);
    const ids = (await without.report()).findings.map(({ id }) => id);
    expect(ids).not.toContain('no-barrier-behind');
  });
});

describe('docs/migrate.md, from the tutorial', () => {
  const [tutorial] = blocksAfter(
    PAGE,
    'From the tutorial, new backend system',
    'ts',
  );
  const [rules] = blocksAfter(PAGE, '2. Turn the whitelist into rules');
  const FRONTEND = 'http://localhost:3000';

  /** Returns the adopter's `configure` without the lines of the tutorial. */
  function configureWithoutTutorial(): Promise<BackendFeature> {
    const kept = tutorial
      .replace(/ *app\.use\((cookieParser|authMiddlewareFactory)\(.*\n/g, '')
      .replace(/ *app\.use\('\/api\/cookie'.*?\n {4}\}\);\n/s, '');
    // Backstage's own `configure` has these lines where the page leaves lines out.
    const [first, last] = [
      ['helmet', 'cors', 'compression', 'logging'],
      ['notFound', 'error'],
    ].map(names =>
      names.map(name => `app.use(middleware.${name}());`).join('\n'),
    );
    expect(kept).toMatch(/=> \{\n\s*\/\/ …\n\s*app\.use\(routes\);\n/);
    return runSnippet(
      kept.replace('// …', first).replace('// …', last),
      { rootHttpRouterServiceFactory },
      'exports.default',
    );
  }

  const start = async () =>
    backends.start({
      features: [
        recordingPlugin('hello').feature,
        recordingPlugin('events').feature,
        await configureWithoutTutorial(),
      ],
      config: merge(
        { backend: { cors: { origin: FRONTEND, credentials: true } } },
        parse(rules),
      ),
    });

  it('leaves what the rules name public, and refuses the rest', async () => {
    const { request, statusOf, guest } = await start();
    const deliver = async (topic: string) =>
      (await request('POST', `/api/events/http/${topic}`, [JSON_TYPE], '{}'))
        .status;
    expect(await deliver('github')).toBe(200);
    expect(await deliver('other')).toBe(401);
    expect(await statusOf('/api/hello/x')).toBe(401);
    const user = bearer(await guest());
    expect(await statusOf('/api/hello/x', user)).toBe(200);
    expect(await statusOf('/api/cookie', user)).toBe(404);
  });
});
