import { times } from 'lodash';
import type { AllowRule } from '../../gate/rules/AllowRule';
import type { ExternalToken } from '../../settings/read/readExternalTokens';
import type { TokenEntry } from '../../gate/rules/GateSettings';
import type { Usage } from '../../store/usage/Usage';
import {
  dayOf,
  keyOf,
  Use,
  Used,
  usedBy,
  usedRule,
  usedWorked,
} from '../../store/usage/Use';
import { DAY_MS } from '../../gate/util/time';
import { describeUsage, formatUsage } from './describeUsage';

const today = dayOf(Date.now());

const rule: AllowRule = {
  plugin: 'hello',
  path: '/a/**',
  methods: ['GET', 'POST'],
};

/** Makes the record of a use, by default with 30 days of observation and no request. */
const use = (used: Used, record: Partial<Use> = {}): Use => ({
  days: 30,
  recentDays: 7,
  firstDay: today - 30,
  lastDay: today,
  lastUsed: null,
  requests: 0,
  anonymous: 0,
  ...used,
  ...record,
});

const plugins = { isInstalled: (id: string) => id !== 'absent' };

interface RecordOptions {
  rules?: AllowRule[];
  uses?: Use[];
  tokens?: ExternalToken[];
  limits?: TokenEntry[];
  isComplete?: boolean;
  isShared?: boolean;
}

/** Creates a record of all rules and tokens. `uses` replaces those of its rules and tokens. */
function createUsage(options: RecordOptions): Usage {
  const { rules = [], uses = [], tokens: externalTokens = [] } = options;
  const { isComplete = true, isShared = true } = options;
  const all = [
    ...rules.flatMap(each =>
      each.methods.map(method => use(usedRule(each, method))),
    ),
    ...externalTokens.flatMap(({ subject }) => [
      use(usedBy('token', subject)),
      use(usedBy('delegation', subject)),
    ]),
    ...uses,
  ];
  const recorded = new Map(all.map(each => [keyOf(each), each]));
  const read = () => new Map(recorded);
  const usage = { isOn: true, isComplete, isShared, externalTokens, read };
  return usage as unknown as Usage;
}

function describeUses(options: RecordOptions) {
  const { limits: tokens = [], rules: allow = [] } = options;
  return describeUsage(createUsage(options), { allow, tokens }, plugins)!;
}

