import { ALWAYS_PUBLIC } from '../../operators/facts/findConfigFacts';
import type { Fact } from '../../operators/facts/Fact';
import type { PolicyReport } from '../../operators/reports/createPolicyReport';

const WEBHOOK: Fact = {
  kind: 'public',
  what: 'POST  /api/events/http/github',
  note: 'GitHub signs these',
  rule: 'POST /api/events/http/github',
};
const TOKEN: Fact = {
  kind: 'external token',
  what: 'ci-deploy',
  who: 'POST  /api/catalog/refresh',
  until: '2027-01-31T00:00:00.000Z',
  note: 'Jenkins',
};
const CLOSED = 'closed by the gate, except for what rules name';

/** The facts of a usual backend. */
const FACTS: Fact[] = [
  { kind: 'mode', what: 'enforce' },
  WEBHOOK,
  {
    kind: 'public',
    what: 'GET   /api/badges/entity/*/*/*/badge/*',
    note: 'badges in READMEs',
    rule: 'GET /api/badges/entity/*/*/*/badge/*',
  },
  ...['GET', 'POST'].map(method => ({
    kind: 'public',
    what: `${method.padEnd(4)}  /api/permission/health`,
    until: '2026-12-31T00:00:00.000Z',
    rule: 'GET,POST /api/permission/health',
  })),
  ...ALWAYS_PUBLIC,
  TOKEN,
  { kind: 'power', what: 'operator', who: 'group:default/platform' },
  {
    kind: 'power',
    what: 'trusted origin',
    who: 'https://backstage.example.com',
  },
  {
    kind: 'power',
    what: 'cookie',
    who: '__Host-token, SameSite=lax, Secure, this host, 900 seconds at most',
  },
  { kind: 'closed', what: 'scaffolder' },
  {
    kind: 'declared open',
    what: 'any   /api/proxy/status and /status/**',
    who: 'everybody',
    note: CLOSED,
  },
  {
    kind: 'declared open',
    what: 'any   /api/techdocs/static and /static/**',
    who: "Backstage's own cookie, which still opens it",
  },
];

/** Creates the report of a backend that enforces, as the page of the policy gets it. */
export function createPageReport(
  overrides: Partial<PolicyReport> = {},
): PolicyReport {
  const now = Date.now();
  const minutesAgo = (minutes: number) =>
    new Date(now - minutes * 60_000).toISOString();
  const used = (requests: number) => ({
    lastUsed: requests > 0 ? '2026-11-28T10:00:00.000Z' : null,
    requests,
  });
  return {
    hash: '3f2a9c51e0b7',
    loadedAt: '2026-11-27T08:15:02.120Z',
    mode: 'enforce',
    enforced: true,
    needsRestart: [],
    filesNewerThanPolicy: [],
    facts: FACTS,
    findings: [
      {
        id: 'rule-ends-soon',
        severity: 'low',
        at: 'auth.apiGate.allow[2] (GET,POST /api/permission/health)',
        why: 'opens nothing from 2026-12-31T00:00:00.000Z',
        write: 'write a later until if the path has to stay public',
        page: 'docs/findings.md#the-ids',
      },
    ],
    installed: [
      'app',
      'auth',
      'badges',
      'catalog',
      'events',
      'permission',
      'proxy',
      'scaffolder',
      'search',
      'techdocs',
    ],
    used: {
      since: '2026-11-27T08:15:00.000Z',
      rules: [
        {
          rule: 'POST /api/events/http/github',
          ...used(1_098),
        },
        { rule: 'GET /api/badges/entity/*/*/*/badge/*', ...used(62_802) },
        { rule: 'GET,POST /api/permission/health', ...used(0) },
      ],
      externalTokens: [
        { subject: 'ci-deploy', ...used(412) },
        { subject: 'mcp-readonly', ...used(0) },
      ],
    },
    replica: {
      host: 'backstage-7f9c4-x2x9p',
      pid: 1,
      startedAt: '2026-11-27T08:15:00.000Z',
      gate: '0.1.0',
      backstage: '0.19.1',
      node: '24.11.0',
      hasAuth: true,
    },
    revocations: { sessions: 17 },
    refusals: {
      since: '2026-11-27T08:15:00.000Z',
      counts: [
        {
          ...{ plugin: 'proxy', method: 'GET', outcome: 'refused' },
          path: '/status/api/v2/components',
          reason: 'missing-credentials',
          requests: 1_080,
          firstSeen: minutesAgo(90),
          lastSeen: minutesAgo(3),
          lastId: '1b77c0de55aa9e21',
        },
        {
          ...{ plugin: 'catalog', method: 'GET', outcome: 'refused' },
          path: '/entities/by-name/component/default/web',
          ...{ reason: 'invalid-token', detail: 'expired' },
          requests: 16,
          firstSeen: minutesAgo(50),
          lastSeen: minutesAgo(2),
          lastId: '9f3c2a7be1d04c55',
        },
      ],
      last: [
        {
          id: '9f3c2a7be1d04c55',
          time: minutesAgo(2),
          outcome: 'refused',
          reason: 'invalid-token',
          detail: 'expired',
          plugin: 'catalog',
          method: 'GET',
          path: '/entities/by-name/component/default/web',
          userAgent: 'curl/8.5.0',
        },
        {
          id: '1b77c0de55aa9e21',
          time: minutesAgo(3),
          outcome: 'refused',
          reason: 'missing-credentials',
          plugin: 'proxy',
          method: 'GET',
          path: '/status/api/v2/components',
        },
        {
          id: '77aa0de15c1b9e20',
          time: minutesAgo(19),
          outcome: 'refused',
          reason: 'restricted',
          detail: 'only',
          subject: 'external:ci-deploy',
          plugin: 'scaffolder',
          method: 'POST',
          path: '/v2/tasks',
        },
      ],
    },
    ...overrides,
  };
}

