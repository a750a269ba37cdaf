import { execFileSync } from 'node:child_process';
import { rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import {
  folderWith,
  ownTemporaryFolder,
  runCliIn,
  writeInto,
} from '../__testUtils__/runCli';

jest.setTimeout(60_000);

const { leftovers } = ownTemporaryFolder();

const CLOSED = 'allow: []\n';
const OPEN = "allow: [{ plugin: catalog, path: '/**' }]\n";
const OPENED = '+ public  GET,HEAD /api/catalog/**  auth.apiGate.allow[0]\n';

const BASE =
  'backend: { baseUrl: https://backstage.example.com, listen: 7007, csp: }\n';

/** A configuration file whose rules are a YAML value. */
const withAllow = (value: string) =>
  `${BASE}auth:\n  apiGate:\n    allow: ${value}\n`;
const including = (file: string) =>
  withAllow(`{ $include: ${JSON.stringify(`${file}#allow`)} }`);

function git(repository: string, ...args: string[]) {
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], {
    cwd: repository,
    stdio: 'pipe',
  });
}

/** Commits all files of a repository, which is created where it is not there yet. */
function commit(repository: string) {
  git(repository, 'init', '--quiet', '--initial-branch=main');
  git(repository, 'add', '--force', '.');
  git(repository, 'commit', '--quiet', '--message', 'x');
}

function diffAgainstMain(
  repository: string,
  args: string[] = [],
  env: Record<string, string> = {},
) {
  return runCliIn(['diff', '--against', 'git:main', ...args], {
    cwd: repository,
    env,
  });
}

