import { readFileSync } from 'node:fs';
import path from 'node:path';
import { codeIn, root, tableRows } from '../__tests__/__testUtils__/documents';
import {
  folderWith,
  runCliIn,
  writeInto,
} from '../__tests__/__testUtils__/runCli';
import { run } from './run';
import { serve } from '../__tests__/__testUtils__/serve';

jest.setTimeout(60_000);

// Backstage's config-loader validates with the same package.
const Ajv = jest.requireActual(
  require.resolve('ajv', {
    paths: [require.resolve('@backstage/config-loader')],
  }),
).default;

const schema = JSON.parse(
  readFileSync(path.join(root, 'ops/cli.schema.json'), 'utf8'),
);
const ajv = new Ajv({ allErrors: true }).addSchema(schema, 'cli');
const definition = (name: string) => `cli#/definitions/${name}`;

const SECRETS = [
  'token-of-the-pipeline',
  'token-of-the-policy-reader',
  'secret-of-the-webhook',
  'password-of-the-database',
];

const BACKEND = `backend:
  baseUrl: https://backstage.example.com
  database: { client: pg, connection: { password: '\${POSTGRES_PASSWORD}' } }
  auth:
    externalAccess:
      - { type: static, options: { token: token-of-the-pipeline, subject: ci-deploy }, accessRestrictions: [{ plugin: scaffolder }] }
      - { type: static, options: { token: '\${POLICY_TOKEN}', subject: api-gate-policy } }
events: { modules: { github: { webhookSecret: secret-of-the-webhook } } }
`;
const BLOCK = `auth:
  apiGate:
    allow:
      - { plugin: hello, path: /health, reason: "asked by ##[error]load\\u009b balancers", until: 2999-01-01 }
      - { plugin: old, path: /x, until: 2001-01-01 }
      - { plugin: events, path: /http/github, methods: [POST] }
    expect:
      - { plugin: hello, is: closed }
      - { plugin: catalog, is: closed }
    tokens:
      - { subject: ci-deploy, only: [{ plugin: scaffolder, path: /v2/tasks }], until: 2999-01-01 }
      - { subject: api-gate-policy, only: all }
    findings:
      accept:
        - { id: token-without-end, at: 'backend.auth.externalAccess[1] (api-gate-policy)', reason: kept for the audit }
`;
const ENV = {
  POSTGRES_PASSWORD: 'password-of-the-database',
  POLICY_TOKEN: 'token-of-the-policy-reader',
};

const checkouts = folderWith({
  'app/.git': '',
  'app/app-config.yaml': BACKEND,
  'app/app-config.production.yaml': BLOCK,
  'app/app-config.report-only.yaml':
    'auth: { apiGate: { mode: report-only, until: 2999-01-01 } }',
  'app/app-config.variable.yaml': "auth: { apiGate: { mode: '${MODE}' } }",
  'base/app-config.yaml': BACKEND,
  'base/app-config.production.yaml': BLOCK.replace(/.*health.*\n/, ''),
});
const cwd = path.join(checkouts, 'app');

const config = (...names: string[]) =>
  ['app-config.yaml', ...names.map(name => `app-config.${name}.yaml`)].flatMap(
    file => ['--config', file],
  );
const PRODUCTION = config('production');

const seen = new Set<string>();

/** Notes which properties of the schema a result has. */
function note(value: unknown, at: string): void {
  if (Array.isArray(value)) {
    value.forEach(each => note(each, at));
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, child] of Object.entries(value)) {
      seen.add(`${at}.${key}`);
      note(child, `${at}.${key}`);
    }
  }
}

async function runJson(command: string, ...args: string[]) {
  const { code, stdout } = await runCliIn([command, '--json', ...args], {
    cwd,
    env: ENV,
  });
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ command, exitCode: code });
  SECRETS.forEach(secret => expect(stdout).not.toContain(secret));
  note(result, command);
  return result;
}

/** Runs a command that can do what it is asked. */
async function runValid(command: string, ...args: string[]) {
  const result = await runJson(command, ...args);
  expect(result.exitCode).not.toBe(2);
  ajv.validate(definition(command), result);
  expect(ajv.errors).toBeNull();
  expect(ajv.validate('cli', result)).toBe(true);
  return result;
}

