import { ConfigReader } from '@backstage/config';
import type { Expectation } from '../../settings/read/readExpectations';
import { createPolicy } from '../../__tests__/__testUtils__/createPolicy';
import type { Usage } from '../../store/usage/Usage';
import {
  formatDay,
  keyOf,
  REPORT_ONLY,
  Use,
  usedBy,
  usedWorked,
  WorkedRequest,
} from '../../store/usage/Use';
import {
  describeReportOnly,
  describeRequests,
  formatWorked,
  nameStopping,
} from './describeReportOnly';
import { Refusals, ReportedRefusal } from './Refusals';

const TODAY = 20_000;

/** A backend with Backstage's default policy, whose process has seen no request. */
const usual = { config: new ConfigReader({}), refusals: new Refusals() };

/** Describes a record with requests that worked on a day, after some days in report-only. */
function describeAfter(options: {
  /** The days in report-only, of the last seven. */
  days?: number;
  workedOn?: number;
  expect?: Expectation[];
  usage?: Partial<Usage>;
}) {
  const { days = 7, workedOn } = options;
  const count = {
    ...{ requests: 0, anonymous: 0 },
    ...{ firstDay: TODAY, lastDay: TODAY, lastUsed: null },
  };
  const observed = { days: 20, recentDays: days };
  const uses: Use[] = [{ ...REPORT_ONLY, ...count, ...observed }];
  if (workedOn !== undefined) {
    const used = usedWorked({ plugin: 'hello', method: 'GET' });
    const lastUsed = TODAY + workedOn;
    uses.push({ ...used, ...count, ...observed, requests: 3, lastUsed });
  }
  const { enforce, because } = describeReportOnly({
    usage: {
      isOn: true,
      isShared: true,
      isComplete: true,
      day: TODAY,
      read: () => new Map(uses.map(use => [keyOf(use), use])),
      ...options.usage,
    } as Usage,
    policy: createPolicy({
      mode: 'report-only',
      expect: options.expect ?? [],
    }),
    ...usual,
  })!;
  return `${enforce}: ${because}`;
}

describe('whether the gate may enforce', () => {
  it.each<[string, Parameters<typeof describeAfter>[0], RegExp]>([
    ['after seven days without', {}, /^now: nothing that worked/],
    ['after six days', { days: 6 }, /^not yet: .* on 6 of the 7 days before/],
    ['long after many days', { days: 0 }, /^not yet: .* on 0 of the 7 days/],
    ['seven days after one', { workedOn: -7 }, /^not yet: .*, at hello$/],
    ['eight days after one', { workedOn: -8 }, /^now: /],
    ['without a table', { usage: { isShared: false } }, /^not known: .*stored/],
    [
      'while the database is down',
      { usage: { isComplete: false } },
      /^not known: .*not complete/,
    ],
    [
      'while the database is down, after one today',
      { workedOn: 0, usage: { isComplete: false } },
      /^not yet: /,
    ],
    ['with usage: false', { usage: { isOn: false } }, /^not known: /],
    [
      'where the whole plugin is expected to be closed',
      {
        workedOn: 0,
        expect: [{ plugin: 'hello', is: 'closed' } as Expectation],
      },
      /^now: /,
    ],
    [
      'where another request is expected to be closed',
      {
        workedOn: 0,
        expect: [
          {
            ...{ plugin: 'hello', method: 'GET', path: '/x', is: 'closed' },
            request: 'GET /api/hello/x',
          } as Expectation,
        ],
      },
      /^not yet: /,
    ],
  ])('%s', (_, options, verdict) => {
    expect(describeAfter(options)).toMatch(verdict);
  });
});

