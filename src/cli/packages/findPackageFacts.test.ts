import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { ConfigReader } from '@backstage/config';
import { folderWith } from '../../__tests__/__testUtils__/runCli';
import { formatFacts } from '../../operators/facts/Fact';
import { readApiGateConfig } from '../../settings/read/readApiGateConfig';
import { findPackageFacts } from './findPackageFacts';

jest.setTimeout(60_000);

const manifest = (name: string, ...dependencies: string[]) =>
  JSON.stringify({
    name,
    dependencies: Object.fromEntries(dependencies.map(each => [each, '*'])),
  });

/** Wraps code as the code of a plugin. */
const pluginWith = (code: string, pluginId = "'acme'") => `
const { createBackendPlugin, coreServices } = require('@backstage/backend-plugin-api');
exports.default = createBackendPlugin({
  pluginId: ${pluginId},
  register(env) {
    env.registerInit({
      deps: { config: coreServices.rootConfig, http: coreServices.httpRouter },
      async init({ config, http }) {
${code}
      },
    });
  },
});`;

/** Creates a repository with a backend, and with files of packages that are installed for it. */
function backendWith(files: Record<string, string>): string {
  const installed = Object.entries(files).map(([file, text]) => [
    `node_modules/${file}`,
    text,
  ]);
  const folder = folderWith({
    'packages/backend/package.json': manifest('backend', 'acme'),
    ...Object.fromEntries(installed),
  });
  return path.join(folder, 'packages/backend');
}

function factsOf(folder: string, gate: object = {}): string[] {
  const backend = { baseUrl: 'https://a.example.com' };
  const config = new ConfigReader({ backend, auth: { apiGate: gate } } as any);
  return formatFacts(findPackageFacts(folder, readApiGateConfig(config)));
}

/** Returns the facts about one plugin with this code. */
const factsOfCode = (code: string, gate?: object) =>
  factsOf(
    backendWith({
      'acme/package.json': manifest('acme'),
      'acme/dist/index.cjs.js': pluginWith(code),
    }),
    gate,
  );

const line = (text: string, kind = 'acme') => kind.padEnd(16) + text;
const HEALTH = "{ path: '/health', allow: 'unauthenticated' }";
const OPEN = "allow: 'unauthenticated'";
const CLOSED = 'anybody  closed by the gate';
const ON_HEALTH = line(`acme  /health/**  ${CLOSED}`);
const doubt = (text: string, kind?: string) =>
  line(`acme  can't tell  ${text}`, kind);

