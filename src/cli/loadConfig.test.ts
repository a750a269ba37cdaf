import { folderWith, runCliIn } from '../__tests__/__testUtils__/runCli';

const APP = 'app: { baseUrl: https://app.example.com }\n';
const BACKEND = 'baseUrl: https://backstage.example.com';

/** Settings with the options of an external token, and with settings of the gate. */
const withToken = (options: string, apiGate = '') =>
  `${APP}backend: { ${BACKEND}, auth: { externalAccess: [{ type: static, options: ${options} }] } }\nauth: { apiGate: { allow: [], ${apiGate} } }\n`;

function check(text: string, args: string[], env: Record<string, string> = {}) {
  const cwd = folderWith({ 'app-config.yaml': text });
  return runCliIn(['check', ...args], { cwd, env });
}

describe('check --mock-env', () => {
  const TOKENS = 'tokens: [{ subject: ci, only: all }]';

  it.each<[what: string, text: string, leftOut: string | undefined]>([
    [
      'a subject, without limits of tokens',
      withToken("{ token: t, subject: '${CI}' }"),
      undefined,
    ],
    [
      'the prefix of subjects that the limits of tokens may name',
      withToken("{ token: t, subjectPrefix: '${CI}' }", TOKENS),
      'auth.apiGate.tokens',
    ],
    [
      'the type of a token that the limits of tokens may name',
      withToken('{ token: t, subject: ci }', TOKENS).replace(
        'static',
        "'${TYPE}'",
      ),
      'auth.apiGate.tokens',
    ],
    [
      'the address of the backend, without settings of the cookie',
      withToken('{ token: t, subject: ci }').replace(
        BACKEND,
        "baseUrl: '${URL}'",
      ),
      'backend.baseUrl',
    ],
  ])('lists what it does not check: %s', async (_, text, leftOut) => {
    const env = { SPACES: ' https://backstage.example.com\n' };
    const { code, stdout } = await check(text, ['--mock-env'], env);
    const [, named] = stdout.match(/^Not checked, .* not set: (.*)$/m) ?? [];
    expect(named).toBe(leftOut);
    expect(code).toBe(0);
  });

  it.each<[path: string, read: string, env?: Record<string, string>]>([
    ["'/${A:-a}'", '/a'],
    ["'/${A:-a}'", '/set', { A: ' set ' }],
    ["'/${A:-a}'", '/a', { A: ' ' }],
    ["'/${ A :- a }/x'", '/a/x'],
    ["'/${A:-a}/${A:-b}'", '/a/b'],
    ["'/${A:-a/b}/${A:-c}/d'", '/a/b/c/d'],
    ["'/${A:-a}/${B}/**'", '/a/${B}/**'],
    ["'/${B}/a.b/${A:-a}'", '/${B}/a.b/a'],
    ["'/${A}x/${AB}'", '/${A}x/${AB}'],
    ['{ $include: rules.yaml#path }', '/in/a'],
  ])('reads a path %s as %s', async (path, expected, env = {}) => {
    const cwd = folderWith({
      'app-config.yaml': withToken('{ token: t, subject: ci }').replace(
        'allow: []',
        `allow: [{ plugin: x, path: ${path} }]`,
      ),
      'rules.yaml': "path: '/in/${A:-a}'\n",
    });
    const { code, stdout } = await runCliIn(['check', '--mock-env'], {
      cwd,
      env,
    });
    expect(stdout).toContain(`GET /api/x${expected}\n`);
    expect(code).toBe(0);
  });

  it('accepts the finding of a rule with a variable, by the place that it prints', async () => {
    const text = withToken(
      '{ token: t, subject: ci }',
      "findings: { accept: [{ id: rule-changes-data, reason: x, at: 'auth.apiGate.allow[0] (POST /api/x/${B})' }] }",
    ).replace(
      'allow: []',
      "allow: [{ plugin: x, path: '/${B}', methods: [POST] }]",
    );
    const { stdout } = await check(text, ['--mock-env']);
    expect(stdout).toContain(
      'accepted: auth.apiGate.allow[0] (POST /api/x/${B}): makes POST public',
    );
  });

  it('checks rules with a variable, and removes the spaces around its value', async () => {
    const withPath = (path: string) =>
      withToken('{ token: t, subject: ci }').replace(
        'allow: []',
        `allow: [{ plugin: '\${PLUGIN}', path: ${path} }]`,
      );
    const { code, stderr } = await check(withPath('x'), ['--mock-env']);
    expect(stderr).toContain('auth.apiGate.allow[0].path must be text that');
    expect(code).toBe(2);
    const env = { PLUGIN: ' catalog\n' };
    const { stdout } = await check(withPath('/x'), ['--mock-env'], env);
    expect(stdout).toContain('GET /api/catalog/x\n');
  });
});

it('names the place of broken YAML once', async () => {
  expect(await check('a: b\n}', ['--config', 'app-config.yaml'])).toEqual({
    code: 2,
    stdout: '',
    stderr:
      'error: app-config.yaml:2: Unexpected flow-map-end token in YAML stream: "}" at line 2, column 1\n',
  });
});
