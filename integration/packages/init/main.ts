// A day of requests at the app that `create-app` makes, and the block that `api-gate init` makes of it: see `run`.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { listen } from '../../http';
import { expectEqual } from '../../Report';
import { runChecks } from '../../runChecks';
import { App, POLICY_TOKEN } from './App';
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
  let before: Day;
  const printed = await app.apiGate('init', []);
  let backend = await start(DAY_1, printed);
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

  const readWorked = async (): Promise<string[]> => {
    const answer = await fetch(policy, {
      headers: { Authorization: `Bearer ${POLICY_TOKEN}` },
    });
    const { reportOnly } = await answer.json();
    return reportOnly.worked.flatMap(({ yaml = [] }) => yaml);
  };

  let rules: string[] = [];
  await report.check(
    '[P91] report-only proposes what worked as comments, and no rule for the proxy or a plugin in closed',
    async () => {
      rules = (await readWorked()).sort();
      expectEqual(
        'the rules',
        rules.map(rule => rule.replace(/ {2}#.*/, '')),
        [
          `# - { plugin: badges, path: '${BADGE_PATH}', methods: [GET] }`,
          "# - { plugin: events, path: '/http/github', methods: [POST] }",
        ],
      );
      return `${rules.length} rules`;
    },
  );

  await report.check(
    '[P120] the report names what the installed plugins declare, and nothing of the app itself',
    async () => {
      const text = await app.apiGate('report', [DAY_1], '--packages', '.');
      const [, packages] = text.split('\n---\n');
      const names = packages.match(/^\S+ +\S+/gm)!;
      for (const name of ['events', 'permission', 'signals']) {
        if (!names.some(each => each.startsWith(`${name} `))) {
          throw new Error(`${name} is missing in\n${packages}`);
        }
      }
      expectEqual('of the app', packages.match(/export|count/g), null);
      return `${names.length} lines`;
    },
  );

  await report.check(
    '[P90] the block as printed opens nothing once it is enforced',
    async () => {
      await backend.terminate();
      app.edit(DAY_1, ENFORCED, '/^ {4}(mode|until):/d');
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
      const meant = rules.map(rule => `      ${rule.slice('# '.length)}\n`);
      app.write(
        MEANT_FILE,
        app
          .read(ENFORCED)
          .replace('operators: []', 'operators: [user:development/guest]')
          .replace('allow: []\n', `allow:\n${meant.join('')}`),
      );
      const checked = await app.apiGate('check', [MEANT_FILE]);
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
