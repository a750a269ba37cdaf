import { version } from '../../package.json';
import { main } from '.';
import { runCli, runCliHere } from '../__tests__/__testUtils__/runCli';
import { readOptions } from './Command';

const NAMES = ['init', 'check', 'report', 'explain', 'audit'];

describe('api-gate', () => {
  it.each([
    [[], 2],
    [['--help'], 0],
    [['-h'], 0],
    [['help'], 0],
  ])('lists its commands with the arguments %j', async (args, code) => {
    const result = await runCliHere(args);
    expect(result).toMatchObject({ code, stderr: '' });
    expect(result.stdout).toMatch(/^api-gate COMMAND \[OPTION\]\.\.\.\n/);
    const lines = result.stdout.trimEnd().split('\n');
    expect(lines.length).toBeLessThan(24);
    expect(lines.filter(line => line.length > 80)).toEqual([]);
    for (const name of NAMES) {
      expect(result.stdout).toMatch(new RegExp(`^  ${name} +\\w+`, 'm'));
    }
  });

  it('prints the version of the package', async () => {
    const result = await runCliHere(['--version']);
    expect(result).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('runs with the arguments of its process', async () => {
    expect(await runCli(['chek'], { cwd: '/' })).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'error: chek is no command (did you mean check?): use init, check, report, explain, audit\n',
    });
  });

  it.each<[string, number, unknown, unknown]>([
    ['--help', 0, expect.stringMatching(/^api-gate COMMAND [^]*\.\n$/), ''],
    [
      'chek',
      2,
      '',
      'error: chek is no command (did you mean check?): use init, check, report, explain, audit\n',
    ],
  ])(
    'writes to the streams of its process: %s',
    async (arg, code, ...texts) => {
      const writes = [process.stdout, process.stderr].map(stream =>
        jest.spyOn(stream, 'write').mockReturnValue(true),
      );
      const on = jest.spyOn(process.stdout, 'on').mockReturnThis();
      const { exitCode } = process;
      jest.replaceProperty(process, 'argv', ['node', 'api-gate', arg]);
      process.on('warning', () => {});
      await main();
      const written = writes.map(({ mock }) => mock.calls.join(''));
      expect([process.exitCode, ...written]).toEqual([code, ...texts]);
      expect(process.listenerCount('warning')).toBe(0);
      expect(on).toHaveBeenCalledWith('error', expect.any(Function));
      process.exitCode = exitCode;
      jest.restoreAllMocks();
    },
  );

  it.each(NAMES)(
    'explains %s, and takes each option that it lists',
    async name => {
      const { code, stdout, stderr } = await runCliHere([name, '--help']);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(new RegExp(`^api-gate ${name} `));
      expect(await runCliHere([name, '-h'])).toMatchObject({ code, stdout });
      expect(await runCliHere(['help', name])).toMatchObject({ code, stdout });
      for (const [option] of stdout.matchAll(/(?<=^ {2})--\S+/gm)) {
        const read = () => readOptions(name, [option], stdout);
        expect(read).not.toThrow(/unknown option/);
      }
    },
  );

  it.each([
    [
      ['chek'],
      'chek is no command (did you mean check?): use init, check, report, explain, audit',
    ],
    [
      ['check', 'app-config.yaml'],
      'api-gate check takes no argument "app-config.yaml": give files with --config',
    ],
    [['help', 'chek'], 'chek is no command (did you mean check?): use'],
    [
      ['check', '--confg=app-config.yaml'],
      'error: --confg is an unknown option (did you mean --config?): api-gate check --help lists the options\n',
    ],
    [
      ['check', '--list'],
      'error: --list is an unknown option: api-gate check --help lists the options\n',
    ],
    [
      ['check', '--config'],
      "error: Option '--config <value>' argument missing: api-gate check --help lists the options\n",
    ],
    [['check', '--format', 'json'], '--format must be text or github'],
  ])('exits with 2 for %j', async (args, message) => {
    const { code, stdout, stderr } = await runCliHere(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^error: /);
    expect(stderr).toContain(message);
  });
});
