import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createBackendModule } from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { merge, pick } from 'lodash';
import { stringify } from 'yaml';
import { allowOf, taken } from '../__testUtils__/allowRuleRows';
import { configFromFiles } from '../__testUtils__/configFromFiles';
import { accessWith, staticToken } from '../__testUtils__/externalAccess';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, POLICY } from '../__testUtils__/requestParts';
import { runCliHere } from '../__testUtils__/runCli';
import { signedBackends } from '../__testUtils__/signedBackends';
import { freePort } from '../__testUtils__/freePort';
import { backendConfig } from '../__testUtils__/startBackend';
import { temporaryFolder } from '../__testUtils__/temporaryFolder';
import { until } from '../__testUtils__/until';
import { apiGateServiceRef } from '../../backstage/apiGateService';
import { createPolicyAnswers } from '../../backstage/createPolicyAnswers';

const PAGE = '/api/auth/api-gate/';
const REPORTER = 'reporter-token-of-this-test';

/** The rows of the table, but for the rule that opens all of a plugin. */
const ROWS = taken
  .flatMap(row => (allowOf(row) ?? []) as JsonObject[])
  .filter(rule => rule.path !== '/**');

const ALLOW: JsonObject[] = [
  ...ROWS,
  { plugin: 'pub', path: '/users/*/avatar' },
  { plugin: 'pub', path: '/ended', until: '2020-01-01' },
  { plugin: 'pub', path: '/ends', until: '2999-01-01T12:00:00Z' },
  { plugin: 'pub', path: '/signed', methods: ['POST'] },
  { plugin: 'open', path: '/**' },
];

const TOKENS = [
  {
    subject: 'ci',
    only: [{ plugin: 'pub', path: '/jobs/*' }],
    until: '2999-01-01',
  },
  {
    subject: 'ci',
    only: [{ plugin: 'closed', path: '/x', methods: ['POST'] }],
  },
  { subject: 'old', until: '2020-01-01' },
  { subject: 'external:job', reason: 'of an issuer' },
];

const external = (subject: string, ...restrictions: JsonObject[]) =>
  staticToken(`token-of-${subject}`, subject, ...restrictions);

const EXTERNAL_ACCESS: (JsonObject & { options: JsonObject })[] = [
  staticToken(REPORTER, 'reporter'),
  external('ci'),
  external('old'),
  external('narrow', { plugin: 'closed' }),
  { type: 'jwks', options: { url: 'http://localhost:1/keys' } },
];

const GATE: JsonObject = {
  allow: ALLOW,
  tokens: TOKENS,
  expect: [
    { plugin: 'closed', is: 'closed' },
    { request: 'GET /api/pub/never', is: 'closed' },
  ],
};

const backends = signedBackends();
const { argv, env } = process;
afterEach(async () => {
  process.argv = argv;
  process.env = env;
  await backends.stopAll();
});

/** Starts a backend with a file of Backstage's settings and one of the gate's, as from its command line. */
async function start(apiGate: JsonObject = GATE) {
  const folder = temporaryFolder();
  const [base, gateFile] = ['app-config.yaml', 'app-config.gate.yaml'].map(
    name => path.join(folder, name),
  );
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const write = (changed: JsonObject) =>
    writeFileSync(
      gateFile,
      `# A comment\n${stringify({ auth: { apiGate: changed } })}`,
    );
  const writeBase = (externalAccess: JsonObject[]) =>
    writeFileSync(
      base,
      stringify({
        ...merge(backendConfig(port), accessWith(...externalAccess)),
        auth: { providers: { guest: {} } },
      }),
    );
  writeBase(EXTERNAL_ACCESS);
  write(apiGate);
  const files = [base, gateFile].flatMap(file => ['--config', file]);
  let answers: ReturnType<typeof createPolicyAnswers>;
  const backend = await backends.start({
    port,
    features: [
      recordingPlugin('pub').feature,
      recordingPlugin('open').feature,
      recordingPlugin('closed', {
        policies: [
          { path: '/badge/:id', allow: 'unauthenticated' },
          { path: '/pages', allow: 'user-cookie' },
        ],
      }).feature,
      createBackendModule({
        pluginId: 'pub',
        moduleId: 'asks',
        register: reg =>
          reg.registerInit({
            deps: { gate: apiGateServiceRef },
            async init({ gate }) {
              answers = createPolicyAnswers(gate);
            },
          }),
      }),
    ],
    rootConfig: configFromFiles(files, backends.add),
  });
  process.argv = ['node', 'backend', ...files];
  process.env = { ...env, REPORTER };
  return {
    ...backend,
    write,
    writeBase,
    /** Returns what the page shows. */
    async explain(request: string, subject?: string) {
      const explained = await answers.explain(request, subject);
      return 'error' in explained ? explained : pick(explained, 'lines');
    },
    /** Runs the command with the same files, and the policy of the backend, unless that is left out. */
    async runCommand(request: string, subject?: string, withPolicy = true) {
      const { stdout, stderr } = await runCliHere([
        ...['explain', ...files],
        ...(withPolicy
          ? ['--policy', `${url}${POLICY}`, '--token-env', 'REPORTER']
          : []),
        ...(subject === undefined ? [] : ['--subject', subject]),
        request,
      ]);
      return { lines: stdout.split('\n').slice(0, -1), stderr };
    },
    readPolicy: () => backend.policy(REPORTER),
  };
}

