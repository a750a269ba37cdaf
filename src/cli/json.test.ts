import { readFileSync } from 'node:fs';
import path from 'node:path';
import { codeIn, root, tableRows } from '../__tests__/__testUtils__/documents';
import { folderWith, runCliIn } from '../__tests__/__testUtils__/runCli';
import { run } from './run';

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
      - { plugin: old, path: /x, methods: [POST] }
    tokens:
      - { subject: ci-deploy, only: [{ plugin: scaffolder, path: /v2/tasks }], until: 2999-01-01 }
      - { subject: api-gate-policy, only: all }
    findings:
      accept:
        - { id: rule-changes-data, at: 'auth.apiGate.allow[1] (POST /api/old/x)', reason: kept for the audit }
`;
const ENV = {
  POSTGRES_PASSWORD: 'password-of-the-database',
  POLICY_TOKEN: 'token-of-the-policy-reader',
};

const cwd = folderWith({
  'app-config.yaml': BACKEND,
  'app-config.production.yaml': BLOCK,
  'app-config.variable.yaml': "auth: { apiGate: { mode: '${MODE}' } }",
  'stale.md': '',
});

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
    const result = await runValid(
      ...['check', ...PRODUCTION, '--report', 'stale.md'],
    );
    expect(result).toMatchObject({
      exitCode: 1,
      files: ['app-config.yaml', 'app-config.production.yaml'],
      unread: ['app-config.variable.yaml'],
      hash: expect.stringMatching(/^[\da-f]{12}$/),
      notChecked: [],
    });
    // A CI job's runner would take the text of the file for a command.
    expect(result.report).toContainEqual(
      '+ public          GET   /api/hello/health  until 2999-01-01T00:00:00.000Z  asked by # #[error]load balancers',
    );
    expect(result.accepted).toMatchObject([
      { id: 'rule-changes-data', accepted: { reason: 'kept for the audit' } },
    ]);
    expect(result.problems).toContainEqual({
      level: 'error',
      message: expect.stringMatching(/^stale\.md is not what these files open/),
    });
    expect(result.problems).toContainEqual(
      expect.objectContaining({
        level: 'warning',
        finding: 'unrestricted-external-token',
        file: 'app-config.yaml',
      }),
    );
  });

  it('has what check leaves out, since it holds a variable', async () => {
    const result = await runValid('check', ...config('variable'));
    expect(result).toMatchObject({ notChecked: ['auth.apiGate.mode'] });
    expect(result).not.toHaveProperty('hash');
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
    expect(result).toMatchObject({ exitCode: 0, ...expected });
    expect('refusal' in result).toBe('refusal' in expected);
    expect('opening' in result).toBe('opening' in expected);
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
    const described = ['check', 'explain'].flatMap(name =>
      inSchema(schema.definitions[name], name),
    );
    expect(described.length).toBeGreaterThan(30);
    const optional = /^explain\.problems\.\w+$/;
    expect(described.filter(name => !seen.has(name))).toEqual(
      described.filter(name => optional.test(name)),
    );
  });
});

it('docs/cli.md has the fields of each command', () => {
  const rows = tableRows('docs/cli.md', ['Field', 'Command', 'It has']);
  for (const command of ['check', 'explain']) {
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
      'is not there (did you mean app-config.yaml?)',
      {},
    ],
    [
      'check',
      [...PRODUCTION, '--no-config'],
      '--no-config expects that no file has auth.apiGate',
      { file: 'app-config.production.yaml', line: 2 },
    ],
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
    [['init', '--json'], '--json is an unknown option'],
    [['check', '--json=x'], 'does not take an argument'],
  ])('is empty for options that do not fit: %j', async (args, message) => {
    const { code, stdout, stderr } = await runCliIn(args, { cwd, env: ENV });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
  });
});
