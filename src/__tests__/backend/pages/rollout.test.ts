import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import catalogPlugin from '@backstage/plugin-catalog-backend';
import eventsPlugin from '@backstage/plugin-events-backend';
import permissionPlugin from '@backstage/plugin-permission-backend';
import allowAllPolicy from '@backstage/plugin-permission-backend-module-allow-all-policy';
import { configFromFiles } from '../../__testUtils__/configFromFiles';
import { blocksAfter, readDocument } from '../../__testUtils__/documents';
import { whatsOf } from '../../__testUtils__/factsOf';
import { openPlugin } from '../../__testUtils__/recordingPlugin';
import { JSON_TYPE } from '../../__testUtils__/requestParts';
import { folderWith, runCliIn } from '../../__testUtils__/runCli';
import { describeWithCurl, runShell } from '../../__testUtils__/runShell';
import { signedBackends } from '../../__testUtils__/signedBackends';
import { freePort } from '../../__testUtils__/freePort';
import { until } from '../../__testUtils__/until';

const backends = signedBackends();
jest.setTimeout(120_000);

// Goes in October 2027: plugins of releases before November 2026 differ, or are not installed.
const { API_GATE_TEST_RELEASE: release = '2026-11' } = process.env;
const describePage = release >= '2026-11' ? describeWithCurl : describe.skip;

const PAGE = 'docs/rollout.md';
const WEBHOOK = '/api/events/http/github';