/** Returns the requests that a rule names, and some beside it. */
function requestsNear({ plugin, path: at, methods = ['GET'] }: JsonObject) {
  const target = `/api/${plugin}${at}`
    .replace('/**', '/a/b')
    .replaceAll('*', 'jane')
    .replace(/(?<=.)\/$/, '');
  return [
    ...(methods as string[]).map(method => `${method} ${target}`),
    `PUT ${target}`,
    `GET ${target}/x?y=1`,
  ];
}

const ODD = [
  '/api/pub/health',
  'GET /api/absent/x',
  'GET /api/absent/.backstage/auth/v1/jwks.json',
  'GET /api/nosuchplugin/health',
  'DELETE /api/absent/.backstage/auth/v1/cookie',
  'GET /api/pub/.backstage/auth/v1/cookie',
  'POST /api/auth/guest/logout',
  'GET /api/auth/api-gate/v1/policy',
  'GET /api/app/x',
  'GET /healthcheck',
  'GET /api/pub/a%20b',
  'GET /api/pub//a',
  'GET /api/PUB/health',
  'GET http://a.example.com/api/pub/health',
  'GET /api/pub/ä',
  'GET /api/pub/never',
  'POST /api/closed/x',
  'GET /api/closed/badge/7',
  'GET /api/closed/pages/a',
  'GET /api/pub/jobs/7',
  'TRACE /api/pub/health',
  'WEBSOCKET /api/closed/x',
];

const REQUESTS = [...new Set([...ALLOW.flatMap(requestsNear), ...ODD])];
const SUBJECTS = ['ci', 'old', 'narrow', 'external:job', 'reporter'];

/** Removes the file and line that the command adds to a rule and to limits of a token. */
const withoutPlaces = (lines: string[]) => ({
  lines: lines.map(line => line.replace(/ {2}\(\S+\.yaml:\d+\)/, '')),
});

const subjectsFor = (request: string) =>
  ODD.includes(request) ? [undefined, ...SUBJECTS] : [undefined];

describe('the question about a request', () => {
  it('[P88] has the same answer from a running backend and from the command, which alone names files', async () => {
    const { explain, runCommand } = await start();
    const seen = new Set<string>();
    for (const request of REQUESTS) {
      for (const subject of subjectsFor(request)) {
        const { lines } = await runCommand(request, subject);
        expect(await explain(request, subject)).toEqual(withoutPlaces(lines));
        lines.forEach(line => seen.add(line));
      }
    }
    // The table has each kind of answer.
    const text = [...seen].join('\n');
    for (const part of [
      'public: a rule names it',
      'public: it is public without a rule',
      'public: it is a sign-out call',
      'needs a credential: no rule names it',
      'routers and proxies may read its path differently',
      'not seen by the gate',
      'Nearest rule: ',
      'app-config.gate.yaml:',
      'The plugin absent is not installed: a misspelling, or a plugin of another backend',
      'The plugin opens /badge/:id in code, and the gate closes it',
      "The plugin opens /pages in code, to Backstage's own cookie, which still opens it",
      'No rule can open it',
      'With this rule, the backend does not start while auth.apiGate.expect[1] is there',
      '(ended, and closed since 2020-01-01T00:00:00.000Z)',
      'With a token of ci: passes the gate',
      'With a token of ci: refused with 403 (restricted): not listed in any only',
      'With a token of old: refused with 401 (token-ended)',
      'With a token of narrow: refused with 403 (restricted)',
      'With a token of external:job: passes the gate',
    ]) {
      expect(text).toContain(part);
    }
  });

  it('names a plugin that is not installed, where the gate itself answers the sign-out call', async () => {
    const { explain } = await start();
    expect(
      await explain('DELETE /api/absent/.backstage/auth/v1/cookie'),
    ).toEqual({
      lines: [
        'DELETE /api/absent/.backstage/auth/v1/cookie',
        'public: it is a sign-out call',
        'The plugin absent is not installed: a misspelling, or a plugin of another backend',
      ],
    });
  });

  it('[P88] has the same answer from the files alone, where a plugin is installed and opens nothing in code', async () => {
    const { explain, runCommand } = await start();
    const requests = REQUESTS.filter(
      request => !/\/api\/(absent|app|closed|nosuchplugin)\//.test(request),
    );
    for (const request of requests) {
      for (const subject of subjectsFor(request)) {
        const { lines } = await runCommand(request, subject, false);
        expect(await explain(request, subject)).toEqual(withoutPlaces(lines));
      }
    }
  });

  it('[P88] has the answer of the policy in force while the files have another one', async () => {
    const { explain, logged, runCommand, write } = await start({
      ...GATE,
      mode: 'report-only',
      until: '2999-01-01',
    });
    const reportOnly =
      'Until the gate enforces, it refuses only locked users and ended sessions (auth.apiGate.mode)';
    const before = await explain('GET /api/closed/x');
    expect(before).toEqual(
      withoutPlaces((await runCommand('GET /api/closed/x')).lines),
    );
    expect(before).toMatchObject({
      lines: expect.arrayContaining([reportOnly]),
    });

    write({ ...GATE, allow: [{ plugin: 'pub', path: 'wrong' }] });
    await until(() => logged('keeps its policy').length > 0);
    expect(await explain('GET /api/pub/ends')).toEqual({
      lines: [
        'GET /api/pub/ends',
        'public: a rule names it',
        expect.stringMatching(
          /^Rule: auth\.apiGate\.allow\[\d+\] {2}GET \/api\/pub\/ends {2}\(until 2999-01-01T12:00:00\.000Z\)$/,
        ),
        reportOnly,
      ],
    });

    write({ ...GATE, expect: [], allow: [{ plugin: 'closed', path: '/x' }] });
    await until(() => logged('has a new policy').length > 0);
    const { lines } = await runCommand('GET /api/closed/x', 'ci');
    expect(await explain('GET /api/closed/x', 'ci')).toEqual(
      withoutPlaces(lines),
    );
    expect(lines).toContain('public: a rule names it');
    expect(lines).not.toContain(reportOnly);
  });

  it('[P88] has the tokens that Backstage accepts until a restart', async () => {
    const { explain, logged, readPolicy, runCommand, write, writeBase } =
      await start();
    const kept = EXTERNAL_ACCESS.filter(
      ({ options }) => !['narrow', 'old'].includes(String(options.subject)),
    );
    const tokens = TOKENS.filter(({ subject }) => subject !== 'old');
    writeBase([...kept, external('added')]);
    // The other file has limits of the token that is gone. Read first, that file without them would lift them.
    await until(() => logged('keeps its policy').length > 0);
    write({ ...GATE, tokens });
    await until(() => logged('takes effect after a restart').length > 0);
    // The limits of a token that Backstage still accepts are in no file.
    const described = (await readPolicy()).tokens;
    expect(described.map(({ subject }) => subject)).toEqual([
      ...['ci', 'ci', 'external:job', 'old'],
    ]);
    expect(await explain('GET /api/pub/x', 'narrow')).toMatchObject({
      lines: expect.arrayContaining([
        'With a token of narrow: refused with 403 (restricted)',
      ]),
    });
    expect((await runCommand('GET /api/pub/x', 'narrow')).stderr).toContain(
      'No external token can have the subject narrow',
    );
    expect(await explain('GET /api/pub/x', 'added')).toEqual({
      error:
        'No external token can have the subject added (did you mean external:added?): compare it with backend.auth.externalAccess',
    });
  });
});