/** The report of a backend in report-only, in which each part has what it has rarely. */
export function createOddReport(): PolicyReport {
  const { findings, replica, used, refusals } = createPageReport();
  const days = {
    firstSeen: '2026-11-01T08:00:00.000Z',
    lastSeen: '2026-11-02T08:00:00.000Z',
  };
  const worked = { plugin: 'catalog', method: 'GET', requests: 1, ...days };
  return createPageReport({
    mode: 'report-only',
    enforced: false,
    until: '2026-12-31T00:00:00.000Z',
    problem: 'x',
    needsRestart: ['a', 'b'],
    filesNewerThanPolicy: ['f', 'g'],
    facts: [
      { ...WEBHOOK, note: undefined, until: '2026-11-01T00:00:00.000Z' },
      TOKEN,
      { ...TOKEN, who: 'nothing', until: '2026-11-01T00:00:00.000Z' },
      { kind: 'newly public', what: 'GET   /api/badges/c', who: 'w' },
      { kind: 'not known', what: 'search', who: 'what it declares open' },
      { kind: 'list', what: 'p: 1 of f' },
      { kind: 'accepted', what: 'i', who: 'auth.x', note: 'r' },
    ],
    reportOnly: {
      ...{ since: '2026-11-01T07:00:00.000Z', note: 'z' },
      worked: [
        { ...worked, path: '/a', status: 200, requests: 1234, yaml: '# - r' },
        { ...worked, lastSeen: worked.firstSeen, isKeptClosed: true },
        { ...worked, plugin: 'not installed', why: 'no rule' },
      ],
    },
    replica: { ...replica, backstage: undefined },
    installed: ['search', 'badges', 'catalog'],
    findings: [
      { ...findings[0], accepted: { reason: 'r' } },
      { ...findings[0], at: 'auth.apiGate.allow[1].path' },
      { ...findings[0], at: 'x auth.apiGate.allow[1]' },
    ] as PolicyReport['findings'],
    used: {
      ...used,
      rules: used.rules.map(each => ({ ...each, requests: 1_234 })),
      externalTokens: [],
    },
    refusals: {
      ...refusals,
      last: [{ ...refusals.last[0], outcome: 'would-refuse' }],
      counts: [
        {
          ...{ plugin: 'not installed', method: 'GET', reason: 'others' },
          ...{ outcome: 'would-refuse', answer: 'worked', status: 200 },
          ...{ requests: 2, lastId: 'f', ...days },
        },
      ],
    },
  });
}

/** The report of a backend that opens nothing and has seen nothing. */
export const createEmptyReport = () =>
  createPageReport({
    facts: [{ kind: 'external token', what: 'none' }],
    findings: [],
    installed: ['auth'],
    used: {
      since: '2026-11-28T10:00:00.000Z',
      rules: [],
      externalTokens: [],
    },
    refusals: {
      last: [],
      counts: [],
      since: '2026-11-28T10:00:00.000Z',
    } as never,
  });
