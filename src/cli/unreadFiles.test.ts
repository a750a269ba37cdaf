import { execFileSync } from 'node:child_process';
import { rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { folderWith, runCliIn, writeInto } from '../__testUtils__/runCli';

jest.setTimeout(60_000);

const BASE = 'backend: { baseUrl: https://backstage.example.com }\n';
const GATE = 'auth: { apiGate: { allow: [] } }\n';
const OPEN = "auth: { apiGate: { allow: [{ plugin: catalog, path: '/**' }] } }";

const COMMANDS = [
  ['check'],
  ['check', '--format', 'github'],
  ['explain', 'GET /api/catalog/entities'],
  ['diff', '--against', 'git:main'],
  ['diff', '--against', '../../app-config.yaml'],
];

const FOLDER = {
  'package.json': '{"name":"root","workspaces":["packages/*"]}',
  'packages/backend/package.json': '{"name":"backend"}',
  'app-config.yaml': BASE + GATE,
};

/** Commits the files that an app has, in a new repository. */
function repositoryWith(files: Record<string, string>): string {
  const repository = folderWith({ ...FOLDER, ...files });
  const git = (...args: string[]) =>
    execFileSync(
      'git',
      ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args],
      {
        cwd: repository,
        stdio: 'pipe',
      },
    );
  git('init', '--quiet', '--initial-branch=main');
  git('add', '.');
  git('commit', '--quiet', '--message', 'x');
  return repository;
}

const run = (repository: string, args: string[], env = {}) =>
  runCliIn(args, { cwd: path.join(repository, 'packages/backend'), env });

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
      // The branch main does not have it.
      const repository = repositoryWith({});
      writeInto(repository, { [name]: text });
      for (const args of COMMANDS) {
        const { code, stdout, stderr } = await run(repository, args);
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
    const repository = repositoryWith({});
    const link = path.join(repository, 'app-config.production.yaml');
    symlinkSync('/nowhere/app-config.yaml', link);
    for (const args of COMMANDS) {
      const { code, stdout, stderr } = await run(repository, args);
      expect(stdout + stderr).toContain('this file can not be read here, and');
      expect(code).toBe(2);
    }
  });

  it('may be a folder', async () => {
    const repository = repositoryWith({ 'app-config.d.yaml/x.yaml': GATE });
    for (const args of COMMANDS) {
      expect((await run(repository, args)).code).toBe(0);
    }
  });

  it('is named with all others', async () => {
    const repository = repositoryWith({
      'app-config.a.yaml': GATE,
      'app-config.b.yaml': 'x: [',
      'app-config.c.yaml': GATE,
    });
    const { stderr } = await run(repository, ['check']);
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
    const repository = repositoryWith({ [name]: text });
    for (const args of COMMANDS) {
      expect((await run(repository, args)).code).toBe(0);
    }
  });

  it('may have auth.apiGate if the command reads it, or if --config names the files', async () => {
    const repository = repositoryWith({ 'app-config.production.yaml': GATE });
    const named = ['--config', '../../app-config.yaml'];
    const env = { BACKSTAGE_ENV: 'production' };
    for (const args of COMMANDS) {
      expect((await run(repository, [...args, ...named])).code).toBe(0);
      expect((await run(repository, args, env)).code).toBe(0);
    }
  });

  it('ends diff with 2 if only the commit has it', async () => {
    const repository = repositoryWith({ 'app-config.production.yaml': OPEN });
    rmSync(path.join(repository, 'app-config.production.yaml'));
    const args = ['diff', '--against', 'git:main'];
    expect(await run(repository, args)).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'Read ../../app-config.yaml\nauth.apiGate.mode is enforce\nRead to compare with: ../../app-config.yaml of git:main\nerror: app-config.production.yaml of git:main has auth.apiGate, and the command has not read it: give --config for each file that the backend reads, or the files of main with --against FILE\n',
    });
    const named = [...args, '--config', '../../app-config.yaml'];
    expect((await run(repository, named)).code).toBe(0);
  });
});
