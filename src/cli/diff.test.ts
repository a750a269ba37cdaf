import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import {
  folderWith,
  runCliIn,
  writeInto,
} from '../__tests__/__testUtils__/runCli';

jest.setTimeout(60_000);

const configWith = (rules: string[], more = '') =>
  `backend:\n  baseUrl: https://backstage.example.com\nauth:\n  apiGate:\n    allow: [${rules}]\n${more}`;

const STATIC = `{ plugin: techdocs, path: '/static/**', reason: docs on the intranet }`;
const ECHO = '{ plugin: proxy, path: /echo, methods: [POST] }';

/** Makes a checkout `app`, and another one beside it. Paths that begin with `../` are outside of both. */
function checkouts(
  before: Record<string, string>,
  after: Record<string, string>,
): string {
  const folder = folderWith({ 'base/.git': '', 'app/.git': '' });
  const cwd = path.join(folder, 'app');
  writeInto(path.join(folder, 'base'), before);
  writeInto(cwd, { 'package.json': '{"name":"root"}', ...after });
  return cwd;
}

async function diff(before: string, after: string, ...args: string[]) {
  const cwd = checkouts({ 'a.yaml': before }, { 'a.yaml': after });
  const files = ['--config', 'a.yaml', '--against', '../base'];
  return runCliIn(['diff', ...files, ...args], { cwd });
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

  it.each([
    ['${NOT_SET}/a${B:-/b}', '${NOT_SET}/a${B:-/**}', '${NOT_SET}/a/**'],
    ['${A:-health}/${NOT_SET}', '${A:-admin}/${NOT_SET}', 'admin/${NOT_SET}'],
  ])(
    'compares the default of a variable beside one that is not set: %s, %s',
    async (before, after, opened) => {
      const ruleOf = (text: string) => `{ plugin: techdocs, path: '/${text}' }`;
      const args = ['--mock-env', '--fail-on', 'new-public'];
      const [old, now] = [before, after].map(text =>
        configWith([ruleOf(text)]),
      );
      const { code, stdout } = await diff(old, now, ...args);
      expect(stdout).toContain(`+ public  GET,HEAD /api/techdocs/${opened} `);
      expect(code).toBe(1);
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

  it('finds no difference between equivalent rules', async () => {
    const { code, stdout } = await diff(
      configWith([ECHO, STATIC]),
      configWith([STATIC.replace(/, reason: [^}]*/, ' '), ECHO, ECHO]),
      ...['--fail-on', 'any'],
    );
    expect(stdout).toBe('No difference in what anybody may do\n');
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
      'No difference in what anybody may do\n',
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
      'No difference in what anybody may do\n',
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
    const files = {
      'a.yaml': configWith([ECHO]),
      'b.yaml': "app: { title: '${NOT_SET}' }\n",
    };
    const args = ['--config', 'a.yaml', '--config', 'b.yaml', '--mock-env'];
    const cwd = checkouts(files, files);
    expect(
      await runCliIn(['diff', ...args, '--against', '../base'], { cwd }),
    ).toEqual({
      code: 0,
      stdout: 'No difference in what anybody may do\n',
      stderr:
        'Read a.yaml, b.yaml\nauth.apiGate.mode is enforce\nRead to compare with: ../base/a.yaml, ../base/b.yaml\n',
    });
  });

  it('takes report-only that has ended for enforce', async () => {
    const ended = configWith(
      [],
      "    mode: report-only\n    until: '2001-01-01'\n",
    );
    const args = ['--fail-on', 'any'];
    expect(await diff(configWith([]), ended, ...args)).toMatchObject({
      stdout: 'No difference in what anybody may do\n',
      code: 0,
    });
  });

  it('prints the files of both sides on the standard error, so that the standard output has the difference alone', async () => {
    const { stderr } = await diff(configWith([]), configWith([]));
    expect(stderr).toBe(
      'Read a.yaml\nauth.apiGate.mode is enforce\nRead to compare with: ../base/a.yaml\n',
    );
  });

  it('exits with 2 for an unknown value', async () => {
    const same = configWith([]);
    expect(await diff(same, same, '--fail-on', 'x')).toMatchObject({
      code: 2,
      stderr: 'error: --fail-on must be one of new-public, any\n',
    });
  });
});

