import {
  RunnerCommand,
  runnerCommandsIn,
} from '../__tests__/__testUtils__/runnerCommandsIn';
import { run } from './run';
import {
  folderWith,
  runCli,
  runCliIn,
} from '../__tests__/__testUtils__/runCli';
import { createGitHubLines } from './output';

jest.setTimeout(60_000);

const GATE =
  'backend: { baseUrl: https://backstage.example.com }\nauth:\n  apiGate:\n';

const HOSTILE = [
  '::error title=x::forged',
  ' \t::add-mask::forged',
  'a ##[stop-commands]forged',
  '##[error title=x]forged',
  'a\n::error::forged',
  'a\r::error::forged',
  'a\u0085::error::forged',
  'a\u2028 ::error::forged',
  '\u200b:\u200b:error::forged',
  '#\u200b#[error]forged',
];

const RULES =
  'allow: [{ plugin: a, path: /b, methods: [POST], reason: a reason }]';

/** Places that the command prints: a file of the configuration, and its text. */
const PLACES: [string, (hostile: string) => Record<string, string>][] = [
  [
    'a reason',
    hostile => ({
      'app-config.yaml': GATE + `    ${RULES}`.replace('a reason', hostile),
    }),
  ],
  [
    'the name of an included file',
    hostile => ({
      'app-config.yaml': `${GATE}    allow: { $include: ${hostile.replace(/"$/, '.yaml#allow"')} }`,
      [`${JSON.parse(hostile)}.yaml`]: RULES,
    }),
  ],
  [
    'the name of a file',
    hostile => ({ [`${JSON.parse(hostile)}.yaml`]: `${GATE}    ${RULES}` }),
  ],
  ['a key', hostile => ({ 'app-config.yaml': `${GATE}    ${hostile}: 1` })],
  [
    'an accepted finding',
    hostile => ({
      'app-config.yaml': `${GATE}    cookie: { trustedPaths: [{ plugin: a, path: /** }] }\n    findings: { accept: [{ id: scripts-act-as-user, at: 'auth.apiGate.cookie.trustedPaths[0] (/api/a/**)', reason: ${hostile} }] }`,
    }),
  ],
];

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** Returns whether a command is none of those that the program prints itself. */
const isForged = ({ name, properties, data }: RunnerCommand) =>
  name === 'stop-commands'
    ? !UUID.test(data)
    : !/^(error|warning)$/.test(name) ||
      properties.title !== 'API gate' ||
      /^\W*forged/.test(data);

describe('[P53] in the log of a GitHub workflow, the command', () => {
  it.each(
    PLACES.flatMap(([name, place]) =>
      HOSTILE.map(text => [name, text, place] as const),
    ),
  )('prints %s as text: %j', async (_, text, place) => {
    const files = place(JSON.stringify(text));
    const name = Object.keys(files)[0];
    const cwd = folderWith(files);
    const output = async (...args: string[]) => {
      const config = ['--config', name];
      const { stdout, stderr } = await runCliIn([...args, ...config], { cwd });
      return stdout + stderr;
    };
    const checked = await output('check');
    const reported = await output('report');
    // An error is cut at a line break, and a path at a `#`.
    expect(checked + reported).toMatch(/forged|^error: .*(\.a|file.*)$/m);
    expect(runnerCommandsIn(checked)).toEqual([]);
    const explained = await output('explain', '/api/a/b');
    expect(runnerCommandsIn(explained)).toEqual([]);
    expect(runnerCommandsIn(reported)).toEqual([]);
    for (const args of [['check'], ['explain', '/a']]) {
      expect(runnerCommandsIn(await output(...args, '--json'))).toEqual([]);
    }
    const annotated = await output('check', '--format', 'github');
    expect(runnerCommandsIn(annotated).filter(isForged)).toEqual([]);
  });

  it('prints no warning of the YAML parser, which quotes the file', async () => {
    const text = `::error title=x::forged: !x 1\n${GATE}    ${RULES}`;
    const cwd = folderWith({ 'app-config.yaml': text });
    const { code, stdout, stderr } = await runCli(['check'], { cwd });
    expect(stdout).toMatch(/\n1 finding\n$/);
    expect(stderr).toBe('Read app-config.yaml\n');
    expect(code).toBe(0);
  });

  it('prints an unexpected error as text', async () => {
    const lines: string[] = [];
    const code = await run(['audit', '--list'], {
      out: () => {
        throw new Error('x\n::error::forged\r##[error]forged');
      },
      error: line => lines.push(line),
    });
    expect(lines.join('\n')).toMatch(/^error: Error: x\n: :error::forged /);
    expect(runnerCommandsIn(lines.join('\n'))).toEqual([]);
    expect(code).toBe(2);
  });

  it('stops the commands of all lines but its annotations, with a token that nobody can guess', async () => {
    const name = 'a, b:c%25\n::d.yaml';
    const cwd = folderWith({
      [name]: `${GATE}    ${RULES}\n    mode: report-only\n    until: 2026-01-01\n    cookie: { trustedPaths: [{ plugin: a, path: /** }] }`,
    });
    const args = ['check', '--format', 'github', '--config', name];
    const tokens = new Set<string>();
    while (tokens.size < 2) {
      const { stdout } = await runCliIn(args, { cwd });
      const [, token, stopped, annotations] = stdout.match(
        /^::stop-commands::([\w-]{36})\n(.*)\n::\1::\n(.*)\n$/s,
      )!;
      expect(tokens).not.toContain(token);
      tokens.add(token);
      expect(stopped).toMatch(/^The policy is .*\n\d findings?$/);
      expect(annotations).toMatch(/^::error .*(\n::warning .*){2}$/);
      expect(runnerCommandsIn(stdout)).toEqual([
        { name: 'stop-commands', properties: {}, data: token },
        {
          name: 'error',
          properties: { file: name, line: '6', title: 'API gate' },
          data: expect.stringMatching(/^auth\.apiGate\.until: /),
        },
        expect.objectContaining({ name: 'warning' }),
        expect.objectContaining({ name: 'warning' }),
      ]);
    }
  });
});

describe('createGitHubLines', () => {
  it('annotates a problem without a place, and leaves out lines whose condition does not hold', () => {
    const written: string[] = [];
    const lines = createGitHubLines({
      out: line => written.push(line),
      error: line => written.push(line),
    });
    lines.problem('error', { message: '100 % of it' });
    lines.out('one', undefined, false, 'two');
    lines.end(1);
    expect(written.slice(1).join('\n').split('\n')).toEqual([
      'one',
      'two',
      written[0].replace('stop-commands::', '').concat('::'),
      '::error title=API gate::100 %25 of it',
    ]);
  });
});
