import { ConfigReader } from '@backstage/config';
import { createPolicy } from '../../__tests__/__testUtils__/createPolicy';
import {
  describeReportOnly,
  formatWorked,
  nameStopping,
} from './describeReportOnly';
import type { RefusalCount } from './RefusalCounts';

const since = '2026-11-01T08:00:00.000Z';
const firstSeen = '2026-11-02T08:00:00.000Z';
const lastSeen = '2026-11-04T09:00:00.000Z';
const DAYS = 'from 2026-11-02 to 2026-11-04';

const get = (
  plugin: string,
  path?: string,
  change: Partial<RefusalCount> = {},
): RefusalCount => ({
  ...{ plugin, method: 'GET', path, outcome: 'would-refuse' },
  ...{ reason: 'missing-credentials', answer: 'worked', status: 200 },
  ...{ requests: 1, firstSeen, lastSeen, lastId: 'f' },
  ...change,
});

/** Describes counts, where two rules are in force. */
function describeCounts(
  counts: RefusalCount[],
  isDefaultPolicyDisabled = false,
) {
  return describeReportOnly({
    counts,
    since,
    policy: createPolicy({
      mode: 'report-only',
      allow: ['/open', '/open/*'].map(each => ({
        ...{ plugin: 'hello', path: each, methods: ['GET'] },
      })),
      closed: ['search'],
    }),
    config: new ConfigReader({
      backend: {
        auth: { dangerouslyDisableDefaultAuthPolicy: isDefaultPolicyDisabled },
      },
    }),
  })!;
}

describe('what worked in report-only', () => {
  it('has a rule, or a reason for none, for all that no rule opens', () => {
    const report = describeCounts([
      get('hello', '/many', { requests: 9 }),
      get('search', '/closed', { requests: 5 }),
      get('proxy', '/a', { requests: 4 }),
      get('not installed', undefined, { requests: 3, lastSeen: firstSeen }),
      get('hello', '/few'),
      get('hello', '/ids/*'),
      get('hello', '/open'),
      get('hello', '/open/*'),
      get('hello', '/refused', { answer: 'refused', status: 401 }),
      get('hello', '/enforced', { answer: undefined, outcome: 'refused' }),
    ]);
    expect(report.since).toBe(since);
    expect(report.note).toBeUndefined();
    expect(report.worked).toEqual([
      {
        ...{ plugin: 'hello', method: 'GET', path: '/many', status: 200 },
        ...{ requests: 9, firstSeen, lastSeen },
        yaml: `# - { plugin: hello, path: '/many', methods: [GET] }  # 9 requests ${DAYS}, answered 200`,
      },
      expect.objectContaining({ path: '/closed', isKeptClosed: true }),
      expect.objectContaining({ plugin: 'proxy' }),
      expect.objectContaining({ plugin: 'not installed' }),
      expect.objectContaining({ path: '/few' }),
      expect.objectContaining({ path: '/ids/*' }),
    ]);
    expect(report.worked.map(formatWorked)).toEqual([
      report.worked[0].yaml,
      `GET /api/search/closed: 5 requests ${DAYS}, answered 200; auth.apiGate.closed has its plugin`,
      `GET /api/proxy/a: 4 requests ${DAYS}, answered 200; ${report.worked[2].why}`,
      'GET not installed: 3 requests on 2026-11-02, answered 200; no rule is proposed, since no rule can name the path, or its plugin has too many: see docs/allow-rules.md',
      report.worked[4].yaml,
      `GET /api/hello/ids/*: 1 request ${DAYS}, answered 200; ${report.worked[5].why}`,
    ]);
    expect(report.worked[5].why).toContain('write the rule by hand');
  });

  it('[P110] names what stops working, or says that nothing does', () => {
    const stopping = (...counts: RefusalCount[]) =>
      nameStopping(describeCounts(counts));
    expect(
      stopping(
        get('hello', '/few'),
        get('search', '/closed'),
        get('hello', '/reset/*'),
        get('not installed'),
      ),
    ).toBe(
      'the gate refuses GET /api/hello/few, GET /api/hello/reset/*, GET not installed from then on',
    );
    expect(stopping(get('search', '/closed'))).toBe(
      `nothing that worked at this replica since ${since} stops then`,
    );
  });

  it('has no rules where every route works without a credential', () => {
    const report = describeCounts([get('hello', '/x')], true);
    expect(report.note).toBe(
      'no rules are proposed while backend.auth.dangerouslyDisableDefaultAuthPolicy is set, since every route works without a credential',
    );
    expect(report.worked.map(formatWorked)).toEqual([
      `GET /api/hello/x: 1 request ${DAYS}, answered 200`,
    ]);
  });

  it('[P110] names whose credentials would be refused, also of plugins that are kept closed, and five of them at most', () => {
    const presenting = (change: Partial<RefusalCount>) =>
      get('search', undefined, { status: undefined, ...change });
    const ofToken = (i: number) =>
      presenting({ reason: 'restricted', detail: 'only', subject: `ci-${i}` });
    const report = describeCounts([
      presenting({}),
      presenting({ reason: 'revoked' }),
      ...[1, 2, 3, 4, 5, 6].map(ofToken),
    ]);
    const whys = [
      'a credential would be refused (revoked)',
      ...[1, 2, 3, 4, 5, 6].map(
        i => `a token of ci-${i} would be refused (restricted, only)`,
      ),
    ];
    expect(report.worked.map(({ why }) => why)).toEqual([undefined, ...whys]);
    expect(report.worked.slice(0, 3).map(formatWorked)).toEqual([
      expect.stringContaining('auth.apiGate.closed has its plugin'),
      `GET /api/search/…: 1 request ${DAYS}; ${whys[0]}`,
      `GET /api/search/…: 1 request ${DAYS}; ${whys[1]}`,
    ]);
    expect(nameStopping(report)).toBe(
      `the gate refuses GET /api/search/…, ${[1, 2, 3, 4].map(i => `GET /api/search/… with a token of ci-${i}`).join(', ')}, 2 more from then on`,
    );
    const revoked = get('hello', '/open', { reason: 'revoked' });
    expect(describeCounts([revoked]).worked[0].why).toBe(whys[0]);
    // Without barriers behind the gate, no rule is proposed.
    expect(describeCounts([revoked], true).worked[0].why).toBe(whys[0]);
  });

  it('is not described once the gate enforces', () => {
    expect(
      describeReportOnly({
        counts: [get('hello', '/x')],
        since,
        policy: createPolicy({}),
        config: new ConfigReader({}),
      }),
    ).toBeUndefined();
  });
});
