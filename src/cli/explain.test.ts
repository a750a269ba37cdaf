import {
  folderWith,
  runCliHere,
  runCliIn,
} from '../__tests__/__testUtils__/runCli';

jest.setTimeout(60_000);

const CONFIG = `backend:
  baseUrl: https://backstage.example.com
auth:
  apiGate:
    allow:
      - { plugin: catalog, path: /entities/by-name/** }
      - { plugin: catalog, path: /entities, methods: [POST] }
      - { plugin: signals, path: /, methods: [WEBSOCKET] }
`;

const folder = folderWith({ 'app-config.yaml': CONFIG });

/** @param more - lines behind the rules of the configuration */
async function explainWith(more: string, request: string, ...args: string[]) {
  const cwd = more ? folderWith({ 'app-config.yaml': CONFIG + more }) : folder;
  const { code, stdout } = await runCliHere([
    ...['explain', '--config', `${cwd}/app-config.yaml`],
    ...args,
    request,
  ]);
  expect(code).toBe(0);
  return stdout;
}
const explain = (request: string, ...args: string[]) =>
  explainWith('', request, ...args);

describe('api-gate explain --subject', () => {
  const ACCESS = `      - { plugin: catalog, path: /open }
    tokens:
      - { subject: ci-deploy, only: [{ plugin: catalog, path: /entities }], until: 2999-01-01 }
      - { subject: old, only: all, until: 2020-01-01 }
      - { subject: 'external:job', only: [{ plugin: catalog, path: /x }] }
      - { subject: 'external:entra:*', only: [] }
      - { subject: 'external:entra:a', only: [{ plugin: x, path: /x }], until: 2999-01-01 }
      - { subject: 'external:entra:b', only: all }
      - { subject: open, only: all }
      - { subject: narrow, only: all }
`;
  const externalAccess = `  auth:
    externalAccess:
      - { type: static, options: { token: '\${CI}', subject: ci-deploy } }
      - { type: legacy, options: { secret: x, subject: old }, accessRestrictions: [{ plugin: catalog }] }
      - { type: static, options: { token: xxxxxxxx, subject: open } }
      - { type: static, options: { token: yyyyyyyy, subject: narrow }, accessRestrictions: [{ plugin: catalog }] }
      - { type: jwks, options: { url: 'https://a' } }
`;
  const withTokens = folderWith({
    'app-config.yaml':
      CONFIG.replace('auth:\n', `${externalAccess}auth:\n`) + ACCESS,
  });
  const ask = (request: string, subject: string, ...args: string[]) =>
    runCliHere([
      ...['explain', '--config', `${withTokens}/app-config.yaml`],
      ...['--subject', subject, ...args],
      request,
    ]);

  it.each([
    [
      'GET /api/catalog/entities?x=1',
      'ci-deploy',
      /\nWith a token of ci-deploy: passes the gate\n {2}auth\.apiGate\.tokens\[0\] {2}ci-deploy: GET \/api\/catalog\/entities {2}\(until 2999-01-01T00:00:00\.000Z\) {2}\(\S*app-config\.yaml:\d+\)\n$/,
    ],
    [
      'POST /api/scaffolder/v2/tasks',
      'ci-deploy',
      /\nWith a token of ci-deploy: refused with 403 \(restricted\): not listed in any only\n {2}auth.*\nTo allow it, add \{ plugin: scaffolder, path: '\/v2\/tasks', methods: \[POST\] \} to only in an entry for ci-deploy\n$/,
    ],
    [
      'GET /api/catalog/open',
      'ci-deploy',
      /\npublic: a rule names it\n[^]*\nTo allow it, [^]* path: '\/open'/,
    ],
    [
      'GET /api/catalog//entities',
      'ci-deploy',
      /: refused with 403 \(restr[^]*\nNo rule of only can match it\n$/,
    ],
    [
      'GET /api/techdocs/x',
      'old',
      /\nWith a token of old: refused with 401 \(token-ended\)\n {2}refused with 403 \(restricted\): the accessRestrictions of backend\.auth\.externalAccess\[1\] leave techdocs out\n {2}auth\.apiGate\.tokens\[1\] {2}old: what accessRestrictions allow {2}\(ended at 2020.*\nTo allow it, write a later until in an entry for old\n$/,
    ],
    [
      'GET /api/techdocs/x',
      'narrow',
      /\nWith a token of narrow: refused with 403 \(restricted\)\n {2}refused with 403 \(restricted\): the accessRestrictions/,
    ],
    [
      'GET /api/x/y',
      'open',
      /\nWith a token of open: passes the gate\n {2}.*\n$/,
    ],
    [
      'GET /api/x/y',
      'external:other',
      /: refused with 403 \(restricted\): auth\.apiGate\.tokens has no entry for it\nTo allow it, add .* to only in an entry for external:other\n$/,
    ],
    ['GET /api/x/y', 'external:job', /: refused with 403 \(restricted\)/],
    [
      'GET /api/x/y',
      'external:entra:nobody',
      /\nWith a token of external:entra:nobody: refused with 403 \(restricted\): not listed in any only\n {2}auth\.apiGate\.tokens\[3\] {2}external:entra:\*: nothing {2}.*\nTo allow it, add \{ plugin: x, path: '\/y', methods: \[GET\] \} to only in an entry for external:entra:nobody\n$/,
    ],
    [
      'GET /api/x/y',
      'external:entra:a',
      /: refused with 403 \(restricted\): not listed in any only\n {2}auth\.apiGate\.tokens\[3\] {2}external:entra:\*: nothing {2}.*\n {2}auth\.apiGate\.tokens\[4\] {2}external:entra:a: GET \/api\/x\/x {2}\(until 2999/,
    ],
    [
      'GET /api/x/y',
      'external:entra:b',
      /: passes the gate\n {2}auth\.apiGate\.tokens\[3\] {2}external:entra:\*: nothing {2}.*\n {2}auth\.apiGate\.tokens\[5\] {2}external:entra:b: what accessRestrictions allow/,
    ],
  ])(
    'says of %s what becomes of it with %s, and needs no token',
    async (request, subject, expected) => {
      const { code, stdout } = await ask(request, subject);
      expect(stdout).toMatch(expected);
      expect(stdout).not.toContain('would make it public');
      expect(code).toBe(0);
    },
  );

  it.each([
    ['POST /api/catalog/entities', 'ci-deploy', 1],
    ['GET /api/catalog/entities', 'ci-deploy', 0],
    ['GET /api/techdocs/x', 'old', 1],
    ['GET /api/techdocs/x', 'narrow', 1],
    ['GET /api/x/y', 'open', 0],
    ['GET /healthcheck', 'ci-deploy', 0],
  ])(
    'with --exit-code, ends for %s with a token of %s with %i',
    async (request, subject, code) => {
      expect(await ask(request, subject, '--exit-code')).toMatchObject({
        code,
      });
    },
  );

  it('refuses a subject that no external token can have', async () => {
    const { code, stdout, stderr } = await ask('GET /api/x/y', 'ci-deplyo');
    expect([code, stderr + stdout]).toEqual([
      2,
      expect.stringContaining(
        'No external token can have the subject ci-deplyo (did you mean ci-deploy?): ',
      ),
    ]);
  });
});

describe('api-gate explain', () => {
  it('prints the nearest rule, and the one that would open a closed request', async () => {
    const { code, stdout, stderr } = await runCliIn(
      ['explain', 'GET /api/catalog/entities?x=1'],
      { cwd: folder },
    );
    expect(stdout.split('\n')).toEqual([
      'GET /api/catalog/entities?x=1',
      'needs a credential: no rule names it',
      'Nearest rule: auth.apiGate.allow[0]  GET /api/catalog/entities/by-name/**  (app-config.yaml:6)',
      'This would make it public; a handler that asks for a user still refuses:',
      "  - { plugin: catalog, path: '/entities', methods: [GET] }",
      '',
    ]);
    expect([code, stderr]).toEqual([0, 'Read app-config.yaml\n']);
  });

  it.each([
    [
      'HEAD /api/catalog/entities/by-name/a/b:c',
      /^.*\npublic: a rule names it\nRule: auth\.apiGate\.allow\[0\] .*:6\)\n$/,
    ],
    ['WEBSOCKET /api/signals', /\npublic: a rule names it\nRule: .*allow\[2\]/],
    ['/api/app/x', /^GET \/api\/app\/x\npublic: it is public without a rule/],
    [
      'DELETE /api/catalog/.backstage/auth/v1/cookie',
      /\npublic: it is a sign-out call/,
    ],
    [
      'GET /api/catalog/.backstage/auth/v1/cookie',
      /needs a credential: no rule names it\n.*\nNo rule can open it\n$/,
    ],
    ['GET /api/auth/api-gate/v1/policy', /\nNo rule can open it\n$/],
    ['WEBSOCKET /api/x/a:b', /\nNo rule can open it\n$/],
    [
      'GET /api/x/a/b:c/d',
      /path: '\/a\/\*\/d', methods: \[GET\] } {2}# wider than this request/,
    ],
    [
      'GET /api/x/a:b/c',
      /path: '\/\*\*', methods: \[GET\] } {2}# wider than this request/,
    ],
    ['GET /api/x/a%20b', /needs a credential: routers and proxies may read/],
    ['GET /api/x/', /needs a credential: routers and proxies may read/],
    ['GET /healthcheck', /\nnot seen by the gate: the gate guards \/api/],
  ])('explains %s', async (request, text) => {
    expect(await explain(request)).toMatch(text);
  });

  it('proposes a rule that opens the request', async () => {
    for (const request of [
      ...['PUT /api/x/a.b/c', 'GET /api/x', 'GET /api/x/:y', 'GET /api/x/a/:y'],
    ]) {
      const [, rule] = (await explain(request)).match(/ {2}- (.*})/)!;
      expect(await explainWith(`      - ${rule}\n`, request)).toContain(
        'public: a rule names it\nRule: auth.apiGate.allow[3]',
      );
    }
  });

  it('[P37] shows the end of the rule, and whether it has come', async () => {
    const run = (until: string) =>
      explainWith(
        `      - { plugin: x, path: '/a/*/c', until: ${until} }\n`,
        'GET /api/x/a/b/c',
      );
    expect(await run('2099-01-01')).toContain(
      'public: a rule names it\nRule: auth.apiGate.allow[3]  GET /api/x/a/*/c  (until 2099-01-01T00:00:00.000Z)',
    );
    expect(await run('2001-01-01')).toContain(
      'needs a credential: no rule names it\nNearest rule: auth.apiGate.allow[3]  GET /api/x/a/*/c  (ended, and closed since 2001-01-01T00:00:00.000Z)',
    );
  });

  it('reports that no rule refuses anything yet', async () => {
    const run = (until: string) =>
      explainWith(`    mode: report-only\n    until: ${until}\n`, '/api/x');
    expect(await run('2099-01-01')).toContain(
      'Until the gate enforces, it refuses only ended sessions',
    );
    // Report-only has ended.
    expect(await run('2001-01-01')).not.toContain('it refuses only');
  });

  it.each([
    ['GET /api/catalog/entities/by-name/a', '', 0],
    ['/api/app/x', '', 0],
    ['DELETE /api/x/.backstage/auth/v1/cookie', '', 0],
    ['GET /healthcheck', '', 0],
    ['GET /api/catalog/entities', '', 1],
    ['GET /api/x/a%20b', '', 1],
    // The gate refuses it once it enforces.
    ['GET /api/catalog/entities', '    mode: report-only\n', 1],
    ['FETCH /api/x', '', 2],
  ])(
    'with --exit-code, ends for %s with %s with the code %i',
    async (request, more, code) => {
      const cwd = folderWith({ 'app-config.yaml': CONFIG + more });
      const args = ['explain', '--config', `${cwd}/app-config.yaml`, request];
      const without = await runCliHere(args);
      const result = await runCliHere([...args, '--exit-code']);
      expect(result).toEqual({ ...without, code });
      expect(without.code).toBe(code === 2 ? 2 : 0);
    },
  );

  it('ends with 1 for a public request too if no file has auth.apiGate', async () => {
    const cwd = folderWith({ 'app-config.yaml': CONFIG.split('auth:')[0] });
    const args = ['--config', `${cwd}/app-config.yaml`, '/api/app/x'];
    for (const option of [[], ['--exit-code']]) {
      const result = await runCliHere(['explain', ...option, ...args]);
      expect(result.code).toBe(1);
    }
  });

  it.each([
    ...['', 'GET', 'get /api/x', 'GET /api/x y', 'FETCH /api/x'],
    ...['garbage', 'GET api/x', 'GET http://a/api/x'],
  ])('exits with 2 for the request %j', async request => {
    expect(await runCliHere(['explain', request])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Write one request in quotes'),
    });
  });
});
