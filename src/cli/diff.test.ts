import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import {
  folderWith,
  ownTemporaryFolder,
  runCliHere,
  runCliIn,
  writeInto,
} from '../__testUtils__/runCli';

jest.setTimeout(60_000);

const { leftovers } = ownTemporaryFolder();

const configWith = (rules: string[], more = '') =>
  `backend:\n  baseUrl: https://backstage.example.com\nauth:\n  apiGate:\n    allow: [${rules}]\n${more}`;

const STATIC = `{ plugin: techdocs, path: '/static/**', reason: docs on the intranet }`;
const ECHO = '{ plugin: proxy, path: /echo, methods: [POST] }';

async function diff(before: string, after: string, ...args: string[]) {
  const folder = folderWith({ 'before.yaml': before, 'after.yaml': after });
  return runCliHere([
    ...['diff', '--config', `${folder}/after.yaml`],
    ...['--against', `${folder}/before.yaml`],
    ...args,
  ]);
}

describe('api-gate diff', () => {
  it.each<[string[], number]>([
    [[], 0],
    [['--fail-on', 'new-public'], 1],
    [['--fail-on', 'any'], 1],
  ])(
    'prints what opens and what closes, and exits for %j with %i',
    async (args, exitCode) => {
      const { code, stdout } = await diff(
        configWith([ECHO]),
        configWith([STATIC]),
        ...args,
      );
      expect(stdout).toBe(
        '+ public  GET,HEAD /api/techdocs/static/**  auth.apiGate.allow[0]  "docs on the intranet"\n' +
          '- closed  POST /api/proxy/echo\n',
      );
      expect(code).toBe(exitCode);
    },
  );

  it.each<[string, number]>([
    ['new-public', 0],
    ['any', 1],
  ])(
    'with --fail-on %s and only closed paths, exits with %i',
    async (failOn, exitCode) => {
      const { code, stdout } = await diff(
        configWith([ECHO, STATIC]),
        configWith([STATIC]),
        ...['--fail-on', failOn],
      );
      expect(stdout).toBe('- closed  POST /api/proxy/echo\n');
      expect(code).toBe(exitCode);
    },
  );

  it.each<[string, string, string[]]>([
    ['', ', requires: a.secret', ['- newly requires a.secret']],
    [', requires: a.secret', '', ['+ no longer requires a.secret']],
    [
      ', requires: a.secret',
      ', requires: b.secret',
      ['+ no longer requires a.secret'],
    ],
    [', requires: a.secret', ', requires: a.secret, reason: x', []],
  ])(
    'compares the conditions of a rule (%s, %s)',
    async (before, after, lines) => {
      const rule = '{ plugin: catalog, path: /entities/by-query';
      const config = (conditions: string) =>
        configWith([`${rule}${conditions} }`, ECHO]);
      const { code, stdout } = await diff(
        config(before),
        config(after),
        ...['--fail-on', 'new-public'],
      );
      expect(stdout).toBe(
        lines.length === 0
          ? 'No difference in what is public\n'
          : `${lines}  GET /api/catalog/entities/by-query  auth.apiGate.allow[0]\n`,
      );
      expect(code).toBe(lines.join().startsWith('+') ? 1 : 0);
    },
  );

  it('finds no difference between equivalent rules', async () => {
    const { code, stdout } = await diff(
      configWith([ECHO, STATIC]),
      configWith([STATIC.replace(/, reason: [^}]*/, ' '), ECHO, ECHO]),
      ...['--fail-on', 'any'],
    );
    expect(stdout).toBe('No difference in what is public\n');
    expect(code).toBe(0);
  });

  it.each([
    [
      '    mode: report-only\n',
      '+ public  whatever plugins leave open  auth.apiGate.mode is report-only',
      1,
    ],
    [
      "    mode: report-only\n    until: '2999-01-01'\n",
      '+ public  whatever plugins leave open  auth.apiGate.mode is report-only until 2999-01-01T00:00:00.000Z',
      1,
    ],
  ])(
    'reports a gate whose rules refuse nothing as newly public: %j',
    async (mode, line, exitCode) => {
      const open = configWith([], mode);
      const args = ['--fail-on', 'new-public'];
      expect(await diff(configWith([]), open, ...args)).toMatchObject({
        stdout: `${line}\n`,
        code: exitCode,
      });
      expect(await diff(open, configWith([]), ...args)).toMatchObject({
        stdout:
          '- closed  whatever no rule names  auth.apiGate.mode is enforce\n',
        code: 0,
      });
      expect(await diff(open, open, ...args)).toMatchObject({ code: 0 });
    },
  );

  const DEMO = '{ plugin: proxy, path: /demo }';
  const ending = (until: string) => DEMO.replace(' }', `, until: '${until}' }`);

  it.each<[string, string, string, string, number]>([
    [
      'an end that is added',
      DEMO,
      ending('2099-01-01'),
      '- shorter  GET,HEAD /api/proxy/demo  ends 2099-01-01T00:00:00.000Z, was never\n',
      0,
    ],
    [
      'an end that is removed',
      ending('2099-01-01'),
      DEMO,
      '+ longer  GET,HEAD /api/proxy/demo  ends never, was 2099-01-01T00:00:00.000Z  auth.apiGate.allow[0]\n',
      1,
    ],
    [
      'a rule that ends',
      '',
      ending('2099-01-01'),
      '+ public  GET,HEAD /api/proxy/demo  until 2099-01-01T00:00:00.000Z  auth.apiGate.allow[0]\n',
      1,
    ],
    [
      'a rule that has ended',
      '',
      ending('2001-01-01'),
      'No difference in what is public\n',
      0,
    ],
    [
      'an ended rule that is extended',
      ending('2001-01-01'),
      ending('2099-01-01'),
      '+ public  GET,HEAD /api/proxy/demo  until 2099-01-01T00:00:00.000Z  auth.apiGate.allow[0]\n',
      1,
    ],
    [
      '* for a literal segment',
      '{ plugin: proxy, path: /a/b }',
      "{ plugin: proxy, path: '/a/*' }",
      '+ public  GET,HEAD /api/proxy/a/*  auth.apiGate.allow[0]\n',
      1,
    ],
    [
      '* for /**',
      "{ plugin: proxy, path: '/a/**' }",
      "{ plugin: proxy, path: '/a/*' }",
      '- closed  GET,HEAD /api/proxy/a/**\n',
      0,
    ],
  ])(
    '[P36][P37] prints %s by its meaning',
    async (_, before, after, lines, exitCode) => {
      const args = ['--fail-on', 'new-public'];
      expect(
        await diff(configWith([before]), configWith([after]), ...args),
      ).toMatchObject({ stdout: lines, code: exitCode });
    },
  );

  const CLOSED = '{ request: GET /api/catalog/entities, is: closed }';
  const HOOK = '{ request: POST /api/proxy/echo, is: public }';
  const WHOLE = '{ plugin: catalog, is: closed }';

  it.each<[string, string[], string[], string, number]>([
    [
      'a request that is no longer expected to be closed',
      [CLOSED, HOOK],
      [HOOK],
      '+ no longer expected  GET /api/catalog/entities is closed\n',
      1,
    ],
    [
      'a plugin that is no longer expected to be closed, but one request of it',
      [WHOLE],
      [CLOSED],
      '+ no longer expected  the plugin catalog is closed\n',
      1,
    ],
    [
      'a request that is no longer expected to be public',
      [CLOSED, HOOK],
      [CLOSED],
      '- no longer expected  POST /api/proxy/echo is public\n',
      0,
    ],
    [
      'a plugin in place of its request',
      [CLOSED],
      [WHOLE],
      '- newly expected  the plugin catalog is closed\n',
      0,
    ],
    [
      'another plugin',
      [WHOLE],
      [WHOLE.replace('catalog', 'search')],
      '+ no longer expected  the plugin catalog is closed\n- newly expected  the plugin search is closed\n',
      1,
    ],
    [
      'a closed request in place of a public one',
      [HOOK],
      [HOOK.replace('public', 'closed')],
      '- no longer expected  POST /api/proxy/echo is public\n- newly expected  POST /api/proxy/echo is closed\n',
      0,
    ],
    [
      'another order, and a repetition',
      [CLOSED, HOOK],
      [HOOK, CLOSED, HOOK],
      'No difference in what is public\n',
      0,
    ],
  ])('prints %s', async (_, before, after, lines, exitCode) => {
    const expecting = (list: string[]) =>
      configWith([], `    expect: [${list}]\n`);
    const run = (failOn: string) =>
      diff(expecting(before), expecting(after), '--fail-on', failOn);
    expect(await run('new-public')).toMatchObject({
      stdout: lines,
      code: exitCode,
    });
    expect((await run('any')).code).toBe(lines.startsWith('No') ? 0 : 1);
  });

  it('compares with several files, and uses made-up values for variables', async () => {
    const cwd = folderWith({
      'a.yaml': configWith([ECHO]),
      'b.yaml': "app: { title: '${NOT_SET}' }\n",
    });
    const args = ['diff', '--config', 'a.yaml', '--mock-env'];
    const against = ['--against', 'a.yaml', '--against', 'b.yaml'];
    expect(await runCliIn([...args, ...against], { cwd })).toEqual({
      code: 0,
      stdout: 'No difference in what is public\n',
      stderr:
        'Read a.yaml\nauth.apiGate.mode is enforce\nRead to compare with: a.yaml, b.yaml\n',
    });
  });

  it('takes report-only that has ended for enforce', async () => {
    const ended = configWith(
      [],
      "    mode: report-only\n    until: '2001-01-01'\n",
    );
    const args = ['--fail-on', 'any'];
    expect(await diff(configWith([]), ended, ...args)).toMatchObject({
      stdout: 'No difference in what is public\n',
      code: 0,
    });
  });

  it('prints the files of both sides on the standard error, so that the standard output has the difference alone', async () => {
    const { stderr } = await diff(configWith([]), configWith([]));
    expect(stderr).toMatch(
      /^Read \S+\/after\.yaml\nauth\.apiGate\.mode is enforce\nRead to compare with: \S+\/before\.yaml\n$/,
    );
  });

  it.each<[string, string[], string]>([
    ['nothing to compare with', [], 'Give --against git:REF once'],
    [
      'a commit and a file',
      ['--against', 'git:main', '--against', 'x'],
      'Give --against git:REF once',
    ],
    [
      'a file that is not there',
      ['--against', '/x.yaml'],
      '/x.yaml" does not exist',
    ],
    [
      'an unknown value',
      ['--against', '/x.yaml', '--fail-on', 'x'],
      '--fail-on must be one of new-public, any',
    ],
    [
      'no repository',
      ['--against', 'git:main'],
      'needs files in a git repository',
    ],
  ])('exits with 2 for %s', async (_, args, message) => {
    const folder = folderWith({ 'a.yaml': configWith([]) });
    const { code, stderr } = await runCliHere([
      ...['diff', '--config', `${folder}/a.yaml`],
      ...args,
    ]);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });
});