/** Creates the folder of an app as create-app makes it, with the webhook of the page. */
function createApp(port: number) {
  const generated = readDocument(
    'src/__tests__/__testUtils__/createApp/app-config.yaml',
  ).text.replaceAll('7007', String(port));
  const folder = folderWith({
    'package.json': '{"name":"root","workspaces":["packages/*"]}',
    'packages/backend/package.json': '{"name":"backend"}',
    'app-config.yaml': `${generated}events:\n  http: { topics: [github, other] }\n  modules: { github: { webhookSecret: a secret } }\n`,
    'app-config.production.yaml':
      'backend: { baseUrl: https://backstage.example.com, database: { client: pg, connection: "${POSTGRES}" } }\n',
  });
  const file = path.join(folder, 'app-config.yaml');
  const read = () => readFileSync(file, 'utf8');
  // Replaces the file in one step, so that the backend reads no half of it.
  const write = (text: string) => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  return {
    file,
    read,
    write,
    backend: path.join(folder, 'packages/backend'),
    /** Adds a block of the page to `auth`, in place of the block before. */
    add: (block: string) =>
      write(
        read().replace(/^auth:.*\n(?: {2}apiGate:\n(?: {4}.*\n)*)?/m, () =>
          [
            // The file has the secret of the webhook already.
            ...block
              .split(/^events:/m)[0]
              .split('\n')
              .filter(line => !/^# app/.test(line)),
            '',
          ].join('\n'),
        ),
      ),
  };
}

/** Returns the arguments of a command of the page that calls api-gate. */
const argsOf = (command: string) =>
  command.replace('yarn --cwd packages/backend api-gate ', '').split(' ');

/** Starts the backend of an app, which watches the file. */
async function start(port: number, file: string) {
  const hello = openPlugin('hello');
  const backend = await backends.start({
    port,
    features: [
      ...[catalogPlugin, permissionPlugin, allowAllPolicy, eventsPlugin],
      hello.feature,
    ],
    rootConfig: configFromFiles(['--config', file], backends.add),
  });
  const post = async (target: string) =>
    (await backend.request('POST', target, [JSON_TYPE], '{}')).status;
  return { ...backend, post };
}

describePage('docs/rollout.md', () => {
  const { NODE_ENV } = process.env;
  beforeAll(() =>
    Object.assign(process.env, {
      // Guests sign in in development only.
      NODE_ENV: 'development',
      // On a busy machine, Backstage's watcher loses a file that is replaced several times, unless it polls, as in other tests.
      CHOKIDAR_USEPOLLING: 'true',
    }),
  );
  afterAll(() => {
    Object.assign(process.env, { NODE_ENV });
    delete process.env.CHOKIDAR_USEPOLLING;
  });

  it('quotes the error of a file with a second `auth`', async () => {
    const port = await freePort();
    const app = createApp(port);
    const [inReportOnly] = blocksAfter(PAGE, '2. Install in report-only mode');
    app.write(`${app.read()}${inReportOnly}\n`);
    const [, error] = readDocument(PAGE).text.match(
      /A second `auth:` in the same file stops the start with `([^`]+)`/,
    )!;
    await expect(start(port, app.file)).rejects.toThrow(error);
  });

  it('has init print a block for production', async () => {
    const [, init] = blocksAfter(PAGE, '2. Install in report-only mode', 'sh');
    const { backend } = createApp(7007);
    expect(await runCliIn(argsOf(init), { cwd: backend })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/mode: report-only(.|\n)*__Host-token/),
    });
  });

  it('leads from a generated app to one that enforces, step by step', async () => {
    const port = await freePort();
    const app = createApp(port);
    const [inReportOnly] = blocksAfter(PAGE, '2. Install in report-only mode');
    app.add(inReportOnly);
    let backend = await start(port, app.file);
    const [block] = blocksAfter(PAGE, '2. Install in report-only mode', 'text');
    const [{ message }] = backend.logged('API gate: report-only');
    // The app of the page has no other plugin that opens paths than `hello`.
    const text = message
      .replace(/^ {2}declared open .*\/api\/(events|permission)\/.*\n/gm, '')
      .replaceAll(backend.url, 'http://localhost:7007');
    // The order of origins depends on the port.
    expect(text.split('\n').sort()).toEqual(block.split('\n').sort());

    // 3. Look at what would be refused
    expect(await backend.post(WEBHOOK)).toBe(202);
    expect(
      backend.logged('API gate would have refused a request').length,
    ).toBeGreaterThan(0);
    const [operators] = blocksAfter(PAGE, '3. Look at what would be refused');
    const [readPolicy] = blocksAfter(
      PAGE,
      '3. Look at what would be refused',
      'sh',
    );
    const token = await backend.guest();
    const env = { TOKEN: token, API_GATE_POLICY_TOKEN: token };
    const inShell = (command: string) =>
      runShell(command, { url: backend.url, env });
    app.add(operators);
    await until(() => backend.logged('API gate has a new policy').length === 1);
    // Jane is the operator, and the guest is another user.
    await expect(inShell(readPolicy)).rejects.toMatchObject({
      code: 22,
      stdout: expect.stringMatching(/"statusCode": ?403/),
    });
    app.add(operators.replace('user:default/jane', 'user:development/guest'));
    await until(() => backend.logged('API gate has a new policy').length === 2);
    const policy = JSON.parse(await inShell(readPolicy));
    expect(policy.refusals.last).toContainEqual(
      expect.objectContaining({ plugin: 'events', method: 'POST' }),
    );
    expect(whatsOf(policy, 'declared open')).toContain('any   /api/hello/**');

    // 4. Write the rules
    expect(policy.reportOnly.worked).toContainEqual(
      expect.objectContaining({
        plugin: 'events',
        yaml: expect.stringContaining(
          "# - { plugin: events, path: '/http/github', methods: [POST] }  # 1 request on ",
        ),
      }),
    );
    const [rules] = blocksAfter(PAGE, '4. Write the rules');
    app.add(rules);
    await until(() => backend.logged('API gate has a new policy').length === 3);
    expect(await runCliIn(['report'], { cwd: app.backend })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('POST  /api/events/http/github'),
    });
    expect(await backend.statusOf('/api/hello/x')).toBe(200);

    // 6. Enforce
    app.write(app.read().replace('    mode: report-only\n', ''));
    await until(() => backend.logged('API gate has a new policy').length === 4);
    const [check] = blocksAfter(PAGE, '6. Enforce', 'sh');
    const expected = [...check.matchAll(/# (\d{3})$/gm)].map(
      ([, status]) => status,
    );
    expect(expected).toHaveLength(2);
    expect((await inShell(check)).trim().split('\n')).toEqual(expected);
    const answers = async () => [
      await backend.post(WEBHOOK),
      await backend.post('/api/events/http/other'),
      await backend.statusOf('/api/hello/x'),
    ];
    expect(await answers()).toEqual([202, 401, 401]);

    // To go back to report-only mode, set it again and restart.
    app.add(rules);
    await until(() => backend.logged('restart').length > 0);
    expect(await answers()).toEqual([202, 401, 401]);
    await backends.stopAll();
    backend = await start(port, app.file);
    expect(await answers()).toEqual([202, 202, 200]);
  });
});
