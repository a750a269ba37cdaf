import type { JsonObject } from '@backstage/types';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { metrics } from '@opentelemetry/api';
import { ConfigReader } from '@backstage/config';
import { rawRequest } from '../../__testUtils__/rawRequest';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { createReloadableConfig } from '../../__testUtils__/reloadableConfig';
import {
  freePort,
  RunningBackend,
  startBackend,
} from '../../__testUtils__/startBackend';
import { readApiGateConfig } from '../../config/readApiGateConfig';
import type {
  CandidateCount,
  CandidateReport,
} from '../../observability/CandidateCounts';
import { AllowList } from '../../policy/AllowList';
import { explainRequest } from '../../policy/explainRequest';

jest.setTimeout(60_000);

const ALL_METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
];
const TOKEN = 'token-of-this-test';

const allow = [
  { plugin: 'hello', path: '/open/**' },
  { plugin: 'hello', path: '/hook', methods: ['POST'] },
  { plugin: 'hello', path: '/socket', methods: ['WEBSOCKET'] },
];
const candidate = {
  allow: [
    { plugin: 'hello', path: '/open/a' },
    { plugin: 'hello', path: '/new/**', methods: ['GET', 'POST'] },
    { plugin: 'hello', path: '/hook', methods: ['POST'] },
  ],
};
const opensEverything = {
  allow: ['hello', 'other', 'auth', 'absent'].flatMap(plugin => [
    { plugin, path: '/**', methods: ALL_METHODS },
    { plugin, path: '/', methods: ALL_METHODS },
    { plugin, path: '/socket', methods: ['WEBSOCKET'] },
  ]),
};

const running: RunningBackend[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map(backend => backend.stop()));
});

const configFor = (port: number, apiGate: JsonObject): JsonObject => ({
  app: { baseUrl: 'http://localhost:3000' },
  backend: {
    baseUrl: `http://localhost:${port}`,
    listen: { port, host: 'localhost' },
    database: { client: 'better-sqlite3', connection: ':memory:' },
    auth: {
      externalAccess: [
        { type: 'static', options: { token: TOKEN, subject: 'test' } },
      ],
    },
  },
  auth: { providers: { guest: {} }, apiGate: { allow, ...apiGate } },
});

async function start(apiGate: JsonObject) {
  const port = await freePort();
  const config = createReloadableConfig(configFor(port, apiGate));
  const hello = recordingPlugin('hello', {
    policies: [{ path: '/', allow: 'unauthenticated' }],
  });
  const backend = await startBackend({
    port,
    rootConfig: config.feature,
    features: [hello.feature, recordingPlugin('other').feature],
  });
  running.push(backend);
  return {
    ...backend,
    hello,
    change: (changed: JsonObject) => config.change(configFor(port, changed)),
    async report(): Promise<any> {
      const { body } = await rawRequest(port, '/api/auth/api-gate/v1/policy', {
        headerLines: [`Authorization: Bearer ${TOKEN}`],
      });
      return JSON.parse(body);
    },
  };
}

/** Requests with and without credentials, to paths that one list or the other opens, and to paths that are not plain. */
const REQUESTS = ['GET', 'POST', 'HEAD', 'OPTIONS'].flatMap(method =>
  [
    ...['/open/a', '/open/b', '/open', '/new/x?q=1', '/new', '/hook', '/x'],
    ...['/new/%61', '/new//x', '/open/../new/x', '/NEW/x', '/new/x#', '/'],
    ...['/.backstage/auth/v1/cookie', '/.backstage/auth/v1/jwks.json'],
  ].flatMap(path =>
    [[], [`Authorization: Bearer ${TOKEN}`], ['Cookie: token=not-valid']].map(
      headerLines => ({ method, target: `/api/hello${path}`, headerLines }),
    ),
  ),
);

