import path from 'node:path';
import { stringify } from 'yaml';
import { configFromFiles } from '../../__testUtils__/configFromFiles';
import { blocksAfter } from '../../__testUtils__/documents';
import { staticToken } from '../../__testUtils__/externalAccess';
import {
  openPlugin,
  recordingPlugin,
} from '../../__testUtils__/recordingPlugin';
import { folderWith } from '../../__testUtils__/runCli';
import { signedBackends } from '../../__testUtils__/signedBackends';
import { freePort } from '../../__testUtils__/freePort';

const PAGE = 'docs/reference/http-api.md';
const backends = signedBackends();

/** Returns the paths of all fields, with `[]` for the items of a list, and their types. */
function fieldsOf(value: unknown, at = ''): string[] {
  if (Array.isArray(value)) {
    return value.flatMap(item => fieldsOf(item, `${at}[]`));
  }
  if (value === null || typeof value !== 'object') {
    return [at];
  }
  return Object.entries(value).flatMap(([key, field]) => [
    `${at}.${key}`,
    ...fieldsOf(field, `${at}.${key}`),
  ]);
}

const named = (fields: string[]) => [...new Set(fields)].sort();

it('a backend answers with the fields of the sample of the policy, and with no others', async () => {
  const sample = JSON.parse(blocksAfter(PAGE, 'GET policy', 'json')[0]);
  const port = await freePort();
  const rule = (plugin: string, below: string) => ({
    plugin,
    path: below,
    methods: ['POST'],
    reason: 'GitHub signs these',
  });
  const folder = folderWith({
    'app-config.yaml': stringify({
      app: { baseUrl: 'http://localhost:3000' },
      discovery: {
        endpoints: [
          { target: 'http://localhost:1/api/{{id}}', plugins: ['catalog'] },
        ],
      },
      backend: {
        // Over https, the cookie's name is a finding.
        baseUrl: 'https://backstage.example.com',
        listen: { port, host: 'localhost' },
        database: { client: 'better-sqlite3', connection: ':memory:' },
        auth: {
          externalAccess: [staticToken('a-static-token', 'old-jenkins')],
        },
      },
      auth: {
        providers: { guest: { dangerouslyAllowOutsideDevelopment: true } },
        apiGate: {
          allow: [rule('a', '/x'), rule('b', '/x')],
          closed: ['catalog'],
          operators: ['group:default/sre'],
          foreignAuthorization: [{ plugin: 'hello', path: '/upstream/**' }],
          signOut: { providers: ['github'] },
          tokens: [
            {
              subject: 'old-jenkins',
              only: [{ plugin: 'hello', path: '/x' }],
              until: '2099-01-31',
              reason: 'demo',
            },
          ],
        },
      },
    }),
    'app-config.production.yaml': stringify({
      events: { modules: { github: { webhookSecret: 'a secret' } } },
      auth: {
        apiGate: {
          mode: 'report-only',
          until: '2099-01-31',
          allow: [rule('events', '/http/github')],
        },
      },
    }),
  });
  const options = ['app-config.yaml', 'app-config.production.yaml'].flatMap(
    name => ['--config', path.join(folder, name)],
  );
  const hello = openPlugin('hello');
  const events = recordingPlugin('events', {
    policies: [{ path: '/http/github', allow: 'unauthenticated' }],
  });
  const { request, policy } = await backends.start({
    port,
    features: [hello.feature, events.feature],
    rootConfig: configFromFiles(options, backends.add),
  });
  await request('GET', '/api/hello/data', ['User-Agent: curl/8.5']);
  await request('POST', '/api/events/http/github');
  await request('GET', '/api/absent/x');
  // The route compares the files of the command line with the policy.
  const commandLine = jest.replaceProperty(process, 'argv', [
    'node',
    'backend',
    ...options,
  ]);
  const report = await policy(await hello.tokenFor('auth'));
  commandLine.restore();
  expect(named(fieldsOf(report))).toEqual(named(fieldsOf(sample)));
});
