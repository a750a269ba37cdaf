import type { AllowRule } from '../config/AllowRule';
import { emptyUse, keyOf, Use, Used } from '../usage/Use';
import type { KnownUse, Usage } from '../usage/Usage';
import { countUnusedRules, describeUsage, formatUsage } from './describeUsage';

const DAY_MS = 24 * 60 * 60 * 1000;
const today = Math.floor(Date.now() / DAY_MS);

/** Describes what a record with these uses would say, with 97 days of observation unless a use has others. */
function describeUses(options: {
  rules?: AllowRule[];
  uses?: Record<string, Partial<KnownUse>>;
  tokens?: Usage['tokens'];
  isComplete?: boolean;
  isShared?: boolean;
}) {
  const { rules = [], uses = {}, tokens = [] } = options;
  const { isComplete = true, isShared = true } = options;
  const usage = {
    isOn: true,
    isComplete,
    isShared,
    since: new Date('2026-08-20T10:00:00Z'),
    tokens,
    of: (used: Used) => ({
      ...emptyUse(),
      observedMs: 97.9 * DAY_MS,
      ...uses[keyOf(used)],
    }),
  };
  return describeUsage(usage as unknown as Usage, rules, {
    isInstalled: id => id !== 'absent',
  })!;
}

const rule: AllowRule = {
  plugin: 'hello',
  path: '/a/**',
  methods: ['GET', 'POST'],
};
const use = (daysAgo: number, requests: number): Partial<Use> => ({
  lastUsed: Date.now() - daysAgo * DAY_MS,
  days: { [today - daysAgo]: [requests, requests - 1] },
});

describe('describeUsage', () => {
  it('adds up the methods of a rule, and has the time in which all of them were observed', () => {
    const { rules } = describeUses({
      rules: [rule],
      uses: {
        'rule GET hello/a/**': use(3, 10),
        'rule POST hello/a/**': { ...use(2, 5), observedMs: 4.5 * DAY_MS },
      },
    });
    expect(rules).toEqual([
      {
        rule: 'auth.apiGate.allow[0]',
        ...rule,
        lastUsed: new Date(Date.now() - 2 * DAY_MS).toISOString().slice(0, 10),
        days: 4,
        requests30d: 15,
        withoutCredential30d: 13,
        installed: true,
      },
    ]);
  });

  it('proposes restrictions only for a token of its own that has none and has called plugins', () => {
    const plugins = { catalog: today, auth: today };
    const tokens = [
      { subject: 'ci', isRestricted: false },
      { subject: 'restricted', isRestricted: true },
      { subject: 'quiet', isRestricted: false },
      { subject: 'external:jwks' },
    ];
    const { externalTokens } = describeUses({
      tokens,
      uses: {
        'token ci': { plugins },
        'token restricted': { plugins },
        'token external:jwks': { plugins },
      },
    });
    expect(externalTokens.map(({ yaml, days }) => [yaml, days])).toEqual([
      ['accessRestrictions:\n  - plugin: auth\n  - plugin: catalog', 97],
      [undefined, 97],
      [undefined, 97],
      [undefined, undefined],
    ]);
  });
});

describe('countUnusedRules', () => {
  it.each<[string, number | undefined, Parameters<typeof describeUses>[0]]>([
    ['one that was never used', 1, { rules: [rule] }],
    [
      'none if one was used',
      0,
      { rules: [rule], uses: { 'rule GET hello/a/**': use(29, 1) } },
    ],
    [
      'none that was observed for less than 30 days',
      0,
      {
        rules: [rule],
        uses: { 'rule GET hello/a/**': { observedMs: 29.9 * DAY_MS } },
      },
    ],
    [
      'none of a plugin of another backend',
      0,
      { rules: [{ ...rule, plugin: 'absent' }] },
    ],
    [
      'nothing where the record is not complete',
      undefined,
      { rules: [rule], isComplete: false },
    ],
  ])('counts %s', (_, expected, options) => {
    expect(countUnusedRules(describeUses(options))).toBe(expected);
  });
});

describe('formatUsage', () => {
  it('has one line for each rule and token without a request in 30 days, once it was observed for a day', () => {
    const report = describeUses({
      rules: [
        { ...rule, reason: 'a quarterly report' },
        { ...rule, path: '/new' },
        { ...rule, path: '/long-ago' },
        { ...rule, plugin: 'absent' },
      ],
      uses: {
        'rule GET hello/new': { observedMs: 0.9 * DAY_MS },
        'rule GET hello/long-ago': { lastUsed: Date.parse('2026-01-02') },
      },
      tokens: [{ subject: 'ci', isRestricted: false }, { subject: 'jwks' }],
    });
    expect(formatUsage(report)).toEqual([
      'auth.apiGate.allow[0] (GET,POST /api/hello/a/**) was not used in 97 days of observation  (a quarterly report)',
      'auth.apiGate.allow[2] (GET,POST /api/hello/long-ago) was last used on 2026-01-02',
      'the external token of ci was not used in 97 days of observation',
    ]);
  });

  it.each([
    [true, /^the record since 2026-08-20T10:00:00.000Z is not complete/],
    [false, /^without the auth plugin in this backend, each process counts/],
  ])(
    'has a line if the record is not complete (shared: %s)',
    (isShared, line) => {
      const report = describeUses({ isComplete: false, isShared });
      expect(formatUsage(report)).toEqual([expect.stringMatching(line)]);
    },
  );
});