describe('describeUsage', () => {
  it('has the time of the record of rules and tokens, without what worked in report-only', () => {
    const worked = usedWorked({ plugin: 'hello', method: 'GET' });
    const options = {
      rules: [rule],
      tokens: [{ subject: 'ci', isRestricted: false }],
      uses: [
        use(usedRule(rule, 'GET'), { days: 3, firstDay: today - 3 }),
        use(usedRule(rule, 'POST'), { days: 3, firstDay: today - 3 }),
        use(usedBy('token', 'ci'), { days: 4, firstDay: today - 4 }),
        use(usedBy('delegation', 'ci'), { days: 2, firstDay: today - 2 }),
        use(worked, { days: 29, firstDay: today - 29 }),
      ],
    };
    const report = describeUses(options);
    expect(report).toMatchObject({
      since: new Date((today - 4) * DAY_MS).toISOString(),
      days: 4,
      complete: true,
      scope: 'all replicas',
    });
    expect(report.externalTokens.map(({ subject }) => subject)).toEqual(['ci']);
    const ofProcess = describeUses({ ...options, isShared: false });
    expect(ofProcess.scope).toBe('replica');
  });

  it('returns nothing if no use is recorded', () => {
    const usage = { isOn: false, externalTokens: [], read: () => new Map() };
    expect(
      describeUsage(
        usage as unknown as Usage,
        { allow: [rule], tokens: [] },
        plugins,
      ),
    ).toBeUndefined();
  });

  it('adds up the methods of a rule, and has the time in which all of them were observed', () => {
    const { rules } = describeUses({
      rules: [rule],
      uses: [
        use(usedRule(rule, 'GET'), {
          lastUsed: today - 3,
          requests: 10,
          anonymous: 9,
        }),
        use(usedRule(rule, 'POST'), {
          days: 4,
          lastUsed: today - 2,
          requests: 5,
          anonymous: 4,
        }),
      ],
    });
    expect(rules).toEqual([
      {
        rule: 'auth.apiGate.allow[0]',
        ...rule,
        lastUsed: new Date((today - 2) * DAY_MS).toISOString().slice(0, 10),
        days: 4,
        requests30d: 15,
        withoutCredential30d: 13,
        installed: true,
      },
    ]);
  });

  it('has no days of a rule with a method that is not in the record', () => {
    const added = { ...rule, methods: [...rule.methods, 'PUT'] };
    const { rules } = describeUses({ rules: [rule] });
    expect(rules[0].days).toBe(30);
    const usage = { isOn: true, externalTokens: [], read: () => new Map() };
    const report = describeUsage(
      usage as unknown as Usage,
      { allow: [added], tokens: [] },
      { isInstalled: () => true },
    )!;
    expect([report.rules[0].days, report.days]).toEqual([0, 0]);
  });

  it('counts a kind of use that a later release may record as no call by a handler', () => {
    const later = { kind: 'later' as 'token', name: 'ci', plugin: 'catalog' };
    const { externalTokens } = describeUses({
      tokens: [{ subject: 'ci', isRestricted: false }],
      uses: [use(later)],
    });
    expect(externalTokens).toMatchObject([{ plugins: [], delegatedTo: [] }]);
  });

  it('proposes restrictions only for a token of its own that has none and has called plugins', () => {
    const called = (subject: string) =>
      ['catalog', 'auth'].map(plugin =>
        use(usedBy('token', subject, plugin), { days: 2, requests: 3 }),
      );
    const { externalTokens } = describeUses({
      tokens: [
        { subject: 'ci', isRestricted: false },
        // Two tokens may have one subject.
        { subject: 'ci', isRestricted: true },
        { subject: 'restricted', isRestricted: true },
        { subject: 'quiet', isRestricted: false },
      ],
      uses: ['ci', 'restricted', 'external:jwks'].flatMap(called),
    });
    expect(
      externalTokens.map(({ yaml, days, requests30d }) => [
        yaml,
        days,
        requests30d,
      ]),
    ).toEqual([
      ['accessRestrictions:\n  - plugin: auth\n  - plugin: catalog', 30, 6],
      [undefined, 30, 6],
      [undefined, 30, 0],
      [undefined, undefined, 6],
    ]);
  });

  it.each<[string, string | undefined, Use[]]>([
    [
      'the plugins that were called and those that handlers called, each once',
      [
        'accessRestrictions:',
        '  - plugin: auth # handlers call it for this token',
        '  - plugin: catalog',
        '  - plugin: techdocs',
      ].join('\n'),
      [
        use(usedBy('delegation', 'ci', 'catalog')),
        use(usedBy('delegation', 'ci', 'auth')),
        use(usedBy('token', 'ci', 'catalog')),
      ],
    ],
    [
      'nothing if handlers called a plugin of another backend',
      undefined,
      [use(usedBy('delegation', 'ci', 'not installed'))],
    ],
    [
      'nothing if a handler used a copy of the credentials',
      undefined,
      [use(usedBy('delegation', 'ci', 'catalog (copied credentials)'))],
    ],
    [
      'nothing before calls of handlers were observed for seven days',
      undefined,
      [use(usedBy('delegation', 'ci'), { days: 6 })],
    ],
    [
      'the plugins after seven days',
      'accessRestrictions:\n  - plugin: techdocs',
      [use(usedBy('delegation', 'ci'), { days: 7 })],
    ],
  ])('proposes %s', (_, yaml, uses) => {
    const { externalTokens } = describeUses({
      tokens: [{ subject: 'ci', isRestricted: false }],
      uses: [use(usedBy('token', 'ci', 'techdocs'), { requests: 3 }), ...uses],
    });
    expect(externalTokens.map(token => token.yaml)).toEqual([yaml]);
  });

  const called = usedBy('call', 'ci GET /entities', 'catalog');
  const only = { only: [] } as unknown as TokenEntry;
  it.each<[string, boolean, Parameters<typeof describeUses>[0]]>([
    ['what was called, after seven days', true, {}],
    [
      'nothing before seven days',
      false,
      { uses: [use(usedBy('call', 'ci'), { days: 6 })] },
    ],
    [
      'nothing for a token that has them',
      false,
      { limits: [{ ...only, subject: 'ci' }] },
    ],
    ['nothing for a token that is not configured', false, { tokens: [] }],
  ])('proposes as limits %s', (_, isProposed, { uses = [], ...options }) => {
    const { externalTokens } = describeUses({
      tokens: [{ subject: 'ci', isRestricted: true }],
      limits: [
        { ...only, subject: 'other' },
        { subject: 'ci', only: 'all' },
      ],
      uses: [
        use(usedBy('token', 'ci')),
        use(usedBy('call', 'ci'), { days: 7 }),
        use(called, { days: 2, requests: 1 }),
        use({ ...called, name: 'ci GET /unused' }, { days: 8 }),
        use({ ...called, name: 'other GET /x' }, { requests: 1 }),
        ...uses,
      ],
      ...options,
    });
    const yaml = `# - subject: "ci"
#   only:
#     - { plugin: catalog, path: '/entities', methods: [GET] }`;
    expect(externalTokens.map(token => token.only)).toEqual([
      isProposed ? yaml : undefined,
    ]);
  });

  it('counts no calls of handlers as requests of the token', () => {
    const { externalTokens } = describeUses({
      tokens: [{ subject: 'ci', isRestricted: false }],
      uses: [
        use(usedBy('token', 'ci', 'techdocs'), {
          requests: 3,
          lastUsed: today - 5,
        }),
        use(usedBy('delegation', 'ci', 'catalog'), {
          requests: 9,
          lastUsed: today,
        }),
      ],
    });
    expect(externalTokens).toMatchObject([
      {
        requests30d: 3,
        lastUsed: new Date((today - 5) * DAY_MS).toISOString().slice(0, 10),
        plugins: ['techdocs'],
        delegatedTo: ['catalog'],
      },
    ]);
  });
});

