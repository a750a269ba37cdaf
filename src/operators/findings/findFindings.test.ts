import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';
import { map, merge, without } from 'lodash';
import { parse } from 'yaml';
import {
  allowOf,
  nameOf,
  taken,
} from '../../__tests__/__testUtils__/allowRuleRows';
import {
  FINDING_IDS,
  FindingId,
} from '../../settings/read/readAcceptedFindings';
import { readApiGateConfig } from '../../settings/read/readApiGateConfig';
import { formatFinding, FindingFacts } from './Finding';
import { findFindings } from './findFindings';

type Facts = Partial<FindingFacts>;

const NOW = new Date('2026-11-25T12:00:00Z');
const inDays = (days: number) => +NOW + days * 24 * 60 * 60 * 1000;
const onDay = (days: number) => new Date(inDays(days)).toISOString();

/** Finds the findings of a configuration, whose files are layered as Backstage does. */
function find(layers: JsonObject | JsonObject[], facts: Facts = {}) {
  const config = ConfigReader.fromConfigs(
    [layers].flat().map((data, i) => ({
      context: `${i}.yaml`,
      data: merge({ backend: { baseUrl: 'http://localhost:7007' } }, data),
    })),
  );
  const gate = readApiGateConfig(config);
  return findFindings({ config, gate, now: NOW, ...facts });
}

const gate = (apiGate: JsonObject) => ({ auth: { apiGate } });
const allow = (...rules: JsonObject[]) => gate({ allow: rules });
const rule = (plugin: string, below: string, ...methods: string[]) => ({
  plugin,
  path: below,
  methods: methods.length ? methods : ['GET'],
});
const proxyOf = (endpoint: JsonObject) => ({
  proxy: { endpoints: { '/sonar': { target: 'http://a', ...endpoint } } },
});
const openProxy = (endpoint: JsonObject) => ({
  ...allow(rule('proxy', '/sonar/**')),
  ...proxyOf({ credentials: 'dangerously-allow-unauthenticated', ...endpoint }),
});
const foreignSonar = (endpoint: JsonObject, foreign = '/sonar/**') => ({
  ...proxyOf(endpoint),
  auth: {
    apiGate: { foreignAuthorization: [{ plugin: 'proxy', path: foreign }] },
  },
});
const forwarding = { allowedHeaders: ['Authorization'] };
const signIn = (
  provider: string,
  resolver: JsonObject,
  settings: JsonObject = {},
) => ({
  auth: {
    providers: {
      [provider]: {
        production: {
          ...settings,
          signIn: {
            resolvers: [
              { resolver: 'emailMatchingUserEntityProfileEmail' },
            ].map(each => ({ ...each, ...resolver })),
          },
        },
      },
    },
  },
});
const stranger = { dangerouslyAllowSignInWithoutUserInCatalog: true };
const external = (entry: JsonObject) => ({
  backend: {
    auth: {
      externalAccess: [
        {
          type: 'static',
          options: { token: 'x'.repeat(24), subject: 'ci' },
          accessRestrictions: [{ plugin: 'catalog' }],
          ...entry,
        },
      ],
    },
  },
});
const events = (topics: string[], modules: JsonObject = {}) => ({
  ...allow(rule('events', '/http/**', 'POST')),
  events: { http: { topics }, modules },
});

const limiting = (entry: JsonObject) =>
  merge(
    external({}),
    gate({ tokens: [{ subject: 'ci', only: 'all', ...entry }] }),
  );
const openA = allow(rule('a', '/x'));
const openAAt = 'auth.apiGate.allow[0] (GET /api/a/x)';
const endingIn = (days: number): Facts => {
  const config = readApiGateConfig(reader(openA));
  return {
    gate: { ...config, allow: [{ ...config.allow[0], until: inDays(days) }] },
  };
};

const trusting = (below: string) =>
  gate({ cookie: { trustedPaths: [{ plugin: 'a', path: below }] } });
const withGithubApp = (app: JsonObject) => ({
  ...events(['github']),
  integrations: { github: [{ host: 'github.com', apps: [app] }] },
});

