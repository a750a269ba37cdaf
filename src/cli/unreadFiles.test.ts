import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { folderWith, runCliIn } from '../__tests__/__testUtils__/runCli';

jest.setTimeout(60_000);

const BASE = 'backend: { baseUrl: https://backstage.example.com }\n';
const GATE = 'auth: { apiGate: { allow: [] } }\n';

const COMMANDS = [
  ['check'],
  ['check', '--format', 'github'],
  ['explain', 'GET /api/catalog/entities'],
  ['diff', '--against', '../../base'],
  ['init'],
];

/** The files of an app, with another checkout of it. */
const FOLDER = {
  '.git': '',
  'package.json': '{"name":"root","workspaces":["packages/*"]}',
  'packages/backend/package.json': '{"name":"backend"}',
  'app-config.yaml': BASE + GATE,
  'base/.git': '',
  'base/app-config.yaml': BASE + GATE,
};

const appWith = (files: Record<string, string>) =>
  folderWith({ ...FOLDER, ...files });

const run = (app: string, args: string[], env = {}) =>
  runCliIn(args, { cwd: path.join(app, 'packages/backend'), env });

describe('[P52] a configuration file beside those that a command reads', () => {
  it.each([
    ['app-config.production.yaml', GATE, 'has auth.apiGate'],
    ['app-config.yml', GATE, 'has auth.apiGate'],
    ['app-config-staging.yaml', GATE, 'has auth.apiGate'],
    ['app-config.production.local.yaml', GATE, 'has auth.apiGate'],
    ['app-config.local.yml', GATE, 'has auth.apiGate'],
    ['app-config.local.yaml.yaml', GATE, 'has auth.apiGate'],
    ['app-config.x.yaml', 'auth: { apiGate: null }', 'has auth.apiGate'],
    [
      'app-config.x.yaml',
      'auth: { providers: {}, apigate: {} }',
      'has auth.apiGate',
    ],
    ['app-config.x.yaml', 'Auth: { apiGate: {} }', 'has auth.apiGate'],
    ['app-config.x.yaml', 'auth:\n', 'has auth.apiGate'],
    ['app-config.x.yaml', 'auth: { $include: x.yaml }', 'has auth.apiGate'],
    ['app-config.x.yaml', '{ $include: x.yaml }', 'has auth.apiGate'],
    [
      'app-config.x.yaml',
      'a: &a { apiGate: {} }\nauth: *a',
      'has auth.apiGate',
    ],
    ['app-config.x.yaml', 'a: "secret\nb: [', 'is not valid YAML'],
    ['app-config.x.yaml', 'auth: *a', 'is not valid YAML'],
    ['app-config.x.yaml', '---\n---\nauth: {}', 'is not valid YAML'],
  ])(
    'ends each command with 2 and is named: %s with %j',
    async (name, text, problem) => {
      const app = appWith({ [name]: text });
      for (const args of COMMANDS) {
        const { code, stdout, stderr } = await run(app, args);
        expect(stderr).toMatch(/^Read \.\.\/\.\.\/app-config\.yaml\n/);
        expect(stdout + stderr).toMatch(
          /^(error: |::error file=)\.\.\/\.\.\/app-config/m,
        );
        expect(stdout + stderr).toContain(
          `this file ${problem}, and the command has not read it: give each file that the backend reads, in its order, such as --config ../../app-config.yaml${
            /local.ya?ml$/.test(name) ? '' : ` --config ../../${name}`
          }\n`,
        );
        expect(stdout + stderr).not.toContain('secret');
        expect(code).toBe(2);
      }
    },
  );

  it('ends each command with 2 if it is a link to a file of another machine', async () => {
    const app = appWith({});
    const link = path.join(app, 'app-config.production.yaml');
    symlinkSync('/nowhere/app-config.yaml', link);
    for (const args of COMMANDS) {
      const { code, stdout, stderr } = await run(app, args);
      expect(stdout + stderr).toContain('this file can not be read here, and');
      expect(code).toBe(2);
    }
  });

  it('may be a folder', async () => {
    const app = appWith({ 'app-config.d.yaml/x.yaml': GATE });
    for (const args of COMMANDS) {
      expect((await run(app, args)).code).toBe(0);
    }
  });

  it('is named with all others', async () => {
    const app = appWith({
      'app-config.a.yaml': GATE,
      'app-config.b.yaml': 'x: [',
      'app-config.c.yaml': GATE,
    });
    const { stderr } = await run(app, ['check']);
    expect(stderr).toContain(
      '\nerror: ../../app-config.a.yaml: this file has auth.apiGate, and the command has not read it; ../../app-config.b.yaml is not valid YAML; ../../app-config.c.yaml has auth.apiGate: give ',
    );
  });

  it.each([
    ['app-config.production.yaml', ''],
    ['app-config.production.yaml', 'app: {}\nauth: { providers: {} }'],
    ['app-config.production.yaml', '- auth'],
    ['app-config.production.yaml', 'oauth:\nauthors:'],
    // Nothing reads what it includes.
    ['app-config.production.yaml', 'app: { $include: /nowhere/x.yaml }'],
    ['app-config.production.json', GATE],
    ['app-config.yaml.bak', GATE],
    ['my-app-config.yaml', GATE],
    ['packages/backend/app-config.yaml', GATE],
    ['app-config.d/x.yaml', GATE],
  ])('may be there: %s with %j', async (name, text) => {
    const app = appWith({ [name]: text });
    for (const args of COMMANDS) {
      expect((await run(app, args)).code).toBe(0);
    }
  });

  it('may have auth.apiGate if the command reads it, or if --config names the files', async () => {
    const app = appWith({ 'app-config.production.yaml': GATE });
    const named = ['--config', '../../app-config.yaml'];
    const env = { BACKSTAGE_ENV: 'production' };
    for (const args of COMMANDS) {
      expect((await run(app, [...args, ...named])).code).toBe(0);
      expect((await run(app, args, env)).code).toBe(0);
    }
  });

  it('is named in a line if it may have auth.apiGate, and --config names other files', async () => {
    const app = appWith({
      'app-config.local.yaml': GATE,
      'app-config.other.yaml': 'x: [',
    });
    for (const args of COMMANDS) {
      const named = ['--config', '../../app-config.yaml'];
      const { code, stderr } = await run(app, [...args, ...named]);
      expect(stderr).toMatch(
        /^Read .*\nauth\.apiGate\.mode is enforce\nNot read: \.\.\/\.\.\/app-config\.local\.yaml has auth\.apiGate; \.\.\/\.\.\/app-config\.other\.yaml is not valid YAML\n/,
      );
      expect(code).toBe(0);
    }
  });
});