describe('what worked in report-only', () => {
  const [first, last] = [TODAY - 3, TODAY - 1].map(formatDay);
  const get = (plugin: string, path?: string): WorkedRequest => ({
    plugin,
    method: 'GET',
    ...(path && { path, status: 200 }),
  });
  const workedOf = (
    request: WorkedRequest,
    change: Partial<Use> = {},
  ): Use => ({
    ...usedWorked(request),
    ...{ requests: 1, anonymous: 0, days: 3, recentDays: 3 },
    ...{ firstDay: TODAY - 3, lastDay: TODAY - 1, lastUsed: TODAY - 1 },
    ...change,
  });
  const old = formatDay(TODAY - 20);
  const expecting = (
    is: 'closed' | 'public',
    method: string,
    path: string,
  ): Expectation => ({
    ...{ plugin: 'hello', method, path, is },
    request: `${method} /api/hello${path}`,
  });
  const expectations = [
    expecting('closed', 'GET', '/closed'),
    expecting('closed', 'POST', '/few'),
    expecting('public', 'GET', '/few'),
    { plugin: 'other', is: 'closed' } as Expectation,
  ];

  /** Describes a record, where one rule is in force. */
  function describeUses(
    uses: Use[],
    isDefaultPolicyDisabled = false,
    refusals = usual.refusals,
  ) {
    return describeReportOnly({
      usage: {
        ...{ isOn: true, isShared: true, isComplete: true, day: TODAY },
        read: () => new Map(uses.map(use => [keyOf(use), use])),
      } as Usage,
      policy: createPolicy({
        mode: 'report-only',
        allow: [{ plugin: 'hello', path: '/open', methods: ['GET'] }],
        expect: expectations,
      }),
      refusals,
      config: new ConfigReader({
        backend: {
          auth: {
            dangerouslyDisableDefaultAuthPolicy: isDefaultPolicyDisabled,
          },
        },
      }),
    })!;
  }

  it('has a rule, or a reason for none, for all that no rule opens', () => {
    const days = { firstSeen: first, lastSeen: last };
    const report = describeUses([
      workedOf(get('hello', '/few'), { lastUsed: TODAY - 2 }),
      workedOf(get('hello', '/open')),
      workedOf(get('hello', '/none'), { requests: 0 }),
      { ...workedOf(get('hello')), ...usedBy('token', 'hello') },
      workedOf(get('hello', '/many'), { requests: 9, firstDay: TODAY - 1 }),
      workedOf(get('hello', '/closed'), { requests: 5, lastUsed: TODAY }),
      workedOf(get('proxy'), { requests: 4 }),
      workedOf(get('not installed'), {
        ...{ requests: 3, firstDay: TODAY - 20, lastUsed: TODAY - 20 },
      }),
    ]);
    const notRecorded =
      'no rule is proposed, since the path is not recorded: see docs/usage.md';
    expect(report.worked).toEqual([
      {
        ...{ plugin: 'hello', method: 'GET', path: '/many', status: 200 },
        ...{ requests: 9, firstSeen: last, lastSeen: last },
        yaml: `# - { plugin: hello, path: '/many', methods: [GET] }  # 9 requests on ${last}, answered 200`,
      },
      {
        ...{ plugin: 'hello', method: 'GET', path: '/closed', status: 200 },
        ...{ requests: 5, firstSeen: first, lastSeen: formatDay(TODAY) },
        isExpectedClosed: true,
      },
      {
        ...{ plugin: 'proxy', method: 'GET', requests: 4, ...days },
        why: expect.stringContaining('the plugin proxy'),
      },
      {
        ...{ plugin: 'not installed', method: 'GET', requests: 3 },
        ...{ firstSeen: old, lastSeen: old },
        why: notRecorded,
      },
      {
        ...{ plugin: 'hello', method: 'GET', path: '/few', status: 200 },
        ...{ requests: 1, firstSeen: first, lastSeen: formatDay(TODAY - 2) },
        yaml: `# - { plugin: hello, path: '/few', methods: [GET] }  # 1 request from ${first} to ${formatDay(TODAY - 2)}, answered 200`,
      },
    ]);
    // A path that is expected to be closed may be used for ever.
    expect(report).toMatchObject({
      enforce: 'not yet',
      because: `requests that would be refused still worked on ${last}, at hello, proxy`,
      workedLast: last,
      days: 0,
    });
    expect(report.note).toBeUndefined();
    expect(report.worked.map(formatWorked)).toEqual([
      report.worked[0].yaml,
      `GET /api/hello/closed: 5 requests from ${first} to ${formatDay(TODAY)}, answered 200; auth.apiGate.expect has it as closed`,
      `GET /api/proxy/…: 4 requests from ${first} to ${last}; ${report.worked[2].why}`,
      `GET not installed: 3 requests on ${old}; ${notRecorded}`,
      report.worked[4].yaml,
    ]);
  });

  it('[P110] names what stops working, with paths as every log shows them, or says that nothing does', () => {
    const token = 'abcdefghijABCDEFGHIJ0123456789';
    const stopping = (...uses: Use[]) => nameStopping(describeUses(uses));
    expect(
      stopping(
        workedOf(get('hello', `/reset/${token}`)),
        workedOf(get('hello', '/closed')),
        workedOf(get('hello', '/few'), { requests: 2 }),
        workedOf(get('not installed')),
      ),
    ).toBe(
      'the gate refuses GET /api/hello/few, GET /api/hello/reset/…, GET not installed from then on',
    );
    expect(stopping(workedOf(get('hello', '/closed')))).toBe(
      'report-only was observed on 0 of the 7 days before today, and all are needed',
    );
  });

  it('has the product that made the last request of each kind at this process', () => {
    const refusals = new Refusals();
    const by = (used: Use, userAgent: string | undefined) =>
      refusals.worked(used, { userAgent } as ReportedRefusal);
    const few = workedOf(get('hello', '/few'));
    const many = workedOf(get('hello', '/many'));
    by(few, 'curl/8.5.0');
    by(many, 'kube-probe/1.31');
    by(many, undefined);
    const lines = () =>
      describeUses([few, many], false, refusals).worked.map(formatWorked);
    expect(lines()).toEqual([
      expect.stringMatching(/answered 200, last by curl\/8\.5\.0$/),
      expect.stringMatching(/answered 200$/),
    ]);
    // The number of kinds is bounded, whatever clients ask for.
    for (let i = 0; i < 2_000; i += 1) {
      by(workedOf(get('hello', `/${i}`)), 'scanner/1');
    }
    expect(lines()[0]).toMatch(/answered 200$/);
  });

  it('has no rules where every route works without a credential', () => {
    const report = describeUses([workedOf(get('hello', '/x'))], true);
    expect(report.note).toBe(
      'no rules are proposed while backend.auth.dangerouslyDisableDefaultAuthPolicy is set, since every route works without a credential',
    );
    expect(report.worked.map(formatWorked)).toEqual([
      `GET /api/hello/x: 1 request from ${first} to ${last}, answered 200`,
    ]);
  });

  it('names plugins in the order of their names, and says where nothing is recorded', () => {
    const { because, worked } = describeUses([
      workedOf(get('search'), { requests: 2 }),
      workedOf(get('badges')),
    ]);
    expect(because).toMatch(/, at badges, search$/);
    expect(describeRequests({ ...worked[0], requests: 0 })).toBe(
      'no request is recorded',
    );
  });

  it('[P110] names whose credentials would be refused, which no expectation leaves out, and five of them at most', () => {
    const presenting = (reason: string, subject?: string) =>
      workedOf({ plugin: 'other', method: 'GET', reason, subject });
    const report = describeUses([
      workedOf(get('other')),
      presenting('restricted'),
      ...[1, 2, 3, 4, 5, 6].map(i => presenting('only', `ci-${i}`)),
    ]);
    const whys = [
      'a credential would be refused (restricted)',
      ...[1, 2, 3, 4, 5, 6].map(
        i => `a token of ci-${i} would be refused (only)`,
      ),
    ];
    expect(report.worked.map(({ why }) => why)).toEqual([undefined, ...whys]);
    expect(report).toMatchObject({
      enforce: 'not yet',
      because: `requests that would be refused still worked on ${last}, at other: ${whys.slice(0, 5).join(', ')}, 2 more`,
      workedLast: last,
    });
    expect(report.worked.slice(0, 3).map(formatWorked)).toEqual([
      expect.stringContaining('auth.apiGate.expect has it as closed'),
      `GET /api/other/…: 1 request from ${first} to ${last}; ${whys[0]}`,
      `GET /api/other/…: 1 request from ${first} to ${last}; ${whys[1]}`,
    ]);
    expect(nameStopping(report)).toBe(
      `the gate refuses GET /api/other/…, ${[1, 2, 3, 4].map(i => `GET /api/other/… with a token of ci-${i}`).join(', ')}, 2 more from then on`,
    );
    // Without barriers behind the gate, no rule is proposed.
    const disabled = describeUses([presenting('restricted')], true);
    expect(disabled.worked[0].why).toBe(whys[0]);
  });

  it('has the days in report-only, and no last day of nothing', () => {
    const use = { ...workedOf(get('hello')), ...REPORT_ONLY, requests: 0 };
    expect(describeUses([{ ...use, days: 20 }])).toMatchObject({
      days: 20,
      workedLast: null,
      worked: [],
    });
  });

  it('names what is expected to stop working where all else may be enforced', () => {
    const week = {
      ...workedOf(get('hello'), { requests: 0, recentDays: 7 }),
      ...REPORT_ONLY,
    };
    const closed = workedOf(get('hello', '/closed'));
    const now = (...uses: Use[]) => {
      const { because, enforce } = describeUses([week, ...uses]);
      return [enforce, because];
    };
    const because = 'nothing that worked in the last 7 days would stop working';
    expect(now()).toEqual(['now', because]);
    expect(now(closed)).toEqual([
      'now',
      `${because}, except what auth.apiGate.expect has as closed`,
    ]);
  });

  it('is not described once the gate enforces', () => {
    expect(
      describeReportOnly({
        usage: {} as Usage,
        policy: createPolicy({}),
        ...usual,
      }),
    ).toBeUndefined();
  });
});
