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
  ['report'],
];

/** The files of an app. */
const FOLDER = {
  'package.json': '{"name":"root","workspaces":["packages/*"]}',
  'packages/backend/package.json': '{"name":"backend"}',
  'app-config.yaml': BASE + GATE,
};

const appWith = (files: Record<string, string>) =>
  folderWith({ ...FOLDER, ...files });

const run = (app: string, args: string[]) =>
  runCliIn(args, { cwd: path.join(app, 'packages/backend') });

describe('[P52] a configuration file beside those that a command reads', () => {
  it.each([
    ['app-config.production.yaml', GATE, 'has auth.apiGate'],
    ['app-config.yml', GATE, 'has auth.apiGate'],
    ['app-config-staging.yaml', GATE, 'has auth.apiGate'],
    ['app-config.local.yaml.yaml', GATE, 'has auth.apiGate'],
    ['app-config.x.yaml', 'auth: { apiGate: null }', 'has auth.apiGate'],
    ['app-config.x.yaml', 'auth: { apigate: {} }', 'has auth.apiGate'],
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
        expect(stdout + stderr).toContain(
          `../../${name} ${problem}, and the command has not read it: give --config for each file that the backend reads, in its order`,
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
      expect(stdout + stderr).toContain('can not be read here, and');
      expect(code).toBe(2);
    }
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
    ['app-config.d.yaml/x.yaml', GATE],
    // No command reads a developer's own file.
    ['app-config.local.yaml', 'auth: { apiGate: { allow: x } }'],
    ['app-config.production.local.yaml', GATE],
  ])('may be there: %s with %j', async (name, text) => {
    const app = appWith({ [name]: text });
    for (const args of COMMANDS) {
      expect((await run(app, args)).code).toBe(0);
    }
  });

  it('is named in a line if it may have auth.apiGate, and --config names other files', async () => {
    const app = appWith({
      'app-config.a.yaml': GATE,
      'app-config.b.yaml': 'x: [',
    });
    for (const args of COMMANDS) {
      const named = ['--config', '../../app-config.yaml'];
      const { code, stderr } = await run(app, [...args, ...named]);
      expect(stderr).toBe(
        'Read ../../app-config.yaml\nNot read: ../../app-config.a.yaml has auth.apiGate; ../../app-config.b.yaml is not valid YAML\n',
      );
      expect(code).toBe(0);
    }
  });
});