describe('the JSON of a command', () => {
  it('has what check finds, with places', async () => {
    const result = await runValid('check', ...PRODUCTION);
    expect(result).toMatchObject({
      exitCode: 1,
      mode: 'enforce',
      files: ['app-config.yaml', 'app-config.production.yaml'],
      unread: ['app-config.report-only.yaml', 'app-config.variable.yaml'],
      expectations: { total: 2, holding: 1 },
      notChecked: [],
    });
    expect(result.allow[0]).toEqual({
      at: 'auth.apiGate.allow[0]',
      plugin: 'hello',
      path: '/health',
      methods: ['GET'],
      // A CI job's runner would take the text of the file for a command.
      reason: 'asked by # #[error]load  balancers',
      until: '2999-01-01T00:00:00.000Z',
      file: 'app-config.production.yaml',
      line: 4,
    });
    expect(result.allow[1]).toMatchObject({ ended: true });
    expect(result.accepted).toMatchObject([
      { id: 'token-without-end', accepted: { reason: 'kept for the audit' } },
    ]);
    expect(result.problems).toContainEqual({
      level: 'error',
      message: expect.stringMatching(
        /^auth\.apiGate\.expect\[0\]: the plugin hello should be closed/,
      ),
      file: 'app-config.production.yaml',
      line: 8,
    });
    expect(result.problems).toContainEqual(
      expect.objectContaining({
        level: 'warning',
        finding: 'unrestricted-external-token',
        file: 'app-config.yaml',
      }),
    );
  });

  it('has whether the plugin of a rule is installed, where that is known', async () => {
    const { url } = await serve((_req, res) =>
      res.end(
        '{"allow":[],"closed":[],"openedInCode":[],"unknown":[],"installed":["hello","catalog"]}',
      ),
    );
    const { allow } = await runValid('check', ...PRODUCTION, '--policy', url);
    expect(allow.map((rule: any) => rule.installed)).toEqual([
      ...[true, false, false],
    ]);
  });

  it.each<[string, string[], object]>([
    ['enforce', PRODUCTION, { mode: 'enforce' }],
    [
      'report-only',
      config('report-only'),
      { mode: 'report-only', until: '2999-01-01T00:00:00.000Z' },
    ],
    [
      'unknown',
      [...config('variable'), '--mock-env'],
      { mode: 'unknown', notChecked: ['auth.apiGate.mode'] },
    ],
    ['not-configured', config(), { mode: 'not-configured', exitCode: 1 }],
  ])('has the mode %s', async (_, args, expected) => {
    const result = await runValid('check', ...args);
    expect(result).toMatchObject(expected);
    expect('until' in result).toBe('until' in expected);
  });

  it.each<[string[], object]>([
    [
      ['GET /api/hello/health'],
      { anonymous: 'public', because: 'allow-rule', passes: true },
    ],
    [
      ['GET /api/hello/other'],
      {
        anonymous: 'needs-credential',
        because: 'no-rule',
        passes: false,
        opening: { plugin: 'hello', path: '/other', methods: ['GET'] },
        lines: expect.arrayContaining(['needs a credential: no rule names it']),
      },
    ],
    [['GET /healthcheck'], { anonymous: 'not-gated', passes: true }],
    [
      ['GET /api/scaffolder/v2/tasks', '--subject', 'ci-deploy'],
      { anonymous: 'needs-credential', passes: true },
    ],
    [
      ['POST /api/scaffolder/v2/tasks', '--subject', 'ci-deploy'],
      { passes: false, refusal: 'restricted' },
    ],
  ])('has the answer to %j', async (args, expected) => {
    const result = await runValid('explain', ...PRODUCTION, ...args);
    expect(result).toMatchObject({ mode: 'enforce', exitCode: 0, ...expected });
    expect('refusal' in result).toBe('refusal' in expected);
    expect('opening' in result).toBe('opening' in expected);
  });

  it('has the differences', async () => {
    const args = [...PRODUCTION, '--against', path.join(checkouts, 'base')];
    const result = await runValid('diff', ...args, '--fail-on', 'any');
    expect(result).toMatchObject({
      exitCode: 1,
      mode: 'enforce',
      against: [
        '../base/app-config.yaml',
        '../base/app-config.production.yaml',
      ],
    });
    expect(result.differences).toContainEqual({
      sign: '+',
      kind: 'public',
      text: expect.stringMatching(/^GET,HEAD \/api\/hello\/health /),
      at: 'auth.apiGate.allow[0]',
      note: expect.stringContaining('load  balancers'),
    });
  });

  it('has what a scan finds, and what has changed since an earlier one', async () => {
    const policy = "{ path: '/x', allow: 'unauthenticated' }";
    writeInto(cwd, {
      'plugins/acme/package.json': JSON.stringify({
        ...{ name: 'acme', version: '1.0.0' },
        backstage: { role: 'backend-plugin' },
      }),
      'plugins/acme/index.js': `createBackendPlugin({ pluginId: 'acme' });
if (config.getBoolean('acme.open')) http.addAuthPolicy(${policy});
http.addAuthPolicy(policy);
router.get('/a', handler);`,
      'opens.json': '{"packages":[]}',
    });
    const args = ['plugins/acme', ...PRODUCTION];
    const at = (line: number) => `index.js:${line}`;
    expect(await runValid('scan', ...args)).toMatchObject({
      ...{ exitCode: 0, mode: 'enforce' },
      packages: [
        {
          ...{ name: 'acme', version: '1.0.0', plugins: ['acme'], asks: false },
          doubts: [{ doubt: 'a computed path or policy', at: at(3) }],
          opens: [{ plugin: 'acme', path: '/x', at: at(2) }],
          routes: [{ method: 'GET', path: '/a', at: at(4) }],
        },
      ],
    });
    const against = ['--against', '.', '--fail-on', 'opens'];
    const changed = await runValid('scan', 'plugins/acme', ...against);
    expect(changed).toMatchObject({
      exitCode: 1,
      differences: [
        { sign: '+', kind: "can't tell" },
        {
          ...{ sign: '+', kind: 'opens' },
          text: 'acme 1.0.0  /x and /x/**  to anybody, if acme.open',
        },
        { sign: '+', kind: 'no check' },
      ],
    });
  });

  it('has every property of the schema, and no other', () => {
    const inSchema = (node: any, at: string): string[] => {
      const { properties = {}, items, $ref } = node;
      const below = Object.entries(properties).flatMap(([key, child]) => [
        `${at}.${key}`,
        ...inSchema(child, `${at}.${key}`),
      ]);
      const referred = $ref && schema.definitions[$ref.split('/').at(-1)];
      return [
        ...below,
        ...[items, referred]
          .filter(Boolean)
          .flatMap(each => inSchema(each, at)),
      ];
    };
    const described = ['check', 'diff', 'explain', 'scan'].flatMap(name =>
      inSchema(schema.definitions[name], name),
    );
    expect(described.length).toBeGreaterThan(50);
    const optional = /^(diff|explain|scan)\.(until|problems\.\w+)$/;
    expect(described.filter(name => !seen.has(name))).toEqual(
      described.filter(name => optional.test(name)),
    );
  });
});

