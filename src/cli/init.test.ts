import { ConfigReader } from '@backstage/config';
import { parse } from 'yaml';
import { folderWith, runCliIn } from '../__tests__/__testUtils__/runCli';
import { readApiGateConfig } from '../settings/read/readApiGateConfig';

const manifest = (...plugins: string[]) =>
  JSON.stringify({
    name: 'backend',
    dependencies: Object.fromEntries(
      plugins.map(id => [`@backstage/plugin-${id}-backend`, '*']),
    ),
  });

async function init(config: string, packageJson = manifest()) {
  const cwd = folderWith({
    'app-config.yaml': config,
    'package.json': packageJson,
  });
  return runCliIn(['init'], { cwd });
}

const HTTPS = 'backend: { baseUrl: https://backstage.example.com }\n';
const HTTP = 'backend: { baseUrl: http://backstage.example.com }\n';

describe('api-gate init', () => {
  it.each([
    [HTTPS, '__Host-token'],
    [HTTP, 'token'],
  ])(
    '[P90] prints a block that opens nothing, in report-only for 14 days: %s',
    async (config, cookie) => {
      const { code, stdout, stderr } = await init(
        `${config}techdocs: {}\nbadges: {}\n`,
        manifest('catalog', 'search', 'badges'),
      );
      expect({ code, stderr }).toEqual({
        code: 0,
        stderr:
          'Read app-config.yaml\nThen run api-gate check with the same files\n',
      });
      const read = readApiGateConfig(
        new ConfigReader({ ...parse(config), ...parse(stdout) }),
      );
      const days = (+read.until! - Date.now()) / 86_400_000;
      expect(days).toBeGreaterThan(13);
      expect(days).toBeLessThanOrEqual(14);
      expect(read).toMatchObject({
        mode: 'report-only',
        allow: [],
        closed: ['catalog', 'search', 'techdocs'],
        operators: new Set(),
        cookie: { name: cookie },
      });
      expect(stdout.trimEnd().split('\n').length).toBeLessThanOrEqual(28);
    },
  );

  it('has examples that are valid once their comments are removed', async () => {
    const { stdout } = await init(HTTPS);
    const text = stdout
      .replace('allow: []', 'allow:')
      .replace(/^ {4}#( .- plugin| {4}(path|methods|reason))/gm, '    $1')
      .replace(/^ {4}# tokens:/m, '    tokens:')
      .replace(/^ {4}#( .- subject| {4}(only|until))/gm, '    $1');
    const access = { type: 'static', options: { token: 't', subject: 'ci' } };
    const backend = {
      ...parse(HTTPS).backend,
      auth: { externalAccess: [access] },
    };
    const config = {
      backend,
      ...parse(text),
      events: { modules: { github: { webhookSecret: 's' } } },
    };
    expect(readApiGateConfig(new ConfigReader(config))).toMatchObject({
      allow: [{ plugin: 'events', path: '/http/github', methods: ['POST'] }],
      tokens: [{ subject: 'ci', only: [{ plugin: 'catalog' }] }],
    });
  });

  it('ends with 2 if the configuration has a block', async () => {
    const { code, stdout, stderr } = await init(
      `${HTTPS}auth:\n  apiGate: {}\n`,
    );
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(
      'error: app-config.yaml:3: auth.apiGate is there already: api-gate check says what it lacks',
    );
  });
});
