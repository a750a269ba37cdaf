import path from 'node:path';
import { stringify } from 'yaml';
import { configFromFiles } from '../../__testUtils__/configFromFiles';
import {
  blocksAfter,
  codeIn,
  proseOf,
  readDocument,
  tableRows,
} from '../../__testUtils__/documents';
import { staticToken } from '../../__testUtils__/externalAccess';
import {
  openPlugin,
  recordingPlugin,
} from '../../__testUtils__/recordingPlugin';
import { bearer, REVOCATIONS } from '../../__testUtils__/requestParts';
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

describe('the routes of the page', () => {
  const bodies = codeIn(proseOf(readDocument(PAGE))).filter(code =>
    /^\{ "(userEntityRef|sub)"/.test(code),
  );
  const statuses = tableRows(PAGE, ['Status', 'Meaning']).map(([status]) =>
    Number(status),
  );
  const [ofUser, ofSession] = bodies;

  async function start(apiGate = {}) {
    const caller = recordingPlugin('caller');
    const features = [caller.feature];
    const backend = await backends.start({ features, apiGate });
    const service = await caller.tokenFor('auth');
    return {
      ...backend,
      service,
      end: async (token: string, body: string) => {
        const answer = await backend.post(REVOCATIONS, token, JSON.parse(body));
        expect(statuses).toContain(answer.status);
        return answer;
      },
      follow: async (query: string) =>
        JSON.parse(
          (await backend.get(`${REVOCATIONS}${query}`, bearer(service))).body,
        ),
    };
  }

  it('end the sessions of a user, and are followed by the cursor', async () => {
    const { end, follow, service, sign, statusOf } = await start();
    const first = await follow('?since=');
    expect(first).toEqual({
      revocations: [],
      cursor: expect.any(String),
      hasMore: false,
    });
    const jane = await sign({ sub: JSON.parse(ofUser).userEntityRef });
    expect(await statusOf('/api/caller/x', bearer(jane))).toBe(200);
    const { status, body } = await end(service, ofUser);
    expect(status).toBe(201);
    const { offlineSessions } = JSON.parse(body);
    expect(readDocument(PAGE).text).toContain(`\`"${offlineSessions}"\``);
    expect(await statusOf('/api/caller/x', bearer(jane))).toBe(401);
    const { revocations } = await follow(`?since=${first.cursor}`);
    expect(revocations).toMatchObject([{ scope: 'user' }]);
  });

  it('end one session, for a service only', async () => {
    const { end, service, sign, statusOf } = await start();
    const claims = { sub: 'user:default/jane', iat: 1, exp: 2 };
    const iat = Math.floor(Date.now() / 1000) - 60;
    const token = await sign({ ...claims, iat, exp: iat + 3600 });
    const body = [`"${claims.sub}"`, iat, iat + 3600].reduce<string>(
      (text, value) => text.replace('…', String(value)),
      ofSession,
    );
    expect((await end(token, body)).status).toBe(403);
    expect((await end(service, body)).status).toBe(201);
    expect(await statusOf('/api/caller/x', bearer(token))).toBe(401);
  });

  it('end the sessions of a user until later, and not those of the caller', async () => {
    const backend = await start({ operators: ['user:development/guest'] });
    const guest = await backend.guest();
    const codes = codeIn(proseOf(readDocument(PAGE)));
    const [field] = codes.filter(code => code.startsWith('"until"'));
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const end = (userEntityRef: string) =>
      backend.post(REVOCATIONS, guest, {
        ...JSON.parse(`{ ${field} }`),
        userEntityRef,
        until,
      });
    const { status, body } = await end('user:default/jane');
    expect(status).toBe(201);
    const sample = codes.find(code => code.startsWith('{ "until"'))!;
    expect(Object.keys(JSON.parse(body)).sort()).toEqual(
      Object.keys(JSON.parse(sample)).sort(),
    );
    const own = await end('user:development/guest');
    expect(statuses).toContain(own.status);
    expect(own.status).toBe(409);
  });

  it('are refused for the session of another user, and for a wrong field, which the message names', async () => {
    const { end, service, sign } = await start();
    const john = await sign({ sub: 'user:default/john' });
    expect((await end(john, ofUser)).status).toBe(403);
    const { status, body } = await end(
      service,
      ofUser.replace('user:default/jane', 'jane'),
    );
    expect(status).toBe(400);
    expect(body).toContain('userEntityRef');
  });
});
