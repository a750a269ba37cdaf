import { BUILT_IN_PUBLIC } from '../../operators/reports/describePolicy';
import type { PolicyReport } from '../../operators/reports/describePolicy';

/** Creates the report of a backend that enforces, as the page of the policy gets it. */
export function createPageReport(
  overrides: Partial<PolicyReport> = {},
): PolicyReport {
  const now = Date.now();
  const minutesAgo = (minutes: number) =>
    new Date(now - minutes * 60_000).toISOString();
  const rule = {
    plugin: 'events',
    path: '/http/github',
    methods: ['POST'],
    reason: 'GitHub signs these',
  };
  const badge = {
    plugin: 'badges',
    path: '/entity/*/*/*/badge/*',
    methods: ['GET'],
    reason: 'badges in READMEs',
  };
  const health = {
    plugin: 'permission',
    path: '/health',
    methods: ['GET'],
    until: '2026-12-31T00:00:00.000Z',
  };
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
    lists: [],
    allow: [
      { ...rule, installed: true },
      { ...badge, installed: true },
      { ...health, installed: true },
    ],
    tokens: [
      {
        subject: 'ci-deploy',
        until: '2027-01-31T00:00:00.000Z',
        reason: 'Jenkins',
        only: [{ plugin: 'catalog', path: '/refresh', methods: ['POST'] }],
      },
    ],
    keptClosed: ['scaffolder'],
    settings: {
      operators: ['group:default/platform'],
      foreignAuthorization: [{ plugin: 'proxy', path: '/argocd/**' }],
      credentialHeader: undefined,
      cookie: {
        enabled: true,
        name: '__Host-token',
        maxAge: '900s',
        ...{ sameSite: 'lax', secure: true, trustedPaths: [] },
        trustedOrigins: ['https://backstage.example.com'],
      },
      signOut: {
        scope: 'session',
        providers: ['github'],
      },
    },
    builtIn: BUILT_IN_PUBLIC,
    findings: [
      {
        id: 'rule-ends-soon',
        severity: 'low',
        at: 'auth.apiGate.allow[2] (GET /api/permission/health)',
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
    openedInCode: [],
    closed: [
      {
        plugin: 'proxy',
        paths: ['/status', '/status/**'],
        allow: 'unauthenticated',
        isWebSocket: false,
      },
      {
        plugin: 'techdocs',
        paths: ['/static', '/static/**'],
        allow: 'user-cookie',
        isWebSocket: false,
      },
    ],
    unknown: [],
    opensBeyondPlugins: [],
    used: {
      since: '2026-11-27T08:15:00.000Z',
      rules: [
        {
          rule: 'POST /api/events/http/github',
          ...used(1_098),
        },
        { rule: 'GET /api/badges/entity/*/*/*/badge/*', ...used(62_802) },
        { rule: 'GET /api/permission/health', ...used(0) },
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
  const { allow, findings, replica, settings, tokens, used, refusals } =
    createPageReport();
  const [rule, other] = allow;
  const [token] = tokens!;
  const days = {
    firstSeen: '2026-11-01T08:00:00.000Z',
    lastSeen: '2026-11-02T08:00:00.000Z',
  };
  const worked = { plugin: 'catalog', method: 'GET', requests: 1, ...days };
  return createPageReport({
    enforced: false,
    until: '2026-12-31T00:00:00.000Z',
    problem: 'x',
    needsRestart: ['a', 'b'],
    filesNewerThanPolicy: ['f', 'g'],
    lists: [
      { path: 'p', file: 'f', entries: 1, replaces: [] },
      {
        ...{ path: 'q', file: 'f', entries: 1 },
        replaces: [
          { file: 'g', entries: 2 },
          { file: 'h', entries: 2 },
        ],
      },
    ],
    keptClosed: ['search', 'catalog'],
    settings: {
      ...settings,
      operators: [],
      foreignAuthorization: [],
      credentialHeader: 'x-token',
      cookie: {
        ...settings.cookie,
        ...{ enabled: false, maxAge: undefined, domain: 'example.com' },
        trustedPaths: [{ plugin: 'techdocs', path: '/static/**' }],
      },
      signOut: { scope: 'user', providers: [] },
    },
    reportOnly: {
      ...{ since: '2026-11-01T07:00:00.000Z', note: 'z' },
      worked: [
        { ...worked, path: '/a', status: 200, requests: 1234, yaml: '# - r' },
        { ...worked, lastSeen: worked.firstSeen, isKeptClosed: true },
        { ...worked, plugin: 'not installed', why: 'no rule' },
      ],
    },
    replica: { ...replica, backstage: undefined },
    allow: [
      rule,
      { ...other, reason: undefined, installed: false },
      { ...other, path: '/c', until: '2026-11-01T00:00:00.000Z', ended: true },
    ],
    closed: [
      ...[true, false].map(isWebSocket => ({
        ...{ plugin: 'badges', paths: ['/d'], isWebSocket },
        allow: 'unauthenticated' as const,
      })),
      {
        ...{ plugin: 'events', paths: ['/e/**'], isWebSocket: false },
        allow: 'user-cookie',
      },
    ],
    unknown: ['search'],
    opensBeyondPlugins: [{ ...other, path: '/c' }],
    installed: ['search', 'badges', 'catalog'],
    findings: [
      {
        ...findings[0],
        at: 'auth.apiGate.allow[10]',
        accepted: { reason: 'r' },
      },
      { ...findings[0], at: 'auth.apiGate.allow[1].path' },
      { ...findings[0], at: 'x auth.apiGate.allow[1]' },
    ] as PolicyReport['findings'],
    tokens: [
      { ...token, only: 'all', ended: true },
      {
        subject: token.subject,
        only: [
          { plugin: 'a', path: '/x', methods: ['GET'] },
          { plugin: 'b', path: '/y', methods: ['GET', 'POST'] },
        ],
      },
    ],
    used: {
      ...used,
      rules: used.rules.map(each => ({ ...each, requests: 1_234 })),
      externalTokens: [
        used.externalTokens[0],
        { subject: 'f', lastUsed: null, requests: 0 },
      ],
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
    allow: [],
    keptClosed: [],
    builtIn: [],
    closed: [],
    findings: [],
    installed: ['auth'],
    tokens: [],
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

/** The report of a backend with 1,000 rules, 200 plugins and 200 refusals. */
export function createLargeReport(): PolicyReport {
  const report = createPageReport();
  const [rule] = report.allow;
  const [use] = report.used.rules;
  const [refusal] = report.refusals.last;
  const plugins = Array.from({ length: 200 }, (_, i) => `some-plugin-${i}`);
  const many = <T>(length: number, create: (i: number) => T) =>
    Array.from({ length }, (_, i) => create(i));
  return {
    ...report,
    installed: plugins,
    allow: many(1000, i => ({
      ...rule,
      plugin: plugins[i % 200],
      path: `/some/longer/path/${i}/*/of/a/rule`,
    })),
    closed: plugins.map(plugin => ({
      plugin,
      paths: ['/health', '/health/**'],
      allow: 'unauthenticated',
      isWebSocket: false,
    })),
    findings: many(1000, i => ({
      ...report.findings[0],
      at: `auth.apiGate.allow[${i}] (GET /api/x/${i})`,
    })),
    used: { ...report.used, rules: many(1000, () => use) },
    refusals: {
      ...report.refusals,
      last: many(200, () => ({ ...refusal, path: '/x'.repeat(100) })),
    },
  };
}