/** A place, a configuration that has the finding there, and the nearest one that has not, each with facts. */
type Row = [
  at: string,
  has: JsonObject | JsonObject[],
  hasNot: JsonObject | JsonObject[],
  facts?: Facts,
  factsNot?: Facts,
];

const resolverAt = (provider: string, resolver: string) =>
  `auth.providers.${provider}.production.signIn.resolvers[0] (${resolver})`;
const ownResolver = {
  ...stranger,
  resolver: 'emailLocalPartMatchingUserEntityName',
};
/** A rule with a segment of any text. */
const anySegment: Facts = {
  gate: {
    ...readApiGateConfig(reader({})),
    allow: [rule('events', '/*/own', 'POST')],
  } as FindingFacts['gate'],
};

const rowsOf: Record<FindingId, Row[]> = {
  'anyone-may-sign-in': [
    [
      'auth.providers.guest.dangerouslyAllowOutsideDevelopment',
      {
        auth: {
          providers: { guest: { dangerouslyAllowOutsideDevelopment: 'true' } },
        },
      },
      { auth: { providers: { guest: {} } } },
    ],
    ...[
      'emailMatchingUserEntityProfileEmail',
      'usernameMatchingUserEntityName',
    ].map((resolver): Row => [
      resolverAt('github', resolver),
      // This resolver ignores `allowedDomains`.
      signIn('github', { ...stranger, resolver, allowedDomains: ['a.com'] }),
      signIn('github', { resolver }),
    ]),
    ...(
      [
        ['github', {}, { enterpriseInstanceUrl: 'https://ghe.example.com' }],
        [
          'gitlab',
          { audience: 'https://gitlab.com' },
          { audience: 'https://git.example.com' },
        ],
        ['microsoft', { tenantId: 'common' }, { tenantId: '6dd0' }],
        ['microsoft', { tenantId: 'organizations' }, { tenantId: '6dd0' }],
        ['microsoft', { tenantId: 'consumers' }, { tenantId: '6dd0' }],
        // A value that is no text, and can't be converted to one.
        ['gitlab', {}, { audience: { toString: false } }],
        [
          'microsoft',
          { tenantId: 'common' },
          { tenantId: { toString: false } },
        ],
      ] as const
    ).map(([provider, open, own]): Row => [
      resolverAt(provider, 'emailMatchingUserEntityProfileEmail'),
      signIn(provider, stranger, open),
      signIn(provider, stranger, own),
    ]),
    ...['atlassian', 'bitbucket'].map((provider): Row => [
      resolverAt(provider, 'emailMatchingUserEntityProfileEmail'),
      signIn(provider, stranger),
      signIn('okta', stranger),
    ]),
    [
      resolverAt('google', ownResolver.resolver),
      signIn('google', ownResolver),
      signIn('google', { ...ownResolver, allowedDomains: ['example.com'] }),
    ],
  ],
  'external-tokens-unlimited': [
    ...[
      external({}),
      external({ type: 'jwks', options: { url: 'https://a' } }),
      external({ type: 'own', options: {} }),
    ].map((has): Row => [
      'auth.apiGate.tokens',
      has,
      { ...has, ...gate({ tokens: [] }) },
    ]),
    [
      'auth.apiGate.tokens',
      { backend: { auth: { keys: [{ secret: 's' }] } } },
      { backend: { auth: { keys: [], externalAccess: [] } } },
    ],
  ],
  'misspelt-setting': [
    [
      'permissions',
      { permissions: { enabled: true } },
      { permission: { enabled: true }, admission: {} },
    ],
    [
      'permission.enable',
      { permission: { enable: true } },
      { permission: { enabled: true, rbac: {} } },
    ],
    [
      'backend.Auth',
      { backend: { Auth: {} } },
      { backend: { auth: {}, cache: {}, listen: {} } },
    ],
    [
      'backend.auth.externalAcces',
      { backend: { auth: { externalAcces: [] } } },
      { backend: { auth: { externalAccess: [], other: {} } } },
    ],
  ],
  'no-barrier-behind': [
    [
      'backend.auth.dangerouslyDisableDefaultAuthPolicy',
      { backend: { auth: { dangerouslyDisableDefaultAuthPolicy: true } } },
      { backend: { auth: { dangerouslyDisableDefaultAuthPolicy: false } } },
    ],
  ],
  'open-proxy-with-secret': [
    ...[
      ['ApiKey', 'X-Key-Id'],
      ['Key', 'Monkey'],
      ['My_Key', 'Keyed'],
    ].map(([secret, other]): Row => [
      'auth.apiGate.allow[0] (GET /api/proxy/sonar/**)',
      openProxy({ headers: { [secret]: 'k' } }),
      openProxy({ headers: { [other]: 'k' } }),
    ]),
    [
      'auth.apiGate.allow[0] (GET /api/proxy/SONAR/**)',
      { ...openProxy({ auth: 'a' }), ...allow(rule('proxy', '/SONAR/**')) },
      { ...openProxy({ auth: 'a' }), ...allow(rule('proxy', '/other/**')) },
    ],
    [
      'auth.apiGate.allow[0] (GET /api/proxy/sonar/**)',
      openProxy({ headers: { 'X-Api-Key': 'k' } }),
      openProxy({ headers: { 'X-Source': 'backstage' } }),
    ],
    [
      'auth.apiGate.allow[0] (GET /api/proxy/sonar/a)',
      {
        ...allow(rule('proxy', '/sonar/a')),
        proxy: { '/sonar/': { target: 'http://a', auth: 'user:password' } },
      },
      {
        ...allow(rule('proxy', '/sonarqube')),
        proxy: { '/sonar/': { target: 'http://a', auth: 'user:password' } },
      },
    ],
  ],
  'open-webhook-without-secret': [
    [
      'auth.apiGate.allow[0] (POST /api/events/http/own)',
      {
        ...allow(rule('events', '/http/own', 'POST')),
        events: { http: { topics: ['own'] } },
      },
      allow(rule('events', '/http/own', 'POST')),
    ],
    [
      'auth.apiGate.allow[0] (POST /api/events/http/**)',
      withGithubApp({ appId: 1 }),
      withGithubApp({ appId: 1, webhookSecret: 's' }),
    ],
    [
      'auth.apiGate.allow[0] (POST /api/events/http/**)',
      events(['gitlab', 'own'], { gitlab: { webhookSecret: 's' } }),
      events(['gitlab'], { gitlab: { webhookSecret: 's' } }),
    ],
    [
      'auth.apiGate.allow[0] (POST /api/events/http/**)',
      events(['constructor']),
      // A key of every object.
      events(['constructor'], { constructor: { webhookSecret: 's' } }),
    ],
    [
      'auth.apiGate.allow[0] (POST /api/events/http/**)',
      events(['gitlab'], { gitlab: { webhookSecret: '' } }),
      events(['gitlab'], { gitlab: { webhookSecret: 's' } }),
    ],
    [
      'auth.apiGate.allow[0] (POST /api/events/http/**)',
      events([7 as never, 'own']),
      events([7 as never]),
    ],
    [
      'auth.apiGate.allow[0] (POST /api/events/http/**)',
      events(['own']),
      {
        ...events(['own']),
        ...allow(rule('events', '/http/**'), rule('events', '/http', 'POST')),
      },
    ],
    [
      'auth.apiGate.allow[0] (POST /api/events/*/own)',
      events(['own']),
      events(['other']),
      anySegment,
      anySegment,
    ],
  ],
  'plugin-not-installed': [
    [
      'auth.apiGate.closed[1] (a)',
      gate({ closed: ['b', 'a'] }),
      gate({ closed: ['b'] }),
      { installed: ['b'] },
      { installed: ['b'] },
    ],
    [openAAt, openA, openA, { installed: ['b'] }, { installed: ['a'] }],
    [openAAt, openA, openA, { installed: ['b'] }, {}],
    [
      'auth.apiGate.cookie.trustedPaths[0] (/api/a/x)',
      trusting('/x'),
      trusting('/x'),
      { installed: [] },
    ],
    [
      'auth.apiGate.foreignAuthorization[0] (/api/proxy/sonar/**)',
      foreignSonar(forwarding),
      foreignSonar(forwarding),
      { installed: [] },
    ],
    [
      'auth.apiGate.tokens[0].only[0] (ci)',
      limiting({ only: [{ plugin: 'a', path: '/x' }] }),
      limiting({ only: [{ plugin: 'b', path: '/x' }] }),
      { installed: ['b'] },
      { installed: ['b'] },
    ],
  ],
  'report-only-ends': [
    [
      'auth.apiGate.until',
      gate({ mode: 'report-only', until: onDay(7) }),
      gate({ mode: 'report-only', until: onDay(8) }),
    ],
    [
      'auth.apiGate.until',
      gate({ mode: 'report-only', until: onDay(0) }),
      gate({ mode: 'report-only' }),
    ],
  ],
  'rule-changes-data': [
    [
      'auth.apiGate.allow[0] (GET,DELETE /api/a/x)',
      allow(rule('a', '/x', 'GET', 'DELETE')),
      allow(rule('a', '/x', 'GET', 'OPTIONS'), rule('a', '/x', 'WEBSOCKET')),
    ],
    [
      'auth.apiGate.allow[0] (POST /api/events/bus/v1/events)',
      allow(rule('events', '/bus/v1/events', 'POST')),
      events(['own'], { own: { webhookSecret: 's' } }),
    ],
    [
      'auth.apiGate.allow[0] (POST /api/a/http/x)',
      allow(rule('a', '/http/x', 'POST')),
      allow(rule('a', '/http/x', 'HEAD')),
    ],
  ],
  'rule-ends-soon': [
    [openAAt, openA, openA, endingIn(7), endingIn(8)],
    [openAAt, openA, openA, endingIn(1), endingIn(0)],
  ],
  'rule-opens-plugin': [
    [
      'auth.apiGate.allow[0] (GET /api/a/**)',
      allow(rule('a', '/**')),
      allow(rule('a', '/x/**')),
    ],
  ],
  'scripts-act-as-user': [
    [
      'auth.apiGate.cookie.trustedPaths[0] (/api/a/**)',
      trusting('/**'),
      trusting('/x/**'),
    ],
  ],
  'token-ends-soon': [
    [
      'auth.apiGate.tokens[0] (ci)',
      limiting({ until: '2026-12-02' }),
      limiting({ until: '2026-12-03' }),
    ],
    [
      'auth.apiGate.tokens[0] (ci)',
      limiting({ until: '2026-11-25T12:00:01Z' }),
      limiting({ until: '2026-11-25T12:00:00Z' }),
    ],
  ],
  'token-leaves-house': [
    ['proxy.endpoints./sonar', proxyOf({ ws: true }), proxyOf({ ws: false })],
    [
      'proxy./sonar',
      { proxy: { '/sonar': { target: 'http://a', ws: 'true' } } },
      { proxy: { sonar: { target: 'http://a', ws: 'true' } } },
    ],
    [
      'proxy.endpoints.sonar',
      { proxy: { endpoints: { sonar: { target: 'http://a', ws: true } } } },
      { proxy: { endpoints: { sonar: { target: 'http://a' } } } },
    ],
    ...[{}, { credentials: 'require', allowedHeaders: ['AUTHORIZATION'] }].map(
      (endpoint): Row => [
        'proxy.endpoints./sonar',
        proxyOf({ credentials: 'forward', ...endpoint }),
        proxyOf({
          credentials: 'forward',
          ...endpoint,
          headers: { Authorization: 'Bearer own' },
        }),
      ],
    ),
    // Other paths of the endpoint, and upgrades at any path, still send the token.
    ...[
      foreignSonar(forwarding, '/sonar'),
      foreignSonar(forwarding, '/sonar/api/**'),
      foreignSonar(forwarding, '/sonarqube/**'),
      foreignSonar({ ...forwarding, ws: true }),
    ].map((config): Row => [
      'proxy.endpoints./sonar',
      config,
      foreignSonar(forwarding),
    ]),
    [
      'proxy.endpoints./sonar',
      proxyOf({ allowedHeaders: ['Authorization'] }),
      proxyOf({ allowedHeaders: ['X-Authorization', 'Authorization-Info'] }),
    ],
  ],
  'unrestricted-external-token': [
    [
      'backend.auth.externalAccess[0] (https://keys.example.com/a)',
      external({
        type: 'jwks',
        options: { url: 'https://user:password@keys.example.com/a?key=b' },
        accessRestrictions: [],
      }),
      external({ type: 'jwks', options: { url: 'https://a' } }),
    ],
    [
      'backend.auth.keys[0]',
      { backend: { auth: { keys: [{ secret: 's' }] } } },
      {
        backend: {
          auth: {
            keys: [{ secret: 's', accessRestrictions: [{ plugin: 'a' }] }],
          },
        },
      },
    ],
  ],
};
const rows = (Object.entries(rowsOf) as [FindingId, Row[]][]).flatMap(
  ([id, each]) => each.map(row => [id, row[0], row] as const),
);