it('[P89] the use of 1,000 rules, and of 200 tokens with 50 requests each, is described in less than 200 ms', () => {
  const rules = times(1_000, i => ({ ...rule, path: `/of/rule/${i}` }));
  const tokens = times(200, i => ({ subject: `ci-${i}`, isRestricted: false }));
  const usage = createUsage({
    rules,
    tokens,
    uses: tokens.flatMap(({ subject }) => [
      use(usedBy('call', subject)),
      use(usedBy('token', subject, 'hello'), { requests: 1 }),
      ...times(50, i =>
        use(usedBy('call', `${subject} GET /of/call/${i}`, 'hello'), {
          requests: 1,
        }),
      ),
    ]),
  });
  const describeAll = () =>
    describeUsage(usage, { allow: rules, tokens: [] }, plugins)!;
  expect(describeAll().externalTokens[199].only).toContain('/of/call/49');
  const durations = times(5, () => {
    const begin = performance.now();
    describeAll();
    return performance.now() - begin;
  });
  // The machine may do other work too.
  expect(Math.min(...durations)).toBeLessThan(200);
});

describe('formatUsage', () => {
  it('has one line for each rule and token without a request in 30 days, once it was observed for a day', () => {
    const fresh = { ...rule, path: '/new' };
    const report = describeUses({
      rules: [
        { ...rule, reason: 'a quarterly report' },
        fresh,
        { ...rule, plugin: 'absent' },
      ],
      uses: [use(usedRule(fresh, 'GET'), { days: 0 })],
      tokens: [{ subject: 'ci', isRestricted: false }],
    });
    expect(formatUsage(report)).toEqual([
      'auth.apiGate.allow[0] (GET,POST /api/hello/a/**) was not used in 30 days of observation  (a quarterly report)',
      'the external token of ci was not used in 30 days of observation',
    ]);
  });

  it('has the restrictions of a token that has none, and a day of observation', () => {
    const report = describeUses({
      rules: [rule],
      uses: [
        use(usedRule(rule, 'GET'), { days: 1 }),
        use(usedBy('token', 'ci', 'techdocs'), { requests: 3 }),
        use(usedBy('token', 'ci', 'catalog'), { requests: 3 }),
        use(usedBy('call', 'ci')),
        use(usedBy('call', 'ci GET /x', 'techdocs'), { requests: 3 }),
      ],
      tokens: [{ subject: 'ci', isRestricted: false }],
    });
    expect(report.externalTokens[0].plugins).toEqual(['catalog', 'techdocs']);
    expect(formatUsage(report)).toEqual([
      'auth.apiGate.allow[0] (GET,POST /api/hello/a/**) was not used in 1 day of observation',
      'the external token of ci has no restrictions; these allow what it and handlers for it have called:',
      '  accessRestrictions:',
      '    - plugin: catalog',
      '    - plugin: techdocs',
      'the external token of ci has no only; this entry of auth.apiGate.tokens allows what it has called:',
      '  # - subject: "ci"',
      '  #   only:',
      "  #     - { plugin: techdocs, path: '/x', methods: [GET] }",
    ]);
  });

  it.each([
    [true, /^the record since \d{4}-\d\d-\d\dT00:00:00.000Z is not complete/],
    [false, /^without the auth plugin in this backend, each process counts/],
  ])(
    'has a line if the record is not complete (shared: %s)',
    (isShared, line) => {
      const report = describeUses({ isComplete: false, isShared });
      expect(formatUsage(report)).toEqual([expect.stringMatching(line)]);
    },
  );
});