it('[P88] a report, its page and an answer there name no folder of the backend', async () => {
  const { get } = await start();
  for (const target of [POLICY, PAGE, `${PAGE}?request=/api/pub/ends`]) {
    const { body, status } = await get(target, bearer(REPORTER));
    expect([status, body]).toEqual([200, expect.stringContaining('/ends')]);
    expect(body).not.toContain('/app-config.gate.yaml');
  }
});

it('a bad question is refused in words', async () => {
  const ask =
    'Write one request of at most 2000 characters, such as GET /api/catalog/entities';
  const { explain } = await start({});
  for (const request of [
    '  ',
    'GET /api/x\nGET /api/y',
    'GET /api/x\u2028',
    'GET /api/\0x',
    'GET /api/x\u202e',
    '\ufeffGET /api/x',
    `GET /api/${'x'.repeat(8_192)}`,
    ' '.repeat(8_192),
  ]) {
    expect([request, await explain(request)]).toEqual([
      request,
      { error: ask },
    ]);
  }
  for (const subject of [
    'nobody',
    // An issuer may have a subject that is plain.
    'external:job\nWith a token of ci: passes the gate',
    `external:${'x'.repeat(8_192)}`,
  ]) {
    const explained = await explain('GET /api/pub/x', subject);
    expect(explained).toEqual({
      error: expect.stringMatching(
        /^No external token can have the subject [^\n]{1,1001}: compare it with backend\.auth\.externalAccess$/,
      ),
    });
  }
  // A form sends a field that was left empty.
  const { lines } = (await explain(' GET /api/pub/x ', ' ')) as {
    lines: string[];
  };
  expect(lines.slice(0, 2)).toEqual([
    'GET /api/pub/x',
    'needs a credential: no rule names it',
  ]);
});

it('with 1,000 rules is answered within 20 ms', async () => {
  const allow = Array.from({ length: 1_000 }, (_, i) => ({
    plugin: 'pub',
    path: `/a/b${i}`,
  }));
  const { explain } = await start({ allow });
  const times: number[] = [];
  for (let i = 0; i < 20; i += 1) {
    const startedAt = performance.now();
    expect(await explain(`GET /api/pub/a/b${i}`)).toMatchObject({
      lines: expect.arrayContaining(['public: a rule names it']),
    });
    times.push(performance.now() - startedAt);
  }
  // The machine may do other work too.
  expect(Math.min(...times)).toBeLessThan(20);
});
