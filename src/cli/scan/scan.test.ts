import { rmSync, symlinkSync, utimesSync } from 'node:fs';
import path from 'node:path';
import {
  folderWith,
  runCliIn,
  writeInto,
} from '../../__tests__/__testUtils__/runCli';

const PLUGIN = { role: 'backend-plugin' };

const manifest = (name: string, more: object = {}) =>
  JSON.stringify({ name, version: '1.2.3', backstage: PLUGIN, ...more });

const backend = (...names: string[]) =>
  JSON.stringify({
    name: 'backend',
    backstage: { role: 'backend' },
    dependencies: Object.fromEntries(names.map(name => [name, '*'])),
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

/** Creates a repository with a backend and packages that are installed for it. */
function repository(packages: Record<string, Record<string, string>>) {
  const names = Object.keys(packages);
  const files = names.flatMap(name =>
    Object.entries({ 'package.json': manifest(name), ...packages[name] }).map(
      ([file, text]) => [`node_modules/${name}/${file}`, text],
    ),
  );
  const folder = folderWith({
    '.git': '',
    'packages/backend/package.json': backend(...names),
    ...Object.fromEntries(files),
  });
  return { folder, cwd: path.join(folder, 'packages/backend') };
}

/** Scans the backend of a repository, and returns the lines without columns. */
async function scan(cwd: string, ...args: string[]) {
  const result = await runCliIn(['scan', ...args], { cwd });
  const lines = result.stdout.split('\n').filter(Boolean);
  return { ...result, lines: lines.map(line => line.replace(/ +/g, ' ')) };
}

/** Scans one plugin with this code. */
const scanCode = async (code: string, pluginId?: string) =>
  (
    await scan(
      repository({
        acme: { 'dist/index.cjs.js': pluginWith(code, pluginId) },
      }).cwd,
    )
  ).lines;

const HEALTH = "{ path: '/health', allow: 'unauthenticated' }";
const PATH = "path: '/health'";
const OPEN = "allow: 'unauthenticated'";
const ON_HEALTH = ['acme 1.2.3 /health and /health/** anybody'];
const COMPUTED = [
  "acme 1.2.3 can't tell: a computed path or policy at dist/index.cjs.js:9",
];
const HANDED_ON = [
  "acme 1.2.3 can't tell: addAuthPolicy is handed on at dist/index.cjs.js:9",
];

describe('a policy that a plugin declares', () => {
  it.each([
    [`http.addAuthPolicy(${HEALTH})`],
    [`http?.addAuthPolicy?.(${HEALTH})`],
    [`this.http['addAuthPolicy'](${HEALTH})`],
    [`http[\`addAuthPolicy\`]({ 'path': \`/health\`, ${OPEN} })`],
    // An unknown value may let in more, so that it counts as open.
    [`http.addAuthPolicy({ ${PATH}, allow: 'someone' })`],
    [`http.addAuthPolicy({ ${PATH}, allow: 'authenticated' })`],
    [`addAuthPolicy({ path: '/other', ${PATH}, ${OPEN} })`],
    [`[1].forEach(() => { try { http.addAuthPolicy(${HEALTH}) } catch {} })`],
    [`if (!config) { return; } http.addAuthPolicy(${HEALTH})`],
  ])('is named: %s', async code =>
    expect(await scanCode(code)).toEqual(ON_HEALTH),
  );

  it.each([
    [
      "http.addAuthPolicy({ path: '/static', allow: 'user-cookie' })",
      'acme 1.2.3 /static and /static/** users with a cookie',
    ],
    [`http.addAuthPolicy({ path: '/', ${OPEN} })`, 'acme 1.2.3 /** anybody'],
    [`http.addAuthPolicy({ path: '*', ${OPEN} })`, 'acme 1.2.3 /** anybody'],
    [
      "http.addWebSocketHandler({ path: '/', authPolicy: 'unauthenticated', handler() {} })",
      'acme 1.2.3 WEBSOCKET / anybody',
    ],
    [
      `router.get('/health', (req, res) => {}); router.post('/health', f); http.addAuthPolicy(${HEALTH})`,
      'acme 1.2.3 GET POST /health and /health/** anybody',
    ],
    [
      `const isOpen = config.getOptionalBoolean('acme.open') ?? false;
       if (isOpen === true) { http.addAuthPolicy(${HEALTH}) }`,
      'acme 1.2.3 /health and /health/** anybody, if acme.open',
    ],
    [
      `if (config.getBoolean('acme.open')) http.addAuthPolicy(${HEALTH})`,
      'acme 1.2.3 /health and /health/** anybody, if acme.open',
    ],
  ])('%s', async (code, line) => expect(await scanCode(code)).toEqual([line]));

  it.each([
    [`http.addAuthPolicy({ path, ${OPEN} })`, COMPUTED],
    [`http.addAuthPolicy({ path: '/' + name, ${OPEN} })`, COMPUTED],
    // eslint-disable-next-line no-template-curly-in-string
    [
      'http.addAuthPolicy({ path: `/${name}`, allow: "unauthenticated" })',
      COMPUTED,
    ],
    [`http.addAuthPolicy({ ${PATH}, allow: policy })`, COMPUTED],
    [`http.addAuthPolicy({ ...${HEALTH} })`, COMPUTED],
    [`http.addAuthPolicy({ ${PATH}, ${OPEN}, ...more })`, COMPUTED],
    [`http.addAuthPolicy({ ${PATH}, ${OPEN}, ['path']: '/' })`, COMPUTED],
    [`http.addAuthPolicy({ get path() { return '/' }, ${OPEN} })`, COMPUTED],
    ['http.addAuthPolicy(policy)', COMPUTED],
    ['http.addAuthPolicy(...policies)', COMPUTED],
    ['http.addAuthPolicy()', COMPUTED],
    [
      "http.addWebSocketHandler({ path: '/', authPolicy: policy, handler })",
      COMPUTED,
    ],
    ['http.addWebSocketHandler(handler)', COMPUTED],
    ['policies.forEach(http.addAuthPolicy)', HANDED_ON],
    [`http.addAuthPolicy.call(http, ${HEALTH})`, HANDED_ON],
    [`(0, http.addAuthPolicy)(${HEALTH})`, HANDED_ON],
    [`const { addAuthPolicy: open } = http; open(${HEALTH})`, HANDED_ON],
    [`const name = 'addAuthPolicy'; http[name](${HEALTH})`, HANDED_ON],
    ...[
      `if (isOpen) http.addAuthPolicy(${HEALTH})`,
      `if (config.getBoolean('a')) {} else { http.addAuthPolicy(${HEALTH}) }`,
      `if (!config.getBoolean('a')) { http.addAuthPolicy(${HEALTH}) }`,
      `{ const config = all.getConfig('b'); if (config.getBoolean('a')) { http.addAuthPolicy(${HEALTH}) } }`,
      `const a = config.getBoolean('a'); () => { const a = true; }; if (a) { http.addAuthPolicy(${HEALTH}) }`,
      `if (part.getBoolean('a')) { http.addAuthPolicy(${HEALTH}) }`,
      `if (config.getBoolean('a')) { if (b) { http.addAuthPolicy(${HEALTH}) } }`,
      `isOpen && http.addAuthPolicy(${HEALTH})`,
      `isOpen ? http.addAuthPolicy(${HEALTH}) : 0`,
      `switch (isOpen) { case true: http.addAuthPolicy(${HEALTH}) }`,
    ].map((code): [string, string[]] => [
      code,
      ["acme 1.2.3 can't tell: a condition for /health at dist/index.cjs.js:9"],
    ]),
  ])("[P120] can't be told: %s", async (code, lines) =>
    expect(await scanCode(code)).toEqual(lines),
  );

  it.each([
    [`// http.addAuthPolicy(${HEALTH})`],
    [`log("http.addAuthPolicy(${HEALTH})")`],
    ["http.addWebSocketHandler({ path: '/health', handler() {} })"],
    [
      "http.addWebSocketHandler({ path: '/health', authPolicy: 'authenticated', handler })",
    ],
  ])('is none: %s', async code => expect(await scanCode(code)).toEqual([]));

  it('is of the plugin or module around it, or of the only one, or else of the package', async () => {
    const { cwd } = repository({
      two: {
        'a.cjs': pluginWith(`http.addAuthPolicy(${HEALTH})`, "'one'"),
        'b.mjs': `import { createBackendModule } from '@backstage/backend-plugin-api';
          export default createBackendModule({ pluginId: 'two', moduleId: 'm', register(env) {
            http.addAuthPolicy({ path: '/b', ${OPEN} });
          } });`,
        'helper.js': `exports.help = http => http.addAuthPolicy({ path: '/c', ${OPEN} });`,
      },
      unnamed: {
        'a.js': pluginWith(`http.addAuthPolicy(${HEALTH})`, 'PLUGIN_ID'),
      },
      zero: {
        'a.js': pluginWith(''),
        'b.js': `exports.help = http => http.addAuthPolicy(${HEALTH});`,
      },
    });
    expect((await scan(cwd)).lines).toEqual([
      'one 1.2.3 /health and /health/** anybody',
      'two 1.2.3 /b and /b/** anybody',
      'two 1.2.3 /c and /c/** anybody',
      'unnamed 1.2.3 /health and /health/** anybody',
      'acme 1.2.3 /health and /health/** anybody',
    ]);
  });
});

const ROUTES = `
router.use(express.json());
router.use('/proxy', proxy);
router.get('/health', f).get('/not-a-router');
router.get('/things', async (req, res) => {});
v2Router.post(['/things', '/all-things'], f);
router$1.delete(\`/things/\${id}\`, f);
this.router.patch('/things/:id', f);
r.put('/named-otherwise', (req, res) => {});
cache.get('/key'); cache.get(key, f); map.delete(key);
`;
const NO_CHECK =
  'acme 1.2.3 6 of 7 routes change something, 1 with a computed path; no check of a permission or a user in the package';

describe('a plugin with routes', () => {
  it.each([
    ['', [NO_CHECK]],
    ['auth.isPrincipal(credentials, "user"); [coreServices.auth]', []],
    ['httpAuth.credentials(req); [coreServices.httpAuth]', []],
    ['permissions.authorize([]); [coreServices.permissions]', []],
    ['p.authorizeConditional([]); [coreServices.permissions]', []],
    // Another thing has credentials too, and a service that nobody asks checks nothing.
    ['aws.credentials()', [NO_CHECK]],
    ['[coreServices.httpAuth, coreServices.permissions]', [NO_CHECK]],
  ])('is named if it checks nobody: %s', async (code, lines) =>
    expect(await scanCode(ROUTES + code)).toEqual(lines),
  );

  it('is not named for its health', async () =>
    expect(await scanCode("router.get('/health', f)")).toEqual([]));

  it('has each route in the JSON, with its place', async () => {
    const { cwd } = repository({
      acme: { 'dist/index.cjs.js': pluginWith(ROUTES) },
    });
    const { stdout } = await scan(cwd, '--json');
    const [{ routes, ...others }] = JSON.parse(stdout).packages;
    expect(others).toEqual({
      ...{ name: 'acme', version: '1.2.3', plugins: ['acme'] },
      ...{ doubts: [], opens: [], asks: false },
    });
    const at = (line: number) => `dist/index.cjs.js:${line}`;
    expect(routes).toEqual([
      { method: 'USE', path: '/proxy', at: at(11) },
      { method: 'GET', path: '/health', at: at(12) },
      { method: 'GET', path: '/things', at: at(13) },
      { method: 'POST', path: '/things', at: at(14) },
      { method: 'POST', path: '/all-things', at: at(14) },
      { method: 'DELETE', at: at(15) },
      { method: 'PATCH', path: '/things/:id', at: at(16) },
      { method: 'PUT', path: '/named-otherwise', at: at(17) },
    ]);
  });

  it('outside of /api is named', async () =>
    expect(await scanCode('[coreServices.rootHttpRouter]')).toEqual([
      "acme 1.2.3 can't tell: routes outside of /api, where no gate is",
    ]));
});

const source = (name: string) => ({
  [`plugins/${name}/package.json`]: manifest(name, { main: 'src/index.ts' }),
  [`plugins/${name}/src/index.ts`]: 'enum A {}',
});

describe('the packages of a scan', () => {
  it('are links in the repository too, unless they are not built, or out of it', async () => {
    const outside = folderWith({ 'package.json': manifest('outside') });
    const names = ['built', 'stale', 'unbuilt', 'outside'];
    const code = { 'dist/index.cjs.js': `http.addAuthPolicy(${HEALTH})` };
    const folder = folderWith({
      '.git': '',
      'packages/backend/package.json': backend(...names),
      'node_modules/express/package.json': '{"name":"express"}',
      ...source('built'),
      ...source('stale'),
      ...source('unbuilt'),
      ...Object.fromEntries(
        ['built', 'stale'].map(name => [
          `plugins/${name}/dist/index.cjs.js`,
          code['dist/index.cjs.js'],
        ]),
      ),
    });
    const dist = (name: string, seconds: number) => {
      const file = path.join(folder, `plugins/${name}/dist/index.cjs.js`);
      utimesSync(file, seconds, seconds);
    };
    dist('built', Date.now() / 1000 + 60);
    dist('stale', 1);
    for (const name of names) {
      symlinkSync(
        name === 'outside' ? outside : path.join(folder, 'plugins', name),
        path.join(folder, 'node_modules', name),
      );
    }
    expect((await scan(path.join(folder, 'packages/backend'))).lines).toEqual([
      'built 1.2.3 /health and /health/** anybody',
      `outside can't tell: a link out of the repository, to ${outside}`,
      "stale 1.2.3 can't tell: dist is older than src: yarn workspace stale build",
      'stale 1.2.3 /health and /health/** anybody',
      "unbuilt 1.2.3 can't tell: not built: yarn workspace unbuilt build",
    ]);
  });

  it('are links in the workspaces of a folder without .git, such as that of an image', async () => {
    const folder = folderWith({
      'package.json': '{ "workspaces": { "packages": ["packages/*"] } }',
      'packages/backend/package.json': backend('own'),
      'node_modules/express/package.json': '{"name":"express"}',
      ...source('own'),
      'plugins/own/dist/index.cjs.js': `http.addAuthPolicy(${HEALTH})`,
    });
    symlinkSync(
      path.join(folder, 'plugins/own'),
      path.join(folder, 'node_modules/own'),
    );
    const cwd = path.join(folder, 'packages/backend');
    expect((await scan(cwd)).lines).toContain(
      'own 1.2.3 /health and /health/** anybody',
    );
    writeInto(folder, { 'package.json': '{}' });
    expect((await scan(cwd)).lines).toEqual([
      `own can't tell: a link out of the repository, to ${folder}/plugins/own`,
    ]);
  });

  it('are also what these depend on, but not the framework, and nothing of others', async () => {
    const code = { 'index.js': `http.addAuthPolicy(${HEALTH})` };
    const using = { backstage: { role: 'common-library' } };
    const { cwd } = repository({
      plugin: {
        'package.json': manifest('plugin', {
          dependencies: { helper: '*', '@backstage/backend-defaults': '*' },
          peerDependencies: { optional: '*' },
        }),
        'index.js': '',
        'node_modules/helper/package.json': manifest('helper', {
          backstage: undefined,
          dependencies: { '@backstage/backend-plugin-api': '*', plugin: '*' },
        }),
        'node_modules/helper/index.js': code['index.js'],
      },
      '@backstage/backend-defaults': code,
      common: { 'package.json': manifest('common', using), ...code },
    });
    expect((await scan(cwd)).lines).toEqual([
      'helper 1.2.3 /health and /health/** anybody',
    ]);
  });

  it("are those of the backend's own code, whose TypeScript is not read", async () => {
    const folder = folderWith({
      'package.json': backend(),
      'src/index.ts': 'backend.start();',
      'src/export.ts': 'deps: { http: coreServices.httpRouter }',
      'src/export.test.ts': 'deps: { http: coreServices.httpRouter }',
    });
    expect((await scan(folder)).lines).toEqual([
      "backend can't tell: a router in the backend itself at src/export.ts",
    ]);
  });

  it('are those of a backend or a plugin', async () => {
    const folder = folderWith({
      'package.json': '{"workspaces":["packages/*"]}',
      'packages/backend/package.json': backend(),
    });
    expect(await scan(folder)).toMatchObject({
      code: 2,
      stderr:
        'error: . is no backend and no plugin: run this in packages/backend, or give the folder of a backend or a plugin\n',
    });
    expect(await scan(folder, 'packages/backend')).toMatchObject({
      code: 0,
      stderr: 'Read 1 packages\n',
    });
  });

  it('are those of folders, such as the package of a plugin', async () => {
    const { cwd } = repository({
      acme: { 'index.js': pluginWith(`http.addAuthPolicy(${HEALTH})`) },
    });
    const plugin = path.join(cwd, '../../node_modules/acme');
    expect((await scan(plugin)).lines).toEqual(ON_HEALTH);
    expect((await scan(plugin, '.')).lines).toEqual(ON_HEALTH);
    expect((await scan('/', plugin, cwd)).lines).toEqual(ON_HEALTH);
  });
});

describe('what a scan can not read', () => {
  it('[P120] is one line each, and the scan goes on', async () => {
    const { cwd, folder } = repository({
      broken: { 'package.json': '{' },
      deep: { 'index.js': `${'['.repeat(100_000)}${']'.repeat(100_000)}` },
      empty: { 'index.d.ts': '' },
      gone: {},
      large: { 'index.js': ';'.repeat(10 * 1024 * 1024 + 1) },
      linked: { 'index.js': '' },
      nowhere: { 'index.js': '' },
      script: { 'index.js': `with (a) { http.addAuthPolicy(${HEALTH}) }` },
      wrong: {
        'a.js': 'let a;\nlet a;',
        'b.js': `http.addAuthPolicy(${HEALTH})`,
        'c.mjs': `#!/usr/bin/env node\nimport a from 'a'; await a;`,
      },
    });
    const modules = path.join(folder, 'node_modules');
    rmSync(path.join(modules, 'gone'), { recursive: true });
    rmSync(path.join(modules, 'nowhere/index.js'));
    symlinkSync('/etc', path.join(modules, 'linked/dist'));
    symlinkSync('/nowhere', path.join(modules, 'nowhere/index.js'));
    const { code, lines, stderr } = await scan(cwd);
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'Read 10 packages\n' });
    expect(lines).toEqual([
      "broken can't tell: no valid package.json",
      expect.stringMatching(
        /^deep 1\.2\.3 can't tell: no JavaScript that can /,
      ),
      "empty 1.2.3 can't tell: no JavaScript",
      "gone can't tell: not installed",
      "large 1.2.3 can't tell: more than 10 MB of JavaScript",
      "linked 1.2.3 can't tell: no JavaScript that can be parsed at dist",
      expect.stringMatching(/^nowhere 1\.2\.3 can't tell: ENOENT: /),
      'script 1.2.3 /health and /health/** anybody',
      "wrong 1.2.3 can't tell: no JavaScript that can be parsed at a.js:2",
      'wrong 1.2.3 /health and /health/** anybody',
    ]);
  });

  it.each([
    [
      ['/'],
      '/ has no package.json: run this in packages/backend, or give the folder of a backend or a plugin',
    ],
    [['--fail-on', 'opens'], 'Give --against once, and --fail-on only with it'],
    [
      ['--against', 'a', '--against', 'b'],
      'Give --against once, and --fail-on only with it',
    ],
    [['--fail-on', 'any'], '--fail-on must be one of opens'],
    [
      ['--against', 'nowhere'],
      'nowhere/opens.json is no output of api-gate scan --json: make it with that command',
    ],
    [
      ['--against', '.'],
      'opens.json is no output of api-gate scan --json: make it with that command',
    ],
    [
      ['--against', 'package.json'],
      'package.json is no output of api-gate scan --json: make it with that command',
    ],
  ])('exits with 2: %j', async (args, message) => {
    const { code, stdout, stderr } = await scan(repository({}).cwd, ...args);
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: '',
      stderr: `error: ${message}\n`,
    });
  });
});

