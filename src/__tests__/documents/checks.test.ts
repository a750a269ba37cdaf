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

/** Runs a script that has the functions of `.ci/checks.sh`. */
function start(script: string, env: Record<string, string> = {}) {
  const functions = path.join(root, '.ci/checks.sh');
  const running = promisify(execFile)(
    'bash',
    ['-uo', 'pipefail', '-c', `. '${functions}'\n${script}`],
    { env: { PATH: process.env.PATH, ...env } },
  );
  const ended: Promise<Ended> = running.then(
    ({ stdout }) => ({ code: 0, stdout }),
    error => error,
  );
  return { child: running.child, ended };
}

const run = (script: string) => start(script).ended;

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

// `timeout` and `tail --pid` are those of GNU.
const describeOnLinux = process.platform === 'linux' ? describe : describe.skip;

describeOnLinux('.ci/checks.sh', () => {
  it('prints the output of each check whole, of checks beside others when they are joined', async () => {
    const { code, stdout } = await run(`
      beside slow bash -c 'echo 1 of slow; sleep 1; echo 2 of slow'
      beside fast bash -c 'echo 1 of fast; echo Tests: 7 passed, 7 total'
      check first bash -c 'echo 1 of first; sleep 0.5; echo 2 of first'
      check second echo 1 of second
      join
      check last echo 1 of last
      finish`);
    const withoutTimes = stdout
      .replace(/, from \d+ s(, last line at \d+ s)?$/gm, '')
      .replace(/ *\b\d+ s\b/g, ' N s');
    expect(withoutTimes).toBe(`
=== first
1 of first
2 of first

=== second
1 of second

=== slow
1 of slow
2 of slow

=== fast
1 of fast
Tests: 7 passed, 7 total

=== last
1 of last

All checks took N s, and N s of CPU time:
 N s N s CPU  first
 N s N s CPU  second
 N s N s CPU  slow
 N s N s CPU  fast
 N s N s CPU  last
11 passed, 0 failed
`);
    expect(code).toBe(0);
  });

  it('runs checks beside each other', async () => {
    const folder = folderWith({});
    const meet = (own: string, other: string) =>
      `bash -c 'touch ${folder}/${own}; until [ -e ${folder}/${other} ]; do sleep 0.1; done'`;
    const { stdout } = await run(`
      limit=20s
      beside one ${meet('one', 'two')}
      check two ${meet('two', 'one')}
      finish`);
    expect(stdout).toContain('2 passed, 0 failed');
  });

  it('runs one of the queued checks at a time, beside others', async () => {
    const folder = folderWith({});
    const { stdout } = await run(`
      limit=20s
      queue one bash -c 'sleep 1; touch ${folder}/one'
      queue two bash -c '[ -e ${folder}/one ] && touch ${folder}/two'
      queue broken false
      queue three touch ${folder}/three
      check beside bash -c 'until [ -e ${folder}/two ]; do sleep 0.1; done'
      join
      queue four test -e ${folder}/three
      finish`);
    expect(stdout).toMatch(/\nFAILED: broken\n5 passed, 1 failed\n$/);
  });

  it.each([
    ['check', 'false', 1],
    ['beside', 'false', 1],
    ['beside', "bash -c 'echo Tests: 2 failed, 3 passed, 5 total; exit 1'", 2],
    ['check', "bash -c 'echo Tests: 0 failed, 3 passed, 3 total; exit 1'", 1],
  ])(
    'fails and names a check that fails at the end: %s %s',
    async (how, command, failed) => {
      const { code, stdout } = await run(`
        ${how} broken ${command}
        check whole true
        finish`);
      expect(code).toBe(1);
      expect(stdout).toMatch(
        new RegExp(`\\nFAILED: broken\\n\\d passed, ${failed} failed\\n$`),
      );
    },
  );

  it('prints the CPU time of each check, with its processes, and of all', async () => {
    // Ended by the system after a second of CPU time, however long that takes.
    const busy = `bash -c 'ulimit -t 1; while :; do :; done & wait'`;
    const { stdout } = await run(`
      beside besides ${busy}
      check alone ${busy}
      check idle sleep 1
      finish`);
    expect(stdout).toMatch(/, and 2 s of CPU time:\n/);
    expect(stdout.match(/\d s CPU {2}\w+/g)).toEqual([
      '1 s CPU  alone',
      '0 s CPU  idle',
      '1 s CPU  besides',
    ]);
  });

  it('names a trial that fails, and does not count it', async () => {
    const { code, stdout } = await run(`
      trial broken bash -c 'echo Tests: 2 failed, 3 passed, 5 total; exit 1'
      trial whole echo Tests: 3 passed, 3 total
      check counted true
      finish`);
    expect(stdout.replace(/ +\d+ s/g, 'N s')).toMatch(
      /CPU {2}counted\n.+CPU {2}tried: broken FAILED, which does not count\n.+CPU {2}tried: whole\n1 passed, 0 failed\n$/,
    );
    expect(code).toBe(0);
  });

  it.each(['check', 'beside', 'queue'])(
    'ends a check after its limit: %s',
    async how => {
      const { code, stdout } = await run(`
        limit=0.5s
        ${how} endless sleep 60
        finish`);
      expect(code).toBe(1);
      expect(stdout).toContain(
        'The check was ended after 0.5s\nFAILED: endless\n',
      );
    },
  );

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'leaves no process and no file when it is ended by %s',
    async signal => {
      const folder = folderWith({ 'temporary/.keep': '' });
      const pidIn = (name: string) =>
        Number(readFileSync(path.join(folder, name), 'utf8'));
      const { child, ended } = start(
        `
        queue one bash -c 'sleep 60 & echo $! >${folder}/one; wait'
        queue never touch ${folder}/three
        check two bash -c 'sleep 60 & echo $! >${folder}/two; wait'
        check three touch ${folder}/three
        finish`,
        { TMPDIR: path.join(folder, 'temporary') },
      );
      await until(
        async () =>
          existsSync(path.join(folder, 'one')) &&
          existsSync(path.join(folder, 'two')) &&
          pidIn('two') > 0,
      );
      child.kill(signal);
      expect((await ended).code).toBe(signal === 'SIGINT' ? 130 : 143);
      await until(() => !isRunning(pidIn('one')) && !isRunning(pidIn('two')));
      expect(existsSync(path.join(folder, 'three'))).toBe(false);
      expect(readdirSync(path.join(folder, 'temporary'))).toEqual(['.keep']);
    },
  );
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
  const [, tried] = textOf('.ci/run').match(/^trial .+withNode\.sh (\d+)/m)!;
  expect(supported).not.toContain(tried);
  expect(Object.keys(nodes)).toEqual(
    [...supported, tried].map(major => `node-${major}`),
  );
});