describe('[P120] the facts about installed packages', () => {
  it.each<[string, string]>([
    [`http.addAuthPolicy(${HEALTH})`, ON_HEALTH],
    [`http?.addAuthPolicy?.(${HEALTH})`, ON_HEALTH],
    [`this.http['addAuthPolicy'](${HEALTH})`, ON_HEALTH],
    [`http[\`addAuthPolicy\`]({ 'path': \`/health\`, ${OPEN} })`, ON_HEALTH],
    // An unknown value may let in more, so that it counts as open.
    [`http.addAuthPolicy({ path: '/health', allow: 'someone' })`, ON_HEALTH],
    [`if (!config) { return; } http.addAuthPolicy(${HEALTH})`, ON_HEALTH],
    // These have routes that no policy names, and those that one does.
    [
      `const r = Router(); r.route('/health').get(f); http.use(r); http.addAuthPolicy(${HEALTH})`,
      ON_HEALTH,
    ],
    [
      `http.use((req, res) => res.end()); http.addAuthPolicy(${HEALTH})`,
      ON_HEALTH,
    ],
    [
      `http.addAuthPolicy({ path: '/', ${OPEN} })`,
      line(`acme  /**  ${CLOSED}`),
    ],
    [
      `http.addAuthPolicy({ path: '/static', allow: 'user-cookie' })`,
      line("acme  /static/**  Backstage's own cookie"),
    ],
    [
      "http.addWebSocketHandler({ path: '/', authPolicy: 'unauthenticated', handler() {} })",
      line(`acme  WEBSOCKET /  ${CLOSED}`),
    ],
    [
      `const isOpen = config.getOptionalBoolean('acme.open') ?? false;
       if (isOpen === true) { http.addAuthPolicy(${HEALTH}) }`,
      line('acme  /health/**  anybody, if acme.open  closed by the gate'),
    ],
    [
      `if (config.getBoolean('acme.open')) http.addAuthPolicy(${HEALTH})`,
      line('acme  /health/**  anybody, if acme.open  closed by the gate'),
    ],
    [
      `http.addAuthPolicy({ path: x, ${OPEN} })`,
      doubt('a computed path or policy'),
    ],
    [`http.addAuthPolicy(policy)`, doubt('a computed path or policy')],
    [
      `http.addAuthPolicy({ ...more, path: '/x', ${OPEN} })`,
      doubt('a computed path or policy'),
    ],
    [`openAll(http.addAuthPolicy)`, doubt('addAuthPolicy is handed on')],
    [`const { addAuthPolicy } = http;`, doubt('addAuthPolicy is handed on')],
    [
      `if (f()) { http.addAuthPolicy(${HEALTH}) }`,
      doubt('a condition for /health'),
    ],
    [
      `coreServices.rootHttpRouter`,
      doubt('routes outside of /api, where no gate is'),
    ],
  ])('name what is open, or may be: %s', (code, expected) =>
    expect(factsOfCode(code)).toEqual([expected]),
  );

  it.each([
    ['http.use(router)'],
    [`env.actionsRegistry.register({ name: 'x', action })`],
    [
      "http.addWebSocketHandler({ path: '/x', authPolicy: 'authenticated', handler() {} })",
    ],
    ["http.addWebSocketHandler({ path: '/x', handler() {} })"],
  ])('leave out what opens nothing: %s', code =>
    expect(factsOfCode(code)).toEqual([]),
  );

  it.each([
    [{ allow: [{ plugin: 'acme', path: '/health' }] }, 'anybody  see public'],
    [{ allow: [{ plugin: 'acme', path: '/**' }] }, 'anybody  see public'],
    [{ allow: [{ plugin: 'acme', path: '/other' }] }, CLOSED],
    [{ allow: [{ plugin: 'other', path: '/health' }] }, CLOSED],
    [{ mode: 'report-only' }, `${CLOSED} once it enforces`],
  ])('say what the gate makes of it: %j', (gate, expected) =>
    expect(factsOfCode(`http.addAuthPolicy(${HEALTH})`, gate)).toEqual([
      line(`acme  /health/**  ${expected}`),
    ]),
  );

  const HELPER = `exports.open = http => http.addAuthPolicy(${HEALTH});`;

  it.each<[string, Record<string, string>, string[]]>([
    [
      'a helper that any package depends on, without a role of Backstage',
      {
        'acme/package.json': manifest('acme', 'helper'),
        'helper/package.json': manifest('helper'),
        'helper/dist/index.js': HELPER,
      },
      [line(`helper  /health/**  ${'anybody  see public'}`, '?')],
    ],
    [
      'a package in another one',
      {
        'acme/package.json': manifest('acme', 'helper'),
        'acme/node_modules/helper/package.json': manifest('helper'),
        'acme/node_modules/helper/index.mjs': HELPER,
      },
      [line(`helper  /health/**  ${'anybody  see public'}`, '?')],
    ],
    [
      'a policy beside the file that creates the plugin',
      {
        'acme/package.json': manifest('acme'),
        'acme/dist/index.js': pluginWith(''),
        'acme/dist/router.js': HELPER,
      },
      [ON_HEALTH],
    ],
    [
      'a file that can not be parsed',
      {
        'acme/package.json': manifest('acme'),
        'acme/dist/index.js': 'http.addAuthPolicy({',
      },
      [doubt('a file that can not be parsed', '?')],
    ],
    [
      'a package.json that is not valid',
      { 'acme/package.json': '{' },
      [doubt('no valid package.json', '?')],
    ],
    ['a package that is not installed', {}, [doubt('not installed', '?')]],
  ])('have %s', (_, files, expected) =>
    expect(factsOf(backendWith(files))).toEqual(expected),
  );

  it('have nothing of a package of the repository itself, and what that one depends on', () => {
    const folder = backendWith({
      'theirs/package.json': manifest('theirs'),
      'theirs/index.js': pluginWith(
        `http.addAuthPolicy(${HEALTH})`,
        "'theirs'",
      ),
      '.keep': '',
    });
    const root = path.join(folder, '../..');
    const own = path.join(root, 'plugins/acme');
    mkdirSync(path.dirname(own), { recursive: true });
    symlinkSync(
      path.dirname(
        path.join(
          folderWith({
            'own/package.json': manifest('acme', 'theirs'),
          }),
          'own/package.json',
        ),
      ),
      path.join(root, 'node_modules/acme'),
    );
    expect(factsOf(folder)).toEqual([]);
  });

  it('are found in 10 MB without a semicolon in 5 seconds', () => {
    const code = `const a = config\n`.repeat(10 * 2 ** 16 - 8_000);
    const files = {
      'acme/package.json': manifest('acme'),
      'acme/index.js': `${pluginWith(`http.addAuthPolicy(${HEALTH})`)}\nfunction f() {\n${code
        .split('\n')
        .map((each, i) => each && `${each.replace('a', `a${i}`)}`)
        .join('\n')}\n}`,
    };
    const folder = backendWith(files);
    const start = performance.now();
    expect(factsOf(folder)).toHaveLength(1);
    expect(performance.now() - start).toBeLessThan(5_000);
    expect(files['acme/index.js'].length).toBeGreaterThan(9 * 2 ** 20);
  });
});