describe('[P52] a file app-config.local.yaml', () => {
  const NAMED = ['--config', '../../app-config.yaml'];

  it.each([
    ['app-config.local.yaml', GATE],
    ['app-config.local.yml', GATE],
    ['app-config.production.local.yaml', GATE],
    ['app-config.local.yaml', 'auth: { apiGate: { $include: rules.yaml } }'],
    ['app-config.local.yaml', 'auth: { apiGate: null }'],
    ['app-config.local.yaml', 'auth: null'],
    ['app-config.local.yaml', 'auth: { $include: auth.yaml }'],
  ])(
    'ends each command with 2 if CI is set, with --config too: %s with %s',
    async (name, text) => {
      const app = appWith({
        [name]: text,
        'rules.yaml': 'allow: []',
        'auth.yaml': 'apiGate: {}',
      });
      for (const args of COMMANDS) {
        for (const more of [
          [],
          NAMED,
          [...NAMED, '--config', `../../${name}`],
        ]) {
          const { code, stdout, stderr } = await run(app, [...args, ...more], {
            CI: 'true',
          });
          expect(stdout + stderr).toMatch(
            /^(error: |::error file=)\.\.\/\.\.\/app-config\..*: ?CI is set, and this file has auth\.apiGate, /m,
          );
          expect(stdout).not.toContain('No difference');
          expect(code).toBe(2);
        }
      }
    },
  );

  it('is read as Backstage reads it if CI is not set, or if it has other settings', async () => {
    const rule = 'auth: { apiGate: { allow: [{ plugin: local, path: /x }] } }';
    const local = appWith({ 'app-config.local.yaml': rule });
    for (const env of [{}, { CI: '' }]) {
      const { code, stdout } = await run(local, ['check'], env);
      expect(stdout).toContain(
        'app-config.local.yaml:1  auth.apiGate.allow[0]  GET /api/local/x\n',
      );
      expect(code).toBe(0);
    }
    const other = appWith({
      'app-config.local.yaml': 'app: { title: mine }\nauth: { providers: {} }',
    });
    for (const args of COMMANDS) {
      expect((await run(other, args, { CI: 'true' })).code).toBe(0);
    }
  });
});
