import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { folderWith, runCliIn } from '../__tests__/__testUtils__/runCli';

jest.setTimeout(60_000);

const BASE = 'backend:\n  baseUrl: http://backstage.example.com\n';
const GATE = `${BASE}auth:
  apiGate:
    allow:
      - { plugin: hello, path: /hook, methods: [POST], reason: A hook }
      - plugin: catalog
        path: /entities/**
`;
const FINDING =
  'auth.apiGate.allow[0] (POST /api/hello/hook): makes POST public: leave only the methods that are needed, and accept this finding if the handler checks who calls [rule-changes-data]';

type Files = Record<string, string> | string;

const folderOf = (files: Files) =>
  folderWith(typeof files === 'string' ? { 'app-config.yaml': files } : files);

/** Runs the command in a folder with the files, or with `app-config.yaml` alone. */
const check = (files: Files, args: string[] = [], env = {}) =>
  runCliIn(['check', ...args], { cwd: folderOf(files), env });

describe('api-gate check', () => {
  it('prints findings with their places, and the hash of the policy', async () => {
    const { code, stdout, stderr } = await check(GATE);
    expect(stderr).toBe('Read app-config.yaml\n');
    expect(stdout).toMatch(
      /^warning: app-config\.yaml:6: .* \[rule-changes-data\]\nThe policy is [\da-f]{12} in production\n1 finding\n$/,
    );
    expect(stdout).toContain(FINDING);
    expect(code).toBe(0);
  });

  it('[P34] lists an accepted finding as accepted, and counts it no more', async () => {
    const accepting = `${GATE}    findings: { accept: [{ id: rule-changes-data, at: 'auth.apiGate.allow[0] (POST /api/hello/hook)', reason: demo }] }\n`;
    const { code, stdout } = await check(accepting);
    expect(stdout).toMatch(/^accepted: .*\nThe policy is .*\n0 findings\n$/);
    expect(stdout).toContain(`accepted: ${FINDING}, accepted (demo)\n`);
    expect(code).toBe(0);
  });

  it('reads no variable of the environment, and lists what holds one', async () => {
    const text = `app: { baseUrl: '\${APP}' }
backend:
  baseUrl: '\${BASE}'
  auth: { externalAccess: [{ type: static, options: { token: '\${TOKEN}', subject: '\${CI}' } }] }
auth:
  apiGate:
    mode: '\${MODE:-enforce}'
    allow:
      - { plugin: '\${PLUGIN}', path: /x }
      - { plugin: b, path: /x, methods: [POST] }
    tokens: [{ subject: ci, only: [] }]
    cookie: { domain: example.com }
`;
    const run = (env: Record<string, string>) =>
      check(text, [], { ...env, APP_CONFIG_auth_apiGate_allow: '[]' });
    const { code, stdout } = await run({});
    expect(stdout).toContain(
      'Not checked, since they hold variables: auth.apiGate.mode, auth.apiGate.tokens, app.baseUrl, auth.apiGate.cookie.domain, backend.baseUrl, auth.apiGate.allow\n',
    );
    // The place is that of the file.
    expect(stdout).toContain(
      'warning: app-config.yaml:10: auth.apiGate.allow[1] (POST /api/b/x): makes POST public',
    );
    expect(stdout).not.toContain('The policy is');
    expect(code).toBe(0);
    const env = { APP: 'x', BASE: 'x', CI: 'x', MODE: 'x', PLUGIN: 'x' };
    expect((await run(env)).stdout).toBe(stdout);
  });

  it('exits with 1 where report-only has ended, since the gate would refuse now', async () => {
    const ending = (until: string) =>
      check(`${GATE}    mode: report-only\n    until: ${until}\n`);
    const { code, stdout } = await ending('2026-01-01');
    expect(stdout).toContain(
      'error: app-config.yaml:10: auth.apiGate.until: report-only has ended at 2026-01-01T00:00:00.000Z, so that the gate refuses now: remove mode and until, or write a later until\n',
    );
    expect(code).toBe(1);
    expect((await ending('2999-01-01')).code).toBe(0);
  });

  it.each<[string, string[], number, string]>([
    [BASE, [], 1, 'auth.apiGate is in none of the files read: give --config'],
    [`${BASE}auth: { apiGat: {} }\n`, [], 1, ': correct auth.apiGat, or give'],
    [BASE, ['--no-config'], 0, ' findings\n'],
    [GATE, ['--no-config'], 2, '--no-config expects that no file has'],
  ])('%j with %j exits with %i', async (text, args, code, line) => {
    const result = await check(text, args);
    expect(result.stdout + result.stderr).toContain(line);
    expect(result.code).toBe(code);
  });

  it('annotates problems for GitHub at their lines', async () => {
    const args = ['--format', 'github'];
    expect((await check(GATE, args)).stdout).toContain(
      '\n::warning file=app-config.yaml,line=6,title=API gate::auth.apiGate.allow[0] (POST /api/hello/hook): makes POST public',
    );
    const wrong = GATE.replace('/entities/**', 'entities');
    const { code, stdout } = await check(wrong, args);
    expect(stdout).toMatch(
      /\n::error file=app-config.yaml,line=8,title=API gate::auth.apiGate.allow\[1\].path must be text that starts with a slash, relative to the plugin, such as \/health\n$/,
    );
    expect(code).toBe(2);
  });

  it('checks 1,000 rules in less than 2 s', async () => {
    const rules = Array.from(
      { length: 1000 },
      (_, i) =>
        `      - { plugin: plugin-${i % 100}, path: /items/${i}, methods: [POST] }\n`,
    );
    const text = `${BASE}auth:\n  apiGate:\n    allow:\n${rules.join('')}`;
    // Other processes would make the time on the clock longer.
    const before = process.cpuUsage();
    const { stdout } = await check(text);
    const { user, system } = process.cpuUsage(before);
    expect(stdout).toMatch(/\n1000 findings\n$/);
    expect((user + system) / 1000).toBeLessThan(2000);
  });

  it('reads the files in the order of the backend, with what they include', async () => {
    const files = {
      'app-config.yaml': GATE,
      'app-config.production.yaml':
        "auth: { apiGate: { allow: { $include: 'rules/gate.yaml#lists.allow' } } }\n",
      'rules/gate.yaml':
        'lists:\n  allow:\n    - { plugin: two, path: /b, methods: [PUT] }\n',
    };
    const args = ['app-config.yaml', 'app-config.production.yaml'].flatMap(
      file => ['--config', file],
    );
    const { code, stdout, stderr } = await check(files, args);
    expect(stderr).toBe('Read app-config.yaml, app-config.production.yaml\n');
    expect(stdout.match(/^warning: .*? \(/gm)).toEqual([
      'warning: rules/gate.yaml:3: auth.apiGate.allow[0] (',
    ]);
    expect(code).toBe(0);
  });

  it('exits with 2 for broken YAML, and quotes none of it', async () => {
    const { code, stdout, stderr } = await check('token: "secret-value\nx: [');
    expect(stderr).toMatch(/^error: app-config\.yaml:2: .*\n$/);
    expect(stderr).not.toContain('secret-value');
    expect([code, stdout]).toEqual([2, '']);
  });

  it.each<[string, string[], string]>([
    [
      'a file that is not there',
      ['--config', '/x.yaml'],
      '/x.yaml is not there',
    ],
    ['an unknown option', ['--cfg', 'x'], '--cfg is an unknown option'],
    ['a file alone', ['a.yaml'], 'give files with --config'],
    [
      'an unknown format',
      ['--format', 'xml'],
      '--format must be text or github',
    ],
    [
      'packages alone',
      ['--packages', '.'],
      'Give --packages only with --report',
    ],
    [
      'a folder without packages',
      ['--report', 'x.md', '--packages', 'nowhere'],
      '--packages nowhere has no package.json',
    ],
  ])('exits with 2 for %s', async (_, args, message) => {
    const { code, stdout, stderr } = await check(GATE, args);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
    expect(stdout).not.toContain('The policy is');
  });
});

describe('api-gate check --report', () => {
  const FILE = 'api-gate.report.md';

  /** Writes a report for one configuration, and checks it with another one. */
  async function checkAfter(
    change: (text: string) => string,
    edit = (report: string): string | undefined => report,
  ) {
    const cwd = folderOf(GATE);
    await runCliIn(['report', '--out', FILE], { cwd });
    const at = path.join(cwd, FILE);
    const text = edit(readFileSync(at, 'utf8'));
    writeFileSync(path.join(cwd, 'app-config.yaml'), change(GATE));
    const args = ['check', '--report', text === undefined ? 'none.md' : FILE];
    writeFileSync(at, text ?? '');
    const { code, stdout } = await runCliIn(args, { cwd });
    return { code, lines: stdout.split('\n') };
  }

  const same = (text: string) => text;
  const STALE = `error: ${FILE} is not what these files open: run api-gate report --out ${FILE}, and commit the file`;

  it('passes for the report of the same configuration, with line ends of Windows too', async () => {
    expect((await checkAfter(same)).code).toBe(0);
    const withCr = (report: string) => report.replaceAll('\n', '\r\n');
    expect((await checkAfter(same, withCr)).code).toBe(0);
  });

  it.each<[string, (text: string) => string, string[]]>([
    [
      'a rule is added',
      text => text.replace('allow:', 'allow:\n      - { plugin: a, path: /x }'),
      ['+ public          GET   /api/a/x'],
    ],
    [
      'a rule is removed',
      text => text.replace(/ +- \{ plugin: hello.*\n/, ''),
      ['- public          POST  /api/hello/hook  A hook'],
    ],
    [
      'a rule is widened',
      text => text.replace('[POST]', '[POST, GET]'),
      ['+ public          GET   /api/hello/hook  A hook'],
    ],
  ])('exits with 1 and prints the lines if %s', async (_, change, expected) => {
    const { code, lines } = await checkAfter(change);
    expect(lines).toContain(STALE);
    expect(lines.filter(line => /^[+-]/.test(line))).toEqual(expected);
    expect(code).toBe(1);
  });

  it.each<[string, (report: string) => string | undefined, string]>([
    ['is not there', () => undefined, 'none.md is not there'],
    ['is empty', () => '', '+ mode            enforce'],
    [
      'has another order',
      report => report.replace(/(mode .*\n)(public.*\n)/, '$2$1'),
      `${FILE} has its lines in another order`,
    ],
  ])('exits with 1 if the file %s', async (_, edit, line) => {
    const { code, lines } = await checkAfter(same, edit);
    expect(lines.join('\n')).toContain(line);
    expect(code).toBe(1);
  });

  it('exits with 2 if the file is a folder', async () => {
    const cwd = folderWith({ 'app-config.yaml': GATE, 'x.md/y': '' });
    expect(
      await runCliIn(['check', '--report', 'x.md'], { cwd }),
    ).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        'error: x.md can not be read: check --report\n',
      ),
    });
  });

  it('needs no other file than those that the report was made from', async () => {
    const cwd = folderWith({ 'a.yaml': GATE, 'b.yaml': 'app: {}' });
    const args = ['--config', 'a.yaml', '--config', 'b.yaml'];
    await runCliIn(['report', ...args, '--out', FILE], { cwd });
    const result = await runCliIn(['check', ...args, '--report', FILE], {
      cwd,
    });
    expect(result.code).toBe(0);
    expect(readFileSync(path.join(cwd, FILE), 'utf8')).toContain(
      `\`api-gate report --config a.yaml --config b.yaml --out ${FILE}\``,
    );
  });
});