it('docs/cli.md has the fields of each command', () => {
  const rows = tableRows('docs/cli.md', ['Field', 'Command', 'It has']);
  for (const command of ['check', 'diff', 'explain', 'scan']) {
    const fields = rows
      .filter(([, of]) => of === 'each' || codeIn(of).includes(command))
      .flatMap(([names]) => codeIn(names));
    const { properties } = schema.definitions[command];
    expect(fields.sort()).toEqual(Object.keys(properties).sort());
  }
});

describe('the JSON of a command that can not run', () => {
  it.each<[string, string[], string, object]>([
    [
      'check',
      ['--config', 'app-config.yam'],
      'does not exist (did you mean app-config.yaml?)',
      {},
    ],
    [
      'check',
      [...PRODUCTION, '--no-config'],
      '--no-config expects that no file has auth.apiGate',
      { file: 'app-config.production.yaml', line: 2 },
    ],
    ['diff', [...PRODUCTION, '--against', 'nowhere'], '--against must be', {}],
    ['scan', ['/'], '/ has no package.json', {}],
    [
      'explain',
      [...PRODUCTION, '/api/x/y', '--subject', 'ci-deplyo'],
      'No external token can have the subject ci-deplyo (did you mean ci-deploy?)',
      {},
    ],
  ])('has the reason (%s %j)', async (command, args, message, place) => {
    const result = await runJson(command, ...args);
    expect(result).toMatchObject({ exitCode: 2 });
    expect(result.problems).toEqual([
      {
        ...{ level: 'error', message: expect.stringContaining(message) },
        ...place,
      },
    ]);
    expect(ajv.validate('cli', result)).toBe(true);
  });

  it('is there for an unexpected error too, whose stack is on the standard error', async () => {
    const printed = { out: '', error: '' };
    const code = await run(
      ['check', '--json', '--config', path.join(cwd, 'app-config.yaml')],
      {
        out: line => {
          printed.out += line;
        },
        error: line => {
          if (line.startsWith('Read ')) {
            throw new Error('x');
          }
          printed.error += line;
        },
      },
    );
    expect(JSON.parse(printed.out)).toEqual({
      ...{ command: 'check', exitCode: 2, problems: [] },
    });
    expect([code, printed.error]).toEqual([
      2,
      expect.stringMatching(/^error: Error: x/),
    ]);
  });

  it.each([
    [['check', '--json', '--format', 'github'], 'exclude each other'],
    [['init', '--json'], '--json is no option'],
    [['check', '--json=x'], 'does not take an argument'],
  ])('is empty for options that do not fit: %j', async (args, message) => {
    const { code, stdout, stderr } = await runCliIn(args, { cwd, env: ENV });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
  });
});