function reader(data: JsonObject) {
  return new ConfigReader(
    merge({ backend: { baseUrl: 'http://localhost:7007' } }, data),
  );
}

describe('[P34] findFindings', () => {
  it.each(rows)(
    'finds %s, at %s, and not in the nearest configuration without it',
    (id, at, [, has, hasNot, facts, factsNot]) => {
      const found = (layers: Row[1], others?: Facts) =>
        find(layers, others).filter(each => each.id === id);
      expect(found(has, facts)).toEqual([
        {
          id,
          severity: expect.stringMatching(/^(high|low)$/),
          at,
          why: expect.stringMatching(/^[a-z][^\n]+[^.\n]$/),
          write: expect.stringMatching(/^[a-z][^\n]+[^.\n]$/),
          page: expect.stringMatching(/^docs\/[\w/-]+\.md#[\w-]+$/),
        },
      ]);
      expect(found(hasNot, factsNot ?? { isLegacy: facts?.isLegacy })).toEqual(
        [],
      );
    },
  );

  it.each<[string, JsonObject, string]>([
    [
      'the settings for the secrets of several webhooks',
      events(['gitlab', 'github']),
      'set events.modules.gitlab.webhookSecret and events.modules.github.webhookSecret to',
    ],
    [
      'what to do where no setting has the secret of one of them',
      events(['gitlab', 'own']),
      'verify the sender in a module of the events plugin',
    ],
    [
      'each credential of an endpoint',
      openProxy({ auth: 'user:password', headers: { 'X-Key': 'k' } }),
      'for its target (headers.X-Key, auth)',
    ],
    [
      'when report-only ends, and what shows what stops then',
      gate({ mode: 'report-only', until: onDay(2) }),
      `ends report-only at ${onDay(2)}: GET …/policy of the running backend`,
    ],
  ])('names %s', (_, layers, text) => {
    const found = find(layers).map(formatFinding);
    expect(found.join('\n')).toContain(text);
  });

  it('has a row for each id', () => {
    expect(Object.keys(rowsOf)).toEqual([...FINDING_IDS]);
    expect(Object.values(rowsOf)).not.toContainEqual([]);
  });

  it('ignores settings of a wrong type', () => {
    const wrong = [
      ...[null, false, 7, 'text', ['text', 7, null], [[]], { a: [1] }],
      ['true'],
    ];
    const keys = [
      ...['auth.providers', 'auth.providers.guest', 'auth.providers.github'],
      'auth.providers.github.production.signIn.resolvers',
      'auth.experimentalRefreshToken',
      'auth.experimentalRefreshToken.enabled',
      ...['backend.auth.dangerouslyDisableDefaultAuthPolicy', 'backend.auth'],
      ...['backend.auth.externalAccess', 'backend.auth.keys', 'backend.cors'],
      ...['events', 'events.http.topics', 'events.modules', 'integrations'],
      ...['integrations.github', 'permission', 'proxy', 'proxy.endpoints'],
    ];
    for (const key of keys) {
      for (const value of wrong) {
        const nested = key
          .split('.')
          .reduceRight<unknown>((inner, part) => ({ [part]: inner }), value);
        const settings = { gate: readApiGateConfig(reader({})) };
        const config = new ConfigReader(nested as JsonObject);
        const found = find({}, { config, ...settings }).map(({ id }) => id);
        expect(found).toEqual([]);
      }
    }
  });

  it('[P35] has no value of a secret', () => {
    const secret = 'MARKED-secret';
    const found = [
      ...rows.flatMap(([, , [, has, , facts]]) => find(has, facts)),
      ...find({
        auth: {
          providers: {
            ...signIn('github', stranger, { clientSecret: secret }).auth
              .providers,
          },
          ...openProxy({}).auth,
        },
        backend: {
          baseUrl: 'https://a.example.com',
          auth: {
            keys: [{ secret }],
            externalAccess: [
              { type: 'static', options: { token: secret, subject: 'a' } },
              { type: 'legacy', options: { secret, subject: 'b' } },
              {
                type: 'jwks',
                options: {
                  url: `https://u:${secret}@a/b?c=${secret}#${secret}`,
                },
              },
              { type: 'own', options: { token: secret } },
            ],
          },
        },
        events: {
          http: { topics: ['a'] },
          modules: { b: { webhookSecret: secret } },
        },
        proxy: {
          endpoints: {
            '/sonar': {
              target: `https://user:${secret}@a/?key=${secret}`,
              auth: `user:${secret}`,
              headers: { Authorization: `Bearer ${secret}`, 'X-Key': secret },
              ws: true,
            },
          },
        },
      }),
    ];
    expect(found.length).toBeGreaterThan(rows.length);
    expect(found.map(({ id }) => id)).toEqual(
      expect.arrayContaining([
        'open-proxy-with-secret',
        'unrestricted-external-token',
      ]),
    );
    const text = JSON.stringify(found) + found.map(formatFinding).join('\n');
    expect(text).not.toMatch(/MARKED|password/);
  });
});

it.each(taken.map(row => [nameOf(row), row] as const))(
  'finds what is doubtful in the rules %s',
  (_, row) => {
    const rules = allowOf(row) as JsonObject[] | null;
    const found = find(gate({ allow: rules }), {
      installed: without(map(rules, 'plugin') as string[], 'nosuchplugin'),
    }).filter(({ id }) => id !== 'rule-changes-data');
    // Findings are about what a rule opens: they leave out repetitions, and `/`, which opens only the root.
    const isExpected =
      row.expect === 'warn' && !/^(Duplicate|Exact root)/.test(row.why);
    expect(found).toHaveLength(isExpected ? 1 : 0);
  },
);

it('is one line, whatever a value of the configuration has', () => {
  const found = find({
    ...external({ accessRestrictions: [], options: { subject: 'a\nb\u001b' } }),
    ...gate({
      findings: {
        accept: [
          {
            id: 'unrestricted-external-token',
            at: 'backend.auth.externalAccess[0] (a\nb\u001b)',
            reason: 'c\r\nd',
          },
        ],
      },
    }),
  });
  expect(found.map(formatFinding)).toEqual([
    expect.stringMatching(
      /^backend\.auth\.externalAccess\[0\] \(a b \): .*, accepted \(c d\)$/,
    ),
    expect.stringMatching(/^auth\.apiGate\.tokens: is not set, /),
  ]);
});

describe('[P34] a generated app', () => {
  const template = (name: string) =>
    parse(
      readFileSync(
        path.join(__dirname, '../../__tests__/__testUtils__/createApp', name),
        'utf8',
      ),
    );
  const base = template('app-config.yaml');
  const production = template('app-config.production.yaml');
  const onHttps = { baseUrl: 'https://backstage.example.com' };

  it.each<[string, JsonObject[], FindingId[]]>([
    ['in development', [base], []],
    ['in production', [base, production], []],
    [
      'in production with https',
      [base, production, { app: onHttps, backend: onHttps }],
      [],
    ],
    [
      'with OAuth clients, as September has it',
      [base, { auth: { clientIdMetadataDocuments: { enabled: true } } }],
      [],
    ],
  ])('%s has no finding', (_, layers, expected) => {
    const found = find(layers);
    expect(found.map(({ id }) => id)).toEqual(expected);
  });
});

it.each([
  [
    rule('events', '/http/**', 'POST'),
    'set events.modules.github.webhookSecret and events.modules.gitlab.webhookSecret to the secret of the sender, or remove the rule',
  ],
  [
    rule('absent', '/x'),
    'correct the id, or accept this finding if it is right, as for a plugin of another backend',
  ],
])('for the rule %j, write: %s', (opening, write) => {
  const topics = ['github', 'gitlab'];
  const settings = [
    allow(opening),
    opening.path === '/http/**' ? { events: { http: { topics } } } : {},
  ];
  const found = find(settings, { installed: ['events'] });
  expect(found.map(each => each.write)).toContain(write);
});

describe('[P34] auth.apiGate.findings.accept', () => {
  const rules = [rule('a', '/**'), rule('b', '/**')];
  const at = 'auth.apiGate.allow[0] (GET /api/a/**)';
  const accepted = (entry: JsonObject, ...allowed: JsonObject[]) =>
    find(
      gate({
        allow: allowed.length ? allowed : rules,
        findings: {
          accept: [{ id: 'rule-opens-plugin', at, reason: 'demo', ...entry }],
        },
      }),
    ).map(finding => [finding.at.match(/api\/\w/)![0], finding.accepted]);

  it('marks one finding as accepted', () => {
    expect(accepted({})).toEqual([
      ['api/a', { reason: 'demo' }],
      ['api/b', undefined],
    ]);
  });

  it('is taken from the first entry for a finding', () => {
    const entries = [{ reason: 'first' }, { reason: 'second' }];
    const accept = entries.map(entry => ({
      ...{ id: 'rule-opens-plugin', at },
      ...entry,
    }));
    const [found] = find(gate({ allow: rules, findings: { accept } }));
    expect(found.accepted).toEqual({ reason: 'first' });
  });

  it('is a part of the line', () => {
    const accept = [{ id: 'rule-opens-plugin', at, reason: 'demo' }];
    const found = find(gate({ allow: rules, findings: { accept } }));
    expect(found.map(formatFinding)).toEqual([
      expect.stringMatching(/ \[rule-opens-plugin\], accepted \(demo\)$/),
      expect.stringMatching(/ \[rule-opens-plugin\]$/),
    ]);
  });

  it('follows a rule whose index has changed, and accepts no other in its place', () => {
    const former = at.replace('[0]', '[10]');
    expect(accepted({ at: former })[0]).toEqual(['api/a', { reason: 'demo' }]);
    expect(accepted({}, rules[1], rules[0])).toEqual([
      ['api/b', undefined],
      ['api/a', { reason: 'demo' }],
    ]);
  });

  it('accepts no other entry whose content is not known', () => {
    const keys = [{ secret: 'a' }, { secret: 'b' }];
    const accept = [
      {
        id: 'unrestricted-external-token',
        at: 'backend.auth.keys[0]',
        reason: 'old',
      },
    ];
    const found = find({
      backend: { auth: { keys } },
      ...gate({ findings: { accept } }),
    });
    expect(found.map(finding => finding.accepted)).toEqual([
      { reason: 'old' },
      undefined,
    ]);
  });

  it('accepts no other subject that ends with a number in brackets', () => {
    const externalAccess = ['a[1]', 'a[2]'].map(subject => ({
      type: 'legacy',
      options: { secret: 's', subject },
    }));
    const accept = [
      {
        id: 'unrestricted-external-token',
        at: 'backend.auth.externalAccess[7] (a[2])',
        reason: 'old',
      },
    ];
    const found = find({
      backend: { auth: { externalAccess } },
      ...gate({ findings: { accept } }),
    });
    expect(found.map(finding => finding.accepted)).toEqual([
      undefined,
      { reason: 'old' },
    ]);
  });

  it('accepts no finding of another id', () => {
    expect(accepted({ id: 'rule-changes-data' })[0][1]).toBeUndefined();
  });
});