it.each([
  '[]',
  '{"packages":{}}',
  '{"packages":[null]}',
  '{"packages":[{"opens":[]}]}',
  '{"packages":[{"name":"a","plugins":[1],"doubts":[{}],"opens":[],"routes":[]}]}',
  '{"packages":[{"name":"a","plugins":[],"doubts":[],"opens":[{}],"routes":[]}]}',
])('another file is no scan: %s', async text => {
  const { cwd } = repository({});
  writeInto(cwd, { 'odd.json': text });
  const { code, stderr } = await scan(cwd, '--against', 'odd.json');
  expect([code, stderr]).toEqual([
    2,
    'error: odd.json is no output of api-gate scan --json: make it with that command\n',
  ]);
});

describe('the rules of the configuration beside a scan', () => {
  it.each([
    ['acme', '', 'no rule: the gate closes it'],
    [
      'acme',
      'mode: report-only',
      'no rule: the gate closes it once it enforces',
    ],
    [
      'acme',
      'allow: [{ plugin: b, path: /a }, { plugin: acme, path: /a }]',
      'see auth.apiGate.allow[1]',
    ],
    ['auth', '', 'the gate leaves it open, to sign in'],
  ])('%s, with %j: %s', async (plugin, yaml, note) => {
    const { cwd } = repository({
      acme: {
        'index.js': pluginWith(`http.addAuthPolicy(${HEALTH})`, `'${plugin}'`),
      },
    });
    writeInto(cwd, {
      'app-config.yaml': `backend: { baseUrl: http://localhost }\nauth: { apiGate: { ${yaml} } }`,
    });
    const { lines } = await scan(cwd, '--config', 'app-config.yaml');
    expect(lines).toEqual([
      `${plugin} 1.2.3 /health and /health/** anybody ${note}`,
    ]);
  });

  it.each([
    ['true', 'no rule: the gate closes it'],
    ['false', 'not set here'],
    ['', 'not set here'],
  ])('a setting that is %s here', async (value, note) => {
    const { cwd } = repository({
      acme: {
        'index.js': pluginWith(
          `if (config.getBoolean('acme.open')) http.addAuthPolicy(${HEALTH})`,
        ),
      },
    });
    writeInto(cwd, {
      'app-config.yaml': `backend: { baseUrl: http://localhost }\nauth: { apiGate: {} }\n${value && `acme: { open: ${value} }`}`,
    });
    const { lines } = await scan(cwd, '--config', 'app-config.yaml');
    expect(lines).toEqual([
      `acme 1.2.3 /health and /health/** anybody, if acme.open ${note}`,
    ]);
  });
});

