import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { root } from '../__testUtils__/documents';
import { folderWith } from '../__testUtils__/runCli';
import { until } from '../__testUtils__/until';

jest.setTimeout(30_000);

interface Ended {
  code: number;
  stdout: string;
}

/** Runs the checks of a list. */
function start(list: string, args: string[] = [], env: object = {}) {
  const running = promisify(execFile)(path.join(root, '.ci/checks.sh'), args, {
    env: { PATH: process.env.PATH, ...env },
  });
  running.child.stdin!.end(list);
  const ended: Promise<Ended> = running.then(
    ({ stdout }) => ({ code: 0, stdout }),
    error => error,
  );
  return { child: running.child, ended };
}

// `timeout` is that of GNU.
const describeOnLinux = process.platform === 'linux' ? describe : describe.skip;

describeOnLinux('.ci/checks.sh', () => {
  it('prints the output of each check, its time, and the sum of all tests', async () => {
    const { code, stdout } = await start(`
# a comment
first: echo 1 of first
[1 at a time]
tests: echo 1 of tests; echo 'Tests: 7 passed, 7 total'
`).ended;
    expect(stdout.replace(/\b\d+ s\b/g, 'N s')).toBe(`
=== first, from N s to N s
1 of first

=== tests, from N s to N s
1 of tests
Tests: 7 passed, 7 total

All checks took N s:
    N s  first
    N s  tests
8 passed, 0 failed
`);
    expect(code).toBe(0);
  });

  it.each([
    ['false', 1],
    ['echo Tests: 2 failed, 3 passed, 5 total; exit 1', 2],
    ['echo Tests: 0 failed, 3 passed, 3 total; exit 1', 1],
    ['sleep 60', 1],
  ])('fails and names a check that fails: %s', async (command, failed) => {
    const list = `whole: true\nbroken: ${command}\nlast: true\n`;
    const { ended } = start(list, [], { CHECK_LIMIT: '1s' });
    const { code, stdout } = await ended;
    expect(code).toBe(1);
    expect(stdout).toMatch(
      new RegExp(`\\nFAILED: broken\\n\\d passed, ${failed} failed\\n$`),
    );
  });

  it('names a check to try that fails, and does not count it', async () => {
    const { code, stdout } = await start('a: true\ntry b: false\n').ended;
    expect(stdout).toMatch(/ s {2}try b {2}FAILED\n1 passed, 0 failed\n$/);
    expect(code).toBe(0);
  });

  it('runs as many at a time as a line says', async () => {
    const folder = folderWith({});
    const meet = (own: string, other: string) =>
      `touch ${folder}/${own}; until [ -e ${folder}/${other} ]; do sleep 0.1; done`;
    const { stdout } = await start(
      `alone: [ ! -e ${folder}/one ]
[2 at a time]
one: ${meet('one', 'two')}
two: ${meet('two', 'one')}
three: sleep 1; touch ${folder}/three
[1 at a time]
four: [ -e ${folder}/three ]; sleep 0.5; touch ${folder}/four
five: [ -e ${folder}/four ]
`,
      [],
      { CHECK_LIMIT: '10s' },
    ).ended;
    expect(stdout).toMatch(/\n6 passed, 0 failed\n$/);
  });

  it('runs the first check and the one that is named, and prints the names', async () => {
    const list = 'first: true\none: exit 1: 2\nanother one: true\n';
    const { code, stdout } = await start(list, ['another one']).ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/ s {2}first\n.* s {2}another one\n2 passed/);
    expect((await start(list, ['exit 1']).ended).code).toBe(1);
    const names = JSON.parse((await start(list, ['--json']).ended).stdout);
    expect(names).toEqual(['first', 'one', 'another one']);
  });

  it('leaves no process and no file when it is ended', async () => {
    const folder = folderWith({ 'temporary/.keep': '' });
    const { child, ended } = start(
      `one: sleep 60 & echo $! >${folder}/one; wait\ntwo: touch ${folder}/two\n`,
      [],
      { TMPDIR: path.join(folder, 'temporary') },
    );
    const file = path.join(folder, 'one');
    const pid = () => Number(readFileSync(file, 'utf8'));
    await until(async () => existsSync(file) && pid() > 0);
    child.kill('SIGTERM');
    expect((await ended).code).toBe(130);
    await until(async () => !existsSync(`/proc/${pid()}`));
    expect(existsSync(path.join(folder, 'two'))).toBe(false);
    expect(readdirSync(path.join(folder, 'temporary'))).toEqual(['.keep']);
  });
});

it('npm test runs the files alone that its arguments name', async () => {
  const { scripts } = JSON.parse(
    readFileSync(path.join(root, 'package.json'), 'utf8'),
  );
  const file = 'src/gate/util/time.test.ts';
  const bin = path.join(root, 'node_modules/.bin');
  const { stdout } = await promisify(execFile)(
    'sh',
    ['-c', `${scripts.test} ${file} --listTests`],
    { cwd: root, env: { ...process.env, PATH: `${bin}:${process.env.PATH}` } },
  );
  expect(stdout.trim().split('\n')).toEqual([path.join(root, file)]);
});

it('.ci/run or .ci/nightly runs every suite', () => {
  const text = ['.ci/run', '.ci/nightly']
    .map(file => readFileSync(path.join(root, file), 'utf8'))
    .join('\n');
  const suites = [
    'integration/browsers',
    'integration/packages',
    'integration/processes',
    '.ci',
  ].flatMap(folder =>
    readdirSync(path.join(root, folder))
      .map(name => `${folder}/${name}/run`)
      .filter(file => existsSync(path.join(root, file))),
  );
  expect(suites.length).toBeGreaterThan(10);
  expect(suites.filter(file => !text.includes(file))).toEqual([]);
});

it('the gate supports the versions of Node that the newest release of Backstage asks for, and tries another one', () => {
  const textOf = (file: string) => readFileSync(path.join(root, file), 'utf8');
  const jsonOf = (file: string) => JSON.parse(textOf(file));
  const majorsIn = (text: string) => text.match(/\d{2}/g);
  const [newest] = readdirSync(path.join(root, '.ci/releases'))
    .filter(name => /^\d/.test(name))
    .sort()
    .reverse();
  const { release } = jsonOf(`.ci/releases/${newest}/package.json`);
  const supported = majorsIn(release.node)!;
  const { devDependencies, engines } = jsonOf('package.json');
  expect(majorsIn(engines.node)).toEqual(supported);
  // With the types of the oldest one, the compiler finds what that one lacks.
  expect(majorsIn(devDependencies['@types/node'])![0]).toBe(supported[0]);
  const [, atTop] = textOf('README.md').match(/ · Node (.+) · /)!;
  expect(majorsIn(atTop)).toEqual(supported);
  const nodes = jsonOf('.ci/node/package.json').dependencies;
  const [, tried] = textOf('.ci/nightly').match(/^try .+withNode\.sh (\d+)/m)!;
  expect(supported).not.toContain(tried);
  expect(Object.keys(nodes)).toEqual(
    [...supported, tried].map(major => `node-${major}`),
  );
});