describe('api-gate diff --against git:', () => {
  const git = (cwd: string, ...args: string[]) =>
    execFileSync(
      'git',
      ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args],
      {
        cwd,
        stdio: 'pipe',
      },
    );
  let repository: string;

  beforeAll(() => {
    repository = folderWith({
      'app-config.yaml': configWith([], '').replace(
        'allow: []',
        "allow: { $include: './deploy/rules.yaml#allow' }",
      ),
      'deploy/rules.yaml': `allow: [${ECHO}]\n`,
    });
    git(repository, 'init', '--quiet', '--initial-branch=main');
    git(repository, 'add', '.');
    git(repository, 'commit', '--quiet', '-m', 'before');
    git(repository, 'commit', '--quiet', '--allow-empty', '-m', 'after');
    writeInto(repository, {
      'deploy/rules.yaml': `allow: [${ECHO}, ${STATIC}]\n`,
      'app-config.local.yaml': 'app: {}\n',
    });
  });

  it('reads the files and what they include as they are at the commit', async () => {
    const { code, stdout, stderr } = await runCliIn(
      ['diff', '--against', 'git:main', '--fail-on', 'new-public'],
      { cwd: repository },
    );
    expect(stdout).toBe(
      '+ public  GET,HEAD /api/techdocs/static/**  auth.apiGate.allow[1]  "docs on the intranet"\n',
    );
    expect(stderr).toBe(
      'Read app-config.yaml, app-config.local.yaml\nauth.apiGate.mode is enforce\nRead to compare with: app-config.yaml of git:main\napp-config.local.yaml is not in main\n',
    );
    expect(code).toBe(1);
    expect(leftovers()).toEqual([]);
  });

  const PUBLIC = '+ public  POST /api/proxy/echo  auth.apiGate.allow[0]';
  const READ = 'Read to compare with: app-config.yaml of git:HEAD\n';

  it.each([
    [['new.yaml'], '', PUBLIC],
    [['app-config.yaml', 'new.yaml'], READ, PUBLIC],
    [['empty.yaml'], '', 'No difference in what is public'],
  ])(
    'reports everything as new if the commit lacks a file with rules, or all files (%j)',
    async (files, compared, line) => {
      writeInto(repository, {
        'new.yaml': configWith([ECHO]),
        'empty.yaml':
          'backend: { baseUrl: https://a.example.com }\nauth: { apiGate: {} }\n',
      });
      const named = files.flatMap(file => ['--config', file]);
      const { code, stdout, stderr } = await runCliIn(
        [
          ...['diff', ...named, '--against', 'git:HEAD'],
          ...['--fail-on', 'new-public'],
        ],
        { cwd: repository },
      );
      expect([code, stdout]).toEqual([line === PUBLIC ? 1 : 0, `${line}\n`]);
      expect(stderr).toBe(
        `Read ${files.join(', ')}\nauth.apiGate.mode is enforce\n${compared}${files.at(-1)} is not in HEAD\n`,
      );
    },
  );

  it('reads the files of BACKSTAGE_ENV at the commit, and refuses others with rules', async () => {
    const cwd = folderWith({
      'app-config.yaml': configWith([ECHO]),
      'app-config.production.yaml': configWith([ECHO]),
      'app-config.production.local.yaml': 'app: {}\n',
    });
    git(cwd, 'init', '--quiet', '--initial-branch=main');
    git(cwd, 'add', '--force', '.');
    git(cwd, 'commit', '--quiet', '-m', 'x');
    const args = ['diff', '--against', 'git:main'];
    const env = { BACKSTAGE_ENV: 'production' };
    expect(await runCliIn(args, { cwd, env })).toEqual({
      code: 0,
      stdout: 'No difference in what is public\n',
      stderr:
        'Read app-config.yaml, app-config.production.yaml, app-config.production.local.yaml\nauth.apiGate.mode is enforce\nRead to compare with: app-config.yaml of git:main, app-config.production.yaml of git:main, app-config.production.local.yaml of git:main\n',
    });
    rmSync(path.join(cwd, 'app-config.production.yaml'));
    const { code, stderr } = await runCliIn(args, { cwd });
    expect(stderr).toContain(
      'error: app-config.production.yaml of git:main has auth.apiGate, and the command has not read it: give --config for each file that the backend reads, or the files of main with --against FILE\n',
    );
    expect(code).toBe(2);
    const named = [...args, '--config', 'app-config.yaml'];
    expect((await runCliIn(named, { cwd })).code).toBe(0);
  });

  it('prints the git command to run in a shallow clone', async () => {
    const clone = folderWith({});
    git(
      clone,
      'clone',
      '--quiet',
      '--depth=1',
      `file://${repository}`,
      'shallow',
    );
    const file = path.join(clone, 'shallow/app-config.yaml');
    const run = (ref: string) =>
      runCliHere(['diff', '--config', file, '--against', `git:${ref}`]);
    for (const ref of ['HEAD~1', 'origin/other', '--upload-pack=x', 'main:x']) {
      expect(await run(ref)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(
          `this clone does not have ${ref}. A shallow clone has one commit only: run "git fetch --depth=1 origin `,
        ),
      });
    }
    expect(await run('origin/main')).toMatchObject({
      code: 0,
      stdout: 'No difference in what is public\n',
    });
    git(repository, 'branch', 'release', 'HEAD~1');
    const { stderr } = await run('origin/release');
    const [, fetch] = stderr.match(/run "git (fetch [^"]+)"/)!;
    git(path.dirname(file), ...fetch.split(' '));
    expect(await run('FETCH_HEAD')).toMatchObject({ code: 0 });
    expect(leftovers()).toEqual([]);
  });
});