describe('[P52] diff --against git:', () => {
  it.each<
    [
      what: string,
      textOf: (repository: string, outside: string) => string,
      name?: string,
    ]
  >([
    [
      'an absolute path into the repository',
      here => including(`${here}/deploy/rules.yaml`),
    ],
    [
      'an absolute path out of the repository',
      (_, outside) => including(`${outside}/x.yaml`),
    ],
    [
      'a path that leads up to the root and down again',
      here =>
        including(`${'../'.repeat(30)}${here.slice(1)}/deploy/rules.yaml`),
    ],
    [
      'a path that leads out of the repository and in again',
      here => including(`../${path.basename(here)}/deploy/rules.yaml`),
    ],
    ['a path with a variable', () => including('${HERE}/deploy/rules.yaml')],
    [
      'a path in which .. follows a variable',
      () => including('${HERE}/deploy/../deploy/rules.yaml'),
    ],
    [
      'a path that is an alias',
      here =>
        `x: &x ${here}/deploy/rules.yaml#allow\n${withAllow('{ $include: *x }')}`,
    ],
    [
      'an absolute path in an included file',
      () => `${BASE}auth: { apiGate: { $include: deploy/more.json } }`,
      'deploy/more.json',
    ],
    [
      'a path of $file that leads out behind a #',
      here =>
        withAllow(
          `[{ plugin: { $file: 'x#${'/..'.repeat(here.split('/').length)}${here}/deploy/plugin.txt' }, path: /x }]`,
        ),
    ],
    [
      'an absolute path in a list',
      here => withAllow(`[{ $include: '${here}/deploy/rules.yaml#rule' }]`),
    ],
  ])(
    'ends with 2 and names the file where a file is included by %s',
    async (_, textOf, ...[name = 'app-config.yaml']) => {
      const outside = folderWith({ 'x.yaml': CLOSED });
      const repository = folderWith({
        'deploy/rules.yaml': `${CLOSED}rule: { plugin: a, path: /b }\n`,
        'deploy/plugin.txt': 'a',
      });
      writeInto(repository, {
        'app-config.yaml': textOf(repository, outside),
        'deploy/more.json': `{ "allow": { "$include": "${repository}/deploy/rules.yaml#allow" } }`,
      });
      commit(repository);
      writeInto(repository, {
        'deploy/rules.yaml': `${OPEN}rule: { plugin: catalog, path: '/**' }\n`,
        'deploy/plugin.txt': 'catalog',
      });
      writeInto(outside, { 'x.yaml': OPEN });
      const env = { HERE: repository };
      expect(await diffAgainstMain(repository, [], env)).toEqual({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(
          new RegExp(
            `^Read app-config.yaml\nauth.apiGate.mode is enforce\nerror: ${name} of git:main includes .*\n$`,
          ),
        ),
      });
      expect(leftovers()).toEqual([]);
    },
  );

  it.each(['./deploy../rules.yaml', 'deploy../../deploy..//rules.yaml'])(
    'compares what is included by %s, beside a text that is no YAML',
    async file => {
      const repository = folderWith({
        'app-config.yaml': `${including(file)}app: { title: { $file: title.txt } }\n`,
        'title.txt': 'title: "',
        'deploy../rules.yaml': CLOSED,
      });
      commit(repository);
      writeInto(repository, { 'deploy../rules.yaml': OPEN });
      expect(await diffAgainstMain(repository)).toEqual({
        code: 0,
        stdout: OPENED,
        stderr:
          'Read app-config.yaml\nauth.apiGate.mode is enforce\nRead to compare with: app-config.yaml of git:main\n',
      });
    },
  );

  it('compares the files that links of the commit lead to, not those of the present', async () => {
    const repository = folderWith({
      'one/rules.yaml': CLOSED,
      'two/rules.yaml': OPEN,
      'app-config.yaml': including('./deploy/rules.yaml'),
      'one.yaml': withAllow('[]'),
      'two.yaml': including('./two/rules.yaml'),
    });
    const link = (to: string, from: string) => {
      rmSync(path.join(repository, from), { force: true });
      symlinkSync(to, path.join(repository, from));
    };
    link('one', 'deploy');
    link('one.yaml', 'linked.yaml');
    commit(repository);
    link('two', 'deploy');
    expect((await diffAgainstMain(repository)).stdout).toBe(OPENED);
    link('two.yaml', 'linked.yaml');
    const args = ['--config', 'linked.yaml'];
    expect((await diffAgainstMain(repository, args)).stdout).toBe(OPENED);
    // The same through another name of the repository.
    const elsewhere = path.join(folderWith({}), 'repository');
    symlinkSync(repository, elsewhere);
    expect((await diffAgainstMain(elsewhere, args)).stdout).toBe(OPENED);
  });

  it.each<[string, string, string[], RegExp]>([
    [
      'a file of --config is outside of the repository',
      'rules.yaml',
      ['--config', 'app-config.yaml', '--config', '../outside/more.yaml'],
      /^Read .*\nauth\.apiGate\.mode is enforce\nerror: \S+outside\/more\.yaml is not in the repository \S+, so that /,
    ],
    [
      'a file of --config is a link out of the repository',
      'rules.yaml',
      ['--config', 'app-config.yaml', '--config', 'linked.yaml'],
      /^Read .*\nauth\.apiGate\.mode is enforce\nerror: linked\.yaml of git:main is no file, or a link /,
    ],
    [
      'an included file is below a link out of the repository',
      'link/rules.yaml',
      [],
      /^Read .*\nauth\.apiGate\.mode is enforce\nerror: link\/rules\.yaml of git:main is no file, or a link /,
    ],
    [
      'an included file is a link to nothing',
      'dangling.yaml',
      [],
      /^Read .*\nauth\.apiGate\.mode is enforce\nerror: dangling\.yaml of git:main is no file, or a link /,
    ],
  ])('ends with 2 where %s', async (_, include, args, message) => {
    const folder = folderWith({
      'repository/app-config.yaml': including(include),
      'repository/rules.yaml': CLOSED,
      'outside/rules.yaml': CLOSED,
      'outside/more.yaml': withAllow('[]'),
    });
    const repository = path.join(folder, 'repository');
    symlinkSync('../outside', path.join(repository, 'link'));
    symlinkSync('../outside/more.yaml', path.join(repository, 'linked.yaml'));
    symlinkSync('generated.yaml', path.join(repository, 'dangling.yaml'));
    commit(repository);
    writeInto(folder, {
      'repository/generated.yaml': OPEN,
      'repository/package.json': '{"name":"root"}',
      'outside/rules.yaml': OPEN,
      'outside/more.yaml': withAllow(OPEN.replace('allow: ', '')),
    });
    expect(await diffAgainstMain(repository, args)).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(message),
    });
  });

  it.each<[string, string, Record<string, string>, RegExp]>([
    [
      'the commit has broken YAML, and quotes none of it',
      'token: "secret-value\nx: [',
      {},
      /^Read app-config\.yaml\nauth\.apiGate\.mode is enforce\nerror: app-config\.yaml of git:main is not valid YAML: [^\n]+\n$/,
    ],
    [
      'git is not installed',
      withAllow('[]'),
      { PATH: '/nowhere' },
      /\nerror: --against git:REF needs git, which is not installed: give --against FILE\n$/,
    ],
  ])('ends with 2 where %s', async (_, before, env, message) => {
    const repository = folderWith({ 'app-config.yaml': before });
    commit(repository);
    writeInto(repository, { 'app-config.yaml': withAllow('[]') });
    const { code, stdout, stderr } = await diffAgainstMain(repository, [], env);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('secret-value');
    expect([code, stdout]).toEqual([2, '']);
    expect(leftovers()).toEqual([]);
  });

  it('takes nothing for public before where the commit lacks a file that may have closed it', async () => {
    const open = withAllow("[{ plugin: catalog, path: '/**' }]");
    const repository = folderWith({
      'app-config.yaml': open,
      'app-config.production.yaml': withAllow('[]'),
    });
    commit(repository);
    writeInto(repository, { 'app-config.prod.yaml': open });
    const args = ['app-config.yaml', 'app-config.prod.yaml'].flatMap(file => [
      '--config',
      file,
    ]);
    expect(await diffAgainstMain(repository, args)).toEqual({
      code: 0,
      stdout: OPENED,
      stderr:
        'Read app-config.yaml, app-config.prod.yaml\nauth.apiGate.mode is enforce\nRead to compare with: app-config.yaml of git:main\napp-config.prod.yaml is not in main\n',
    });
  });

  it('takes a file for new where the commit has a file in place of its folder', async () => {
    const file = 'deploy/app-config.yaml';
    const repository = folderWith({ deploy: '' });
    commit(repository);
    rmSync(path.join(repository, 'deploy'));
    writeInto(repository, { [file]: withAllow('[]') });
    const args = ['--config', file];
    expect((await diffAgainstMain(repository, args)).stderr).toBe(
      `Read ${file}\nauth.apiGate.mode is enforce\n${file} is not in main\n`,
    );
  });

  it('finds the files of the commit beside files in a folder', async () => {
    const repository = folderWith({
      'deploy/app/package.json': '{ "name": "root", "workspaces": [] }',
      'deploy/app/app-config.yaml': BASE,
      'deploy/app/app-config.production.yaml': withAllow('[]'),
    });
    commit(repository);
    rmSync(path.join(repository, 'deploy/app/app-config.production.yaml'));
    const cwd = path.join(repository, 'deploy/app');
    expect((await diffAgainstMain(cwd)).stderr).toContain(
      'error: app-config.production.yaml of git:main has auth.apiGate, ',
    );
  });

  it('compares with files that are empty or deleted by now', async () => {
    const repository = folderWith({
      'app-config.yaml': withAllow("[{ plugin: catalog, path: '/**' }]"),
      'app-config.production.yaml': withAllow('[]'),
    });
    commit(repository);
    writeInto(repository, { 'app-config.production.yaml': '# empty\n' });
    const args = ['app-config.yaml', 'app-config.production.yaml'].flatMap(
      file => ['--config', file],
    );
    expect((await diffAgainstMain(repository, args)).stdout).toBe(OPENED);
    rmSync(path.join(repository, 'app-config.production.yaml'));
    const env = { BACKSTAGE_ENV: 'production' };
    expect((await diffAgainstMain(repository, [], env)).stdout).toBe(OPENED);
  });
});

