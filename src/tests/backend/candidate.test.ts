import type { JsonObject } from '@backstage/types';
import { ConfigReader } from '@backstage/config';
import { exportMetrics } from '../../__testUtils__/exportMetrics';
import { accessWith, staticToken } from '../../__testUtils__/externalAccess';
import {
  openPlugin,
  recordingPlugin,
} from '../../__testUtils__/recordingPlugin';
import { bearer, cookie } from '../../__testUtils__/requestParts';
import { signedBackends } from '../../__testUtils__/signedBackends';
import { comparable } from '../../__testUtils__/startTwin';
import { readApiGateConfig } from '../../config/readApiGateConfig';
import type { CandidateReport } from '../../observability/CandidateCounts';
import { AllowList } from '../../policy/AllowList';
import { explainRequest } from '../../policy/explainRequest';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
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
    { plugin, path: '/**', methods: METHODS },
    { plugin, path: '/', methods: METHODS },
    { plugin, path: '/socket', methods: ['WEBSOCKET'] },
  ]),
};

const backends = signedBackends();
afterEach(backends.stopAll);

const configWith = (apiGate: JsonObject) => ({
  apiGate: { allow, ...apiGate },
  config: accessWith(staticToken(TOKEN, 'test')),
});

async function start(apiGate: JsonObject) {
  const hello = openPlugin('hello');
  const backend = await backends.start({
    ...configWith(apiGate),
    features: [hello.feature, recordingPlugin('other').feature],
  });
  return {
    ...backend,
    hello,
    change: (changed: JsonObject) => backend.change(configWith(changed)),
    report: async (): Promise<any> => backend.policy(TOKEN),
  };
}

/** Requests with and without credentials, to paths that one list or the other opens, and to paths that are not plain. */
const REQUESTS = ['GET', 'POST', 'HEAD', 'OPTIONS'].flatMap(method =>
  [
    ...['/open/a', '/open/b', '/open', '/new/x?q=1', '/new', '/hook', '/x'],
    ...['/new/%61', '/new//x', '/open/../new/x', '/NEW/x', '/new/x#', '/'],
    ...['/.backstage/auth/v1/cookie', '/.backstage/auth/v1/jwks.json'],
  ].flatMap(path =>
    [[], [bearer(TOKEN)], [cookie('not-valid')]].map(headerLines => ({
      method,
      target: `/api/hello${path}`,
      headerLines,
    })),
  ),
);

describe('a candidate', () => {
  it('[P32] is judged as an offline replay of the same requests judges it', async () => {
    const backend = await start({ candidate });
    for (const { method, target, headerLines } of REQUESTS) {
      await backend.request(method, target, headerLines);
    }
    const settings = readApiGateConfig(
      new ConfigReader({
        backend: { baseUrl: backend.url },
        auth: { apiGate: { allow, candidate } },
      }),
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
    const sums = (
      counts: { requests: number; withoutCredential: number }[],
    ) => [
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
    const requests: typeof REQUESTS = [
      ...REQUESTS,
      ...['/api/other/x', '/api/other', '/api/absent/x', '/api/auth/x'].flatMap(
        target => METHODS.map(method => ({ method, target, headerLines: [] })),
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
      { port, request }: typeof beside,
      { method, target, headerLines }: (typeof requests)[number],
    ) => comparable(await request(method, target, headerLines), String(port));
    for (const request of requests) {
      expect([request, await answerOf(beside, request)]).toEqual([
        request,
        await answerOf(without, request),
      ]);
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
      const warnings = backend.logged(problem, 'warn');
      expect(warnings).toHaveLength(1);
      expect(warnings[0].message).toMatch(
        /^ {2}auth\.apiGate\.candidate: is not judged: [^\n]+\[candidate-not-judged\]$/m,
      );
      expect(await backend.statusOf('/api/hello/open/x')).toBe(200);
      expect(await backend.statusOf('/api/hello/new/x')).toBe(401);
      const { candidate: report } = await backend.report();
      expect(report.problem).toContain(problem);
    },
  );

  it('that becomes wrong does not keep a new policy from being loaded, and counts begin again', async () => {
    const backend = await start({ candidate });
    await backend.get('/api/hello/new/x');
    expect((await backend.report()).candidate.wouldOpen).toHaveLength(1);
    const wrong = { allow: [{ plugin: 'Hello', path: '/x' }] };
    backend.change({ candidate: wrong, allow: [] });
    expect(await backend.statusOf('/api/hello/open/x')).toBe(401);
    const { candidate: report, problem } = await backend.report();
    expect(problem).toBeUndefined();
    expect(report).toEqual({
      problem: expect.stringMatching(
        /^auth\.apiGate\.candidate\.allow\[0\]\.plugin must be/,
      ),
    });
    expect(
      backend.logged('auth.apiGate.candidate: is not judged'),
    ).toHaveLength(1);
    backend.change({ candidate });
    expect((await backend.report()).candidate.wouldOpen).toEqual([]);
    backend.change({});
    expect((await backend.report()).candidate).toBeUndefined();
  });

  it('is counted by the metric api_gate.candidate', async () => {
    const exported = await exportMetrics();
    const { get } = await start({ candidate });
    for (const path of ['/open/a', '/open/b', '/open/c', '/new/x', '/x']) {
      await get(`/api/hello${path}`);
    }
    const { series } = await exported.scrape();
    await exported.stop();
    const named = (name: string) =>
      series
        .filter(each => each.name === name)
        .map(({ labels, value }) => [labels.change, value]);
    expect(named('api_gate_candidate_total')).toEqual([
      ['would-close', 2],
      ['would-open', 1],
    ]);
    expect(named('api_gate_rules_unused')).toEqual([[undefined, 0]]);
  });
});
