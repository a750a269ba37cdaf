// A day of requests at the app that `create-app` makes, and the block that `api-gate init` makes of it: see `run`.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { parse } from 'yaml';
import { listen } from '../../http';
import { expectEqual } from '../../Report';
import { runChecks } from '../../runChecks';
import { App, POLICY_TOKEN } from './App';
import { checkScan } from './checkScan';
import { BADGE_PATH, Day, FINDS, sendDay, WEBHOOK_SECRET } from './traffic';

const DAY_1 = 'app-config.day1.yaml';
const ENFORCED = 'app-config.enforced.yaml';
const MEANT_FILE = 'app-config.meant.yaml';

const MEANT: Day['meant'] = {
  webhook: 202,
  'forged webhook': 403,
  'unsigned webhook': 403,
  badge: 200,
  'page, with a token': 200,
  'page, with the cookie': 200,
  'catalog, with a token': 200,
};

const notRefused = (scans: Day['scans']) =>
  Object.entries(scans).filter(([, status]) => status !== 401);

const token = (subject: string, value: string, plugin: string) => ({
  type: 'static',
  options: { token: value, subject },
  accessRestrictions: [{ plugin }],
});

runChecks({ name: 'init', limitMs: 400_000 }, async run => {
  const { report, folder, atExit } = run;
  const target = await listen(createServer((_req, res) => res.end('target')));
  atExit.push(() => target.stop());
  const docs = path.join(folder, 'docs/default/component/example-website');
  mkdirSync(docs, { recursive: true });
  writeFileSync(path.join(docs, 'index.html'), '<!doctype html>The page');

  const app = await App.create(run, port => ({
    app: { baseUrl: `http://localhost:${port}` },
    backend: {
      baseUrl: `http://localhost:${port}`,
      listen: { host: 'localhost', port },
      cors: { origin: `http://localhost:${port}` },
      database: {
        client: 'better-sqlite3',
        connection: { directory: path.join(folder, 'database') },
      },
      auth: {
        externalAccess: [
          token('policy-reader', POLICY_TOKEN, 'auth'),
          token('ci-deploy', 'token-of-the-pipeline', 'scaffolder'),
        ],
      },
    },
    events: { modules: { github: { webhookSecret: WEBHOOK_SECRET } } },
    proxy: {
      endpoints: {
        '/open': {
          target: `http://127.0.0.1:${target.port}`,
          credentials: 'dangerously-allow-unauthenticated',
        },
      },
    },
    techdocs: {
      builder: 'external',
      publisher: {
        type: 'local',
        local: { publishDirectory: path.join(folder, 'docs') },
      },
    },
  }));
  const url = `http://localhost:${app.port}`;
  const policy = `${url}/api/auth/api-gate/v1/policy`;
  const start = (file: string, block: string) => {
    app.write(file, block);
    return app.start(file);
  };
  const withPolicy = ['--policy', policy, '--token-env', 'POLICY_TOKEN'];

  let before: Day;
  let printed = '';
  let backend = await start(DAY_1, await app.apiGate('init', []));
  await report.check(
    '[P90] what the block of the first day lets work',
    async () => {
      before = await sendDay(app.port);
      expectEqual('what is meant', before.meant, MEANT);
      const found = FINDS.map(request => before.scans[request]);
      expectEqual('what scanners find', found, [200, 200, 200]);
      return `${FINDS.length} of ${Object.keys(before.scans).length} scans find something`;
    },
  );

  await report.check(
    '[P91] init proposes what worked as comments, and no rule for the proxy',
    async () => {
      printed = await app.apiGate('init', [], ...withPolicy);
      const [day] = new Date().toISOString().split('T');
      expectEqual('the rules', printed.match(/- \{ plugin: .*methods.*/g), [
        `- { plugin: badges, path: '${BADGE_PATH}', methods: [GET] }  # 1 request on ${day}, answered 200`,
        `- { plugin: catalog, path: '/export', methods: [GET] }  # 1 request on ${day}, answered 200`,
        `- { plugin: events, path: '/http/github', methods: [POST] }  # 1 request on ${day}, answered 202, last by GitHub-Hookshot/044aadd`,
      ]);
      expectEqual('its keys', Object.keys(parse(printed).auth.apiGate), [
        ...['mode', 'until', 'operators', 'expect', 'tokens'],
      ]);
      return `${printed.match(/no rule is proposed/g)?.length} lines without a rule`;
    },
  );

  await checkScan(report, app, policy);

  await report.check(
    'beside the block of the first day, init prints comments only',
    async () => {
      const missing = await app.apiGate('init', [DAY_1], ...withPolicy);
      expectEqual('the YAML', parse(missing), null);
      expectEqual(
        'the rules',
        missing.match(/# {3}- \{ plugin: .*methods/g)?.length,
        2,
      );
      return `${missing.split('\n').length} lines`;
    },
  );

  await report.check(
    '[P90] the block as printed opens nothing: each answer is that without rules',
    async () => {
      await backend.terminate();
      backend = await start('app-config.printed.yaml', printed);
      expectEqual('the day', await sendDay(app.port), before);
      return 'in report-only';
    },
  );

  await report.check(
    '[P90] the block as printed opens nothing once it is enforced',
    async () => {
      await backend.terminate();
      app.edit('app-config.printed.yaml', ENFORCED, '/^ {4}(mode|until):/d');
      backend = await app.start(ENFORCED);
      const { meant, scans } = await sendDay(app.port);
      expectEqual('what is meant', meant, {
        ...MEANT,
        ...{ webhook: 401, 'forged webhook': 401, 'unsigned webhook': 401 },
        badge: 401,
      });
      expectEqual('scans that are not 401', notRefused(scans), []);
      return `${Object.keys(scans).length} scans are 401`;
    },
  );

  await report.check(
    'by hand: operators, and the rules that are meant',
    async () => {
      await backend.terminate();
      app.edit(
        ENFORCED,
        MEANT_FILE,
        's/^( *operators: )\\[\\]/\\1[user:development\\/guest]/',
        's/^( *)# (allow:)/\\1\\2/',
        's/^( *)# ( *- \\{ plugin: (badges|events), .*methods)/\\1\\2/',
        's/^( *)# (- \\{ plugin: catalog, is: closed)/\\1\\2/',
      );
      const checked = await app.apiGate(
        'check',
        [MEANT_FILE],
        '--fail-on',
        'findings',
      );
      return checked.trim().split('\n').at(-1)!;
    },
  );

  await report.check(
    '[P91] enforced: webhook, badge and page answer as before, and each scan is 401',
    async () => {
      backend = await app.start(MEANT_FILE);
      const { scans, ...others } = await sendDay(app.port);
      const { scans: _, ...expected } = before;
      expectEqual('what is meant', others, expected);
      expectEqual('scans that are not 401', notRefused(scans), []);
      return `${Object.keys(scans).length} scans are 401`;
    },
  );
});