const CLOSED = 'allow: []\n';
const OPEN = "allow: [{ plugin: catalog, path: '/**' }]\n";
const OPENED = '+ public  GET,HEAD /api/catalog/**  auth.apiGate.allow[0]\n';
const NOTHING = 'No difference in what anybody may do\n';
const READ = 'Read app-config.yaml\nauth.apiGate.mode is enforce\n';
const COMPARED = 'Read to compare with: ../base/app-config.yaml\n';

const opening = (plugin: string) =>
  configWith([`{ plugin: ${plugin}, path: '/**' }`]);
const withAllow = (value: string) => configWith([]).replace('[]', value);
const including = (file: string) =>
  withAllow(`{ $include: ${JSON.stringify(`${file}#allow`)} }`);

const run = (cwd: string, args: string[] = [], env = {}) =>
  runCliIn(['diff', '--against', '../base', ...args], { cwd, env });

describe('[P52] diff --against FOLDER', () => {
  it.each<[args: string[], problem: string]>([
    [[], 'must be one folder (none is given): '],
    [['../base', '../base'], 'must be one folder (../base, ../base): '],
    ...['../base/app-config.yaml', 'app-config.yaml/x', '../none'].map(
      (folder): [string[], string] => [
        [folder],
        `must be one folder (${folder}): `,
      ],
    ),
    [[''], 'must be one folder (none is given): '],
    [['.'], '. is in this checkout: '],
    [['sub'], 'sub is in this checkout: '],
    [['../link'], '../link is in this checkout: '],
    [['../empty'], '../empty has none of the files to compare: '],
    [['..'], '.. has none of the files to compare: '],
  ])('exits with 2, and prints what to write, for %j', async (folders, why) => {
    const config = { 'app-config.yaml': configWith([]) };
    const cwd = checkouts(config, {
      ...config,
      'sub/app-config.yaml': config['app-config.yaml'],
    });
    mkdirSync(path.join(cwd, '../empty'));
    symlinkSync('app', path.join(cwd, '../link'));
    const args = folders.flatMap(folder => ['--against', folder]);
    expect(await runCliIn(['diff', ...args], { cwd })).toEqual({
      code: 2,
      stdout: '',
      stderr: `${READ}error: --against ${why}give the root of another checkout, which git worktree add --detach FOLDER COMMIT makes\n`,
    });
  });

  const OUTSIDE = 'this file is outside of the checkout ';
  const VARIABLE = 'write the path without a variable';

  /** The file that includes, with the problem that is reported. `%` is the folder of both checkouts. */
  const INCLUDES: [what: string, text: string, problem: string][] = [
    ['an absolute path', including('%/rules.yaml'), OUTSIDE],
    ['a path that leads out', including('deploy/../../rules.yaml'), OUTSIDE],
    ['a path through a link', including('link/rules.yaml'), OUTSIDE],
    ['a path that is a link', including('linked.yaml'), OUTSIDE],
    [
      'a path that is an alias',
      `x: &x '%/rules.yaml#allow'\n${withAllow('{ $include: *x }')}`,
      OUTSIDE,
    ],
    [
      'a path in an included file',
      configWith([]).replace('\n    allow: []', ' { $include: deploy/a.json }'),
      OUTSIDE,
    ],
    [
      'a path in a list',
      withAllow("[{ $include: '../rules.yaml#rule' }]"),
      OUTSIDE,
    ],
    [
      'a path of $file that leads out behind a #',
      withAllow("[{ plugin: { $file: 'x#/../../plugin.txt' }, path: /x }]"),
      OUTSIDE,
    ],
    ['a path with a variable', including('${HERE}/rules.yaml'), VARIABLE],
  ];

  it.each(
    (['before', 'after'] as const).flatMap(side =>
      INCLUDES.map(([what, ...row]) => [what, side, ...row] as const),
    ),
  )(
    'exits with 2, and names the file, if a file is included by %s %s',
    async (_, side, text, problem) => {
      const cwd = checkouts({}, {});
      const folder = path.dirname(cwd);
      const changed = side === 'before' ? path.join(folder, 'base') : cwd;
      for (const each of [cwd, path.join(folder, 'base')]) {
        writeInto(each, { 'app-config.yaml': configWith([]) });
      }
      writeInto(folder, {
        'rules.yaml': `${CLOSED}rule: { plugin: a, path: /b }\n`,
        'plugin.txt': 'a',
      });
      writeInto(changed, {
        'app-config.yaml': text.replace('%', folder),
        'deploy/a.json':
          '{ "allow": { "$include": "../../rules.yaml#allow" } }',
        'x#/y': '',
      });
      symlinkSync('..', path.join(changed, 'link'));
      symlinkSync('../rules.yaml', path.join(changed, 'linked.yaml'));
      const { code, stdout, stderr } = await run(cwd, [], { HERE: folder });
      expect(stderr).toMatch(/^error: [\w./-]+: this file /m);
      expect(stderr).toContain(problem);
      expect([code, stdout]).toEqual([2, '']);
    },
  );

  it.each(['../more.yaml', '../link/more.yaml'])(
    'exits with 2 for a file of --config outside of the checkout: %s',
    async file => {
      const text = configWith([]);
      const cwd = checkouts(
        {},
        {
          'app-config.yaml': text,
          'more.yaml': text,
          '../more.yaml': text,
          '../deep/base/app-config.yaml': text,
        },
      );
      symlinkSync('app', path.join(cwd, '../link'));
      const args = ['--config', 'app-config.yaml', '--config', file];
      const { code, stderr } = await runCliIn(
        ['diff', '--against', '../deep/base', ...args],
        { cwd },
      );
      expect(stderr).toContain(`\nerror: ${file}: ${OUTSIDE}`);
      expect(code).toBe(2);
    },
  );

  it.each([
    ['before', '../outside.yaml', `../base/app-config.yaml: ${OUTSIDE}`],
    ['after', '../outside.yaml', `app-config.yaml: ${OUTSIDE}`],
    ['before', 'none.yaml', '../base/app-config.yaml: this file is not there'],
  ])(
    'exits with 2 if a file is a link %s the change, to %s',
    async (side, to, problem) => {
      const config = { 'app-config.yaml': configWith([]) };
      const isBefore = side === 'before';
      const cwd = checkouts(isBefore ? {} : config, isBefore ? config : {});
      const linked = isBefore ? path.join(cwd, '../base') : cwd;
      writeInto(cwd, { '../outside.yaml': configWith([]) });
      symlinkSync(to, path.join(linked, 'app-config.yaml'));
      const { code, stdout, stderr } = await run(cwd);
      expect(stderr).toContain(`error: ${problem}`);
      expect([code, stdout]).toEqual([2, '']);
    },
  );

  it('exits with 2 if both sides read one file', async () => {
    const cwd = checkouts(
      {},
      {
        'app-config.yaml': including('nested/rules.yaml'),
        'nested/.git': '',
        'nested/app-config.yaml': including('rules.yaml'),
        'nested/rules.yaml': CLOSED,
      },
    );
    const args = ['diff', '--against', 'nested'];
    expect(await runCliIn(args, { cwd })).toEqual({
      code: 2,
      stdout: '',
      stderr: `${READ}error: nested/rules.yaml: both checkouts read this file, so that it would be compared with itself: make the other checkout outside of this one\n`,
    });
  });

  it('exits with 2 for broken YAML of the other checkout, and quotes none of it', async () => {
    const cwd = checkouts(
      { 'app-config.yaml': 'token: "secret-value\nx: [' },
      { 'app-config.yaml': configWith([]) },
    );
    expect(await run(cwd)).toEqual({
      code: 2,
      stdout: '',
      stderr: `${READ}error: ../base/app-config.yaml: this file is not valid YAML\n`,
    });
  });

  it.each(['./deploy../rules.yaml', 'deploy../../deploy..//rules.yaml'])(
    'compares what is included by %s, beside a text that is no YAML',
    async file => {
      const shared = {
        'app-config.yaml': `${including(file)}app: { title: { $file: title.txt } }\n`,
        'title.txt': 'title: "',
      };
      const cwd = checkouts(
        { ...shared, 'deploy../rules.yaml': CLOSED },
        { ...shared, 'deploy../rules.yaml': OPEN },
      );
      expect(await run(cwd, ['--fail-on', 'new-public'])).toEqual({
        code: 1,
        stdout: OPENED,
        stderr: READ + COMPARED,
      });
    },
  );

  it('compares the files that the links of each checkout lead to, from a folder below the root', async () => {
    const files = { 'one.yaml': opening('a'), 'two.yaml': opening('catalog') };
    const cwd = checkouts(files, { ...files, 'packages/backend/x': '' });
    symlinkSync('one.yaml', path.join(cwd, '../base/linked.yaml'));
    symlinkSync('two.yaml', path.join(cwd, 'linked.yaml'));
    expect(
      await runCliIn(
        ['diff', '--config', '../../linked.yaml', '--against', '../../../base'],
        { cwd: path.join(cwd, 'packages/backend') },
      ),
    ).toEqual({
      code: 0,
      stdout: `${OPENED}- closed  GET,HEAD /api/a/**\n`,
      stderr:
        'Read ../../linked.yaml\nauth.apiGate.mode is enforce\nRead to compare with: ../../../base/linked.yaml\n',
    });
  });

  it('compares files in the order of --config, one of them twice', async () => {
    const files = { 'a.yaml': opening('a'), 'b.yaml': opening('catalog') };
    const cwd = checkouts(files, files);
    const args = ['a', 'b', 'a'].flatMap(each => ['--config', `${each}.yaml`]);
    expect((await run(cwd, args)).stdout).toBe(NOTHING);
  });

  it.each([
    [
      'has rules, which takes nothing for public before',
      opening('catalog'),
      OPENED,
    ],
    ['has other settings', 'app: {}\n', NOTHING],
  ])(
    'compares without a file that the other checkout lacks: it %s',
    async (_, added, stdout) => {
      const open = opening('catalog');
      const cwd = checkouts(
        { 'app-config.yaml': open, deploy: '' },
        { 'app-config.yaml': open, 'deploy/prod.yaml': added },
      );
      const files = ['app-config.yaml', 'deploy/prod.yaml'];
      const args = files.flatMap(file => ['--config', file]);
      expect(await run(cwd, args)).toEqual({
        code: 0,
        stdout,
        stderr: `Read ${files.join(', ')}\nauth.apiGate.mode is enforce\n${COMPARED}deploy/prod.yaml is not in ../base\n`,
      });
    },
  );

  it('compares with files that are empty or deleted by now', async () => {
    const before = {
      'app-config.yaml': opening('catalog'),
      'app-config.production.yaml': configWith([]),
    };
    const env = { BACKSTAGE_ENV: 'production' };
    const { 'app-config.yaml': only } = before;
    const deleted = checkouts(before, { 'app-config.yaml': only });
    expect((await run(deleted, [], env)).stdout).toBe(OPENED);
    writeInto(deleted, { 'app-config.production.yaml': '# empty\n' });
    expect((await run(deleted, [], env)).stdout).toBe(OPENED);
  });

  it('exits with 2 if a file that only the other checkout has may have rules, and --config does not name the files', async () => {
    const file = { 'app-config.yaml': configWith([]) };
    const cwd = checkouts(
      { ...file, 'app-config.production.yaml': opening('catalog') },
      file,
    );
    expect(await run(cwd)).toEqual({
      code: 2,
      stdout: '',
      stderr: `${READ}${COMPARED}error: ../base/app-config.production.yaml: this file has auth.apiGate, and the command has not read it: give --config for each file that the backend reads\n`,
    });
    const named = ['--config', 'app-config.yaml'];
    expect((await run(cwd, named)).code).toBe(0);
  });
});