describe('a scan against an earlier one', () => {
  const scanWith = (code: string) =>
    repository({ acme: { 'dist/index.cjs.js': pluginWith(code) } }).cwd;
  /** Compares two versions of a plugin. */
  async function compare(before: string, after: string, ...args: string[]) {
    const { stdout } = await scan(scanWith(before), '--json');
    const base = folderWith({ 'opens.json': stdout });
    const { code, lines } = await scan(
      scanWith(after),
      ...['--against', base],
      ...args,
    );
    return { code, lines };
  }
  const OPENS = `http.addAuthPolicy(${HEALTH});`;
  const SAME = { code: 0, lines: ['No difference in what is open'] };

  it.each([
    ['', OPENS, ['+ opens acme 1.2.3 /health and /health/** to anybody']],
    [OPENS, '', ['- opens acme 1.2.3 /health and /health/** to anybody']],
    [
      OPENS,
      `http.addAuthPolicy({ path: '/', ${OPEN} })`,
      [
        '+ opens acme 1.2.3 /** to anybody',
        '- opens acme 1.2.3 /health and /health/** to anybody',
      ],
    ],
    [
      '',
      `http.addAuthPolicy(p)`,
      [
        "+ can't tell acme 1.2.3 a computed path or policy at dist/index.cjs.js:9",
      ],
    ],
    [
      'http.addAuthPolicy(p)',
      '\nhttp.addAuthPolicy(p);\nhttp.addAuthPolicy(q);',
      [
        "+ can't tell acme 1.2.3 a computed path or policy at dist/index.cjs.js:11",
      ],
    ],
    [
      "router.get('/a', f); http.addWebSocketHandler({ path: '/', handler })",
      "router.get('/a', f); http.addWebSocketHandler({ path: '/', authPolicy: 'unauthenticated', handler })",
      ['+ opens acme 1.2.3 WEBSOCKET / to anybody'],
    ],
    [
      `if (config.getBoolean('a')) { ${OPENS} }`,
      OPENS,
      [
        '+ opens acme 1.2.3 /health and /health/** to anybody',
        '- opens acme 1.2.3 /health and /health/** to anybody, if a',
      ],
    ],
    [
      "router.get('/a', f); httpAuth.credentials(req); [coreServices.httpAuth]",
      "router.get('/a', f)",
      [
        '+ no check acme 1.2.3 0 of 1 routes change something; no check of a permission or a user in the package',
      ],
    ],
  ])('%s, then %s', async (before, after, lines) => {
    expect(await compare(before, after)).toEqual({ code: 0, lines });
    const opens = lines.some(line => line.startsWith('+'));
    expect(await compare(before, after, '--fail-on', 'opens')).toEqual({
      code: opens ? 1 : 0,
      lines,
    });
    expect(await compare(after, after, '--fail-on', 'opens')).toEqual(SAME);
  });
});

it('counts on a terminal what is left', async () => {
  const { stderr } = process;
  const before = Object.getOwnPropertyDescriptor(stderr, 'isTTY');
  Object.defineProperty(stderr, 'isTTY', { value: true, configurable: true });
  const write = jest.spyOn(stderr, 'write').mockReturnValue(true);
  await scan(repository({ acme: { 'index.js': '' } }).cwd);
  const written = write.mock.calls.join('');
  jest.restoreAllMocks();
  Object.defineProperty(stderr, 'isTTY', before ?? { value: undefined });
  expect(written).toBe(
    '\r\x1b[K2 packages left\r\x1b[K1 packages left\r\x1b[K',
  );
});