describe('a candidate', () => {
  it('[P32] is judged as an offline replay of the same requests judges it', async () => {
    const backend = await start({ candidate });
    for (const { target, ...options } of REQUESTS) {
      await rawRequest(backend.port, target, options);
    }
    const settings = readApiGateConfig(
      new ConfigReader(configFor(1, { candidate })),
    );
    const explain = (rules: typeof settings.allow, index: number) =>
      explainRequest(
        REQUESTS[index],
        { allowList: new AllowList(rules), config: settings },
        () => true,
      ).anonymous;
    const candidateRules = (settings.candidate as typeof settings).allow;
    const changed = REQUESTS.map((request, i) => ({
      ...request,
      now: explain(settings.allow, i),
      later: explain(candidateRules, i),
    })).filter(({ now, later }) => now !== later);
    const totals = (list: { now: string; headerLines: string[] }[]) =>
      ['public', 'needs-credential'].map(now => {
        const those = list.filter(each => each.now === now);
        const anonymous = those.filter(
          ({ headerLines }) => headerLines.length === 0,
        );
        return [those.length, anonymous.length];
      });
    const sums = (counts: CandidateCount[]) => [
      counts.reduce((sum, { requests }) => sum + requests, 0),
      counts.reduce((sum, { withoutCredential }) => sum + withoutCredential, 0),
    ];
    const report: Extract<CandidateReport, { since: string }> = (
      await backend.report()
    ).candidate;
    expect([sums(report.wouldClose), sums(report.wouldOpen)]).toEqual(
      totals(changed),
    );
    expect(report.wouldClose).toEqual([
      {
        rule: 'auth.apiGate.allow[0]',
        plugin: 'hello',
        method: 'GET',
        segment: 'open',
        requests: 3,
        withoutCredential: 1,
      },
      expect.objectContaining({ method: 'HEAD', requests: 3 }),
    ]);
    expect(report.wouldOpen).toEqual(
      ['GET', 'POST', 'HEAD'].map(method => ({
        rule: 'auth.apiGate.candidate.allow[1]',
        plugin: 'hello',
        method,
        segment: 'new',
        requests: 3,
        withoutCredential: 1,
      })),
    );
    expect(report.uncounted).toBe(0);
    expect(Date.now() - Date.parse(report.since)).toBeLessThan(60_000);
  });

  it('[P33] that opens everything changes no answer and reaches no handler', async () => {
    const [without, beside] = [
      await start({}),
      await start({ candidate: opensEverything }),
    ];
    const requests = [
      ...REQUESTS,
      ...['/api/other/x', '/api/other', '/api/absent/x', '/api/auth/x'].flatMap(
        target => ALL_METHODS.map(method => ({ method, target })),
      ),
      ...['/api/hello/socket', '/api/hello/x', '/api/other/socket'].map(
        target => ({
          method: 'GET',
          target,
          headerLines: ['Connection: Upgrade', 'Upgrade: websocket'],
        }),
      ),
    ];
    const answerOf = async (
      { port }: RunningBackend,
      { target, ...options }: (typeof requests)[number],
    ) => {
      const { status, headers, body } = await rawRequest(port, target, options);
      const { date, etag, 'api-gate-decision': id, ...others } = headers;
      return [
        options.method,
        target,
        status,
        id?.length,
        others,
        body.replaceAll(String(port), 'PORT'),
      ];
    };
    for (const request of requests) {
      expect(await answerOf(beside, request)).toEqual(
        await answerOf(without, request),
      );
    }
    const routes = ({ hello }: typeof beside) =>
      hello.handled.map(({ method, path, rawHeaders }) => [
        method,
        path,
        rawHeaders.filter(text => !text.startsWith('localhost')),
      ]);
    expect(routes(beside)).toEqual(routes(without));
    const { wouldClose, wouldOpen } = (await beside.report()).candidate;
    expect(wouldClose).toHaveLength(0);
    expect(wouldOpen.length).toBeGreaterThan(10);
  });

  it.each<[JsonObject, string]>([
    [{}, 'auth.apiGate.candidate.allow must be a list of rules'],
    [{ alow: [] }, 'auth.apiGate.candidate.alow is not known: use allow'],
    [{ allow: 'x' }, 'auth.apiGate.candidate.allow must be a list of rules'],
    [
      { allow: [{ plugin: 'hello', path: 'x' }] },
      'auth.apiGate.candidate.allow[0].path must be text that starts with a slash',
    ],
  ])(
    'that is wrong (%j) is a warning with its config path, and the policy loads',
    async (wrong, problem) => {
      const backend = await start({ candidate: wrong });
      const warnings = backend.log.filter(
        ({ level, message }) => level === 'warn' && message.includes(problem),
      );
      expect(warnings).toHaveLength(1);
      expect(warnings[0].message).toMatch(
        /^ {2}auth\.apiGate\.candidate: is not judged: [^\n]+\[candidate-not-judged\]$/m,
      );
      const open = await rawRequest(backend.port, '/api/hello/open/x');
      const closed = await rawRequest(backend.port, '/api/hello/new/x');
      expect([open.status, closed.status]).toEqual([200, 401]);
      const { candidate: report } = await backend.report();
      expect(report.problem).toContain(problem);
    },
  );

  it('that becomes wrong does not keep a new policy from being loaded, and counts begin again', async () => {
    const backend = await start({ candidate });
    await rawRequest(backend.port, '/api/hello/new/x');
    expect((await backend.report()).candidate.wouldOpen).toHaveLength(1);
    const wrong = { allow: [{ plugin: 'Hello', path: '/x' }] };
    backend.change({ candidate: wrong, allow: [] });
    const { status } = await rawRequest(backend.port, '/api/hello/open/x');
    expect(status).toBe(401);
    const { candidate: report, problem } = await backend.report();
    expect(problem).toBeUndefined();
    expect(report).toEqual({
      problem: expect.stringMatching(
        /^auth\.apiGate\.candidate\.allow\[0\]\.plugin must be/,
      ),
    });
    const warnings = backend.log.filter(({ message }) =>
      message.includes('auth.apiGate.candidate: is not judged'),
    );
    expect(warnings).toHaveLength(1);
    backend.change({ candidate });
    expect((await backend.report()).candidate.wouldOpen).toEqual([]);
    backend.change({});
    expect((await backend.report()).candidate).toBeUndefined();
  });

  it('is counted by the metric api_gate.candidate', async () => {
    const reader = new PeriodicExportingMetricReader({
      exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
      exportIntervalMillis: 3_600_000,
    });
    const provider = new MeterProvider({ readers: [reader] });
    metrics.setGlobalMeterProvider(provider);
    const backend = await start({ candidate });
    for (const path of ['/open/a', '/open/b', '/open/c', '/new/x', '/x']) {
      await rawRequest(backend.port, `/api/hello${path}`);
    }
    const { resourceMetrics } = await reader.collect();
    const named = (name: string) =>
      resourceMetrics.scopeMetrics
        .flatMap(scope => scope.metrics)
        .find(({ descriptor }) => descriptor.name === name)
        ?.dataPoints.map(({ attributes, value }) => [attributes, value]);
    expect(named('api_gate.candidate')).toEqual([
      [{ change: 'would-close' }, 2],
      [{ change: 'would-open' }, 1],
    ]);
    expect(named('api_gate.rules.unused')).toEqual([[{}, 0]]);
    metrics.disable();
    await provider.shutdown();
  });

  it('is bounded, as paths are the choice of clients', async () => {
    const everything = [{ plugin: 'hello', path: '/**' }];
    const backend = await start({ candidate: { allow: everything } });
    const paths = Array.from({ length: 520 }, (_, i) => `/segment-${i}/x`);
    for (let i = 0; i < paths.length; i += 40) {
      await Promise.all(
        paths
          .slice(i, i + 40)
          .map(path => rawRequest(backend.port, `/api/hello${path}`)),
      );
    }
    const { candidate: report } = await backend.report();
    expect([report.wouldOpen.length, report.uncounted]).toEqual([500, 20]);
  });
});
