import type { Expectation } from '../config/readExpectations';
import { createPolicy } from '../__testUtils__/createPolicy';
import type { Usage } from '../usage/Usage';
import { keyOf, REPORT_ONLY, Use, usedWorked } from '../usage/Use';
import { describeReportOnly } from './describeReportOnly';

const TODAY = 20_000;

/** Describes a record with requests that worked on a day, after some days in report-only. */
function describeAfter(options: {
  /** The days in report-only, of the last seven. */
  days?: number;
  workedOn?: number;
  expect?: Expectation[];
  usage?: Partial<Usage>;
}) {
  const { days = 7, workedOn } = options;
  const count = { requests: 0, anonymous: 0, firstDay: TODAY, lastUsed: null };
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
    isDefaultPolicyDisabled: false,
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