describe('[P52] a file app-config.local.yaml', () => {
  const LOCAL = 'app-config.local.yaml';

  /** A repository whose main branch opens nothing, in which `app-config.yaml` opens the catalog, and the local file hides it. */
  function repositoryWith(local: string): string {
    const repository = folderWith({ 'app-config.yaml': withAllow('[]') });
    commit(repository);
    writeInto(repository, {
      'app-config.yaml': withAllow("[{ plugin: catalog, path: '/**' }]"),
      'rules.yaml': CLOSED,
      'auth.yaml': '{ apiGate: { allow: [] } }',
      [LOCAL]: local,
    });
    return repository;
  }

  const COMMANDS = [
    ['check'],
    ['check', '--format', 'github'],
    ['diff', '--against', 'git:main'],
    ['diff', '--against', 'app-config.yaml'],
    // A job that names the files of production must not let such a file in either.
    ['check', '--config', 'app-config.yaml'],
    ['diff', '--against', 'git:main', '--config', 'app-config.yaml'],
  ];

  it.each([
    'auth: { apiGate: { allow: [] } }',
    'auth: { apiGate: { $include: rules.yaml } }',
    'auth: { apiGate: null }',
    'auth: null',
    'auth: { $include: auth.yaml }',
  ])('ends check and diff with 2 if git tracks it, with %s', async local => {
    const repository = repositoryWith(local);
    git(repository, 'add', '--force', LOCAL);
    for (const args of COMMANDS) {
      const { code, stdout, stderr } = await runCliIn(args, {
        cwd: repository,
      });
      expect(stdout + stderr).toMatch(
        /^(error: |::error file=)app-config\.local\.yaml.*: ?git tracks this file, and it has auth\.apiGate, /m,
      );
      expect(stdout).not.toContain('No difference');
      expect(code).toBe(2);
    }
  });

  it('is read as Backstage reads it if git does not track it, or if it has other settings', async () => {
    const local = withAllow('[{ plugin: local, path: /x }]');
    const repository = repositoryWith(local);
    for (const cwd of [
      repository,
      folderWith({ 'app-config.yaml': BASE, [LOCAL]: local }),
    ]) {
      const { code, stdout } = await runCliIn(['check'], { cwd });
      expect(stdout).toContain(
        'app-config.local.yaml:4  auth.apiGate.allow[0]  GET /api/local/x\n',
      );
      expect(code).toBe(0);
    }
    writeInto(repository, {
      [LOCAL]: 'app: { title: mine }\nauth: { providers: {} }\n',
    });
    git(repository, 'add', '--force', LOCAL);
    expect((await diffAgainstMain(repository)).stdout).toBe(OPENED);
  });

  it.each<[string, string, Record<string, string>]>([
    ['spawnSync git ENOENT', 'HEAD', { PATH: '/nowhere' }],
    ['fatal: .git/index: index file smaller than expected', 'index', {}],
  ])(
    'ends with 2 if git can not say whether it tracks it: %s',
    async (why, broken, env) => {
      const repository = repositoryWith('auth: { apiGate: {} }');
      writeInto(repository, { [`.git/${broken}`]: '' });
      expect(await runCliIn(['check'], { cwd: repository, env })).toEqual({
        code: 2,
        stdout: '',
        stderr: expect.stringContaining(
          `error: app-config.local.yaml: git can not say whether it tracks this file (${why}): `,
        ),
      });
    },
  );
});
