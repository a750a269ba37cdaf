import { createPolicy } from '../__testUtils__/createPolicy';
import { classifyRoute } from '../policy/classifyRoute';
import type { ApiGateConfig } from '../config/readApiGateConfig';
import type { Decision } from '../decision/Decision';
import type { PolicySource, ReloadOutcome } from '../policy/PolicySource';
import {
  CandidateCounts,
  findCandidateChange,
  formatCandidate,
} from './CandidateCounts';

const COOKIE_ENDPOINT = '/.backstage/auth/v1/cookie';
const KEYS = '/.backstage/auth/v1/jwks.json';

const rule = (path: string, methods = ['GET'], plugin = 'hello') => ({
  plugin,
  path,
  methods,
});
const [open, both, added] = ['/open', '/both', '/new/**'].map(path =>
  rule(path),
);
const socket = rule('/ws', ['WEBSOCKET']);
const anywhere = rule('/**', ['GET', 'POST', 'DELETE']);

/** Returns the difference that a candidate makes for a request, whose plugin is `hello` unless another one is named. */
function changeOf(
  method: string,
  path: string | undefined,
  candidate: { allow: (typeof open)[] } | undefined,
  plugin = 'hello',
) {
  const policy = createPolicy({
    allow: [open, both, socket],
    candidate: candidate as never,
  });
  const isInstalled = plugin === 'hello';
  const route = classifyRoute({ plugin, method, path, isInstalled }, policy);
  const request = { method, path, isInstalled, policy, route };
  return findCandidateChange({ ...request, reportedPath: path }, plugin);
}

describe('findCandidateChange', () => {
  it.each([
    ['GET', '/open', [added], { change: 'would-close', rule: open }],
    ['GET', '/both', [both], undefined],
    ['GET', '/new/x', [added], { change: 'would-open', rule: added }],
    ['HEAD', '/new/x', [added], { change: 'would-open', rule: added }],
    ['POST', '/new/x', [added], undefined],
    ['GET', '/other', [added], undefined],
    ['WEBSOCKET', '/ws', [], { change: 'would-close', rule: socket }],
    ['WEBSOCKET', '/ws', [socket], undefined],
    // No rule opens a path that routers read in different ways, whether or not it can be told.
    ['GET', '/new//x', [added], undefined],
    ['GET', undefined, [added], undefined],
    // The candidate does not change a route that is public without a rule.
    ['DELETE', COOKIE_ENDPOINT, [anywhere], undefined],
    ['GET', KEYS, [anywhere], undefined],
  ])('of %s %s by %j is %j', (method, path, allow, expected) => {
    expect(changeOf(method, path, { allow })).toEqual(expected);
  });

  it('is of the plugin that a rule names', () => {
    const candidate = { allow: [rule('/x', ['GET'], 'absent')] };
    expect(changeOf('GET', '/x', candidate, 'absent')).toMatchObject({
      change: 'would-open',
    });
    expect(changeOf('GET', '/x', candidate)).toBeUndefined();
  });

  it('is none without a candidate, and for a request that was refused behind the gate', () => {
    expect(changeOf('GET', '/open', undefined)).toBeUndefined();
    const policy = createPolicy({ candidate: { allow: [added] } as never });
    const request = { method: 'GET', reportedPath: '/new/x', path: '/new/x' };
    expect(findCandidateChange(request, 'hello')).toBeUndefined();
    expect(
      findCandidateChange({ ...request, policy }, 'hello'),
    ).toBeUndefined();
  });
});

describe('CandidateCounts', () => {
  const anonymous = { isAnonymous: true } as Decision;
  const refused = { reason: 'missing-credentials' } as Decision;
  const known = { isAnonymous: false } as Decision;
  const closes = { change: 'would-close', rule: both } as const;
  const opens = { change: 'would-open', rule: added } as const;

  beforeEach(() => {
    jest.useFakeTimers({ now: new Date('2026-11-28T09:00:00Z') });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** Creates counts for a policy with a candidate, and a function that reloads the policy. */
  function create(settings: Partial<ApiGateConfig> = {}) {
    const config = {
      allow: [open, both],
      candidate: { allow: [added] },
      ...settings,
    };
    let reload!: (outcome: ReloadOutcome) => void;
    const counts = new CandidateCounts({
      current: { config },
      onReload: (callback: typeof reload) => {
        reload = callback;
      },
    } as unknown as PolicySource);
    const request = (path: string, method = 'GET') => {
      return { plugin: 'hello', method, path };
    };
    return { counts, reload, request };
  }

  it('has similar requests by rule, those without a credential apart', () => {
    const { counts, request } = create();
    counts.add(closes, anonymous, request('/both'));
    counts.add(closes, known, request('/both'));
    counts.add(opens, refused, request('/new/x'));
    counts.add(opens, anonymous, request('/new/y'));
    counts.add(opens, known, request('/new/y'));
    counts.add({ ...opens, rule: socket }, known, request('/new/y'));
    const report = counts.describe()!;
    const group = { plugin: 'hello', method: 'GET' };
    expect(report).toEqual({
      since: '2026-11-28T09:00:00.000Z',
      wouldClose: [
        {
          ...{ ...group, segment: 'both', rule: 'auth.apiGate.allow[1]' },
          ...{ requests: 2, withoutCredential: 1 },
        },
      ],
      wouldOpen: [
        {
          ...group,
          ...{ segment: 'new', rule: 'auth.apiGate.candidate.allow[0]' },
          ...{ requests: 3, withoutCredential: 2 },
        },
        // The rule of a policy that is not in force any more.
        {
          ...{ ...group, segment: 'new', rule: '/api/hello/ws' },
          ...{ requests: 1, withoutCredential: 0 },
        },
      ],
      uncounted: 0,
    });
    expect(formatCandidate(report)).toBe(
      'would close the routes of 2 requests and open those of 4, since 2026-11-28T09:00:00.000Z',
    );
  });

  it('begins anew with a changed policy, and not with one that is wrong', () => {
    const { counts, reload, request } = create();
    counts.add(closes, known, request('/both'));
    jest.setSystemTime(new Date('2026-11-28T10:00:00Z'));
    reload({ problem: 'wrong' });
    expect(counts.describe()).toMatchObject({
      since: '2026-11-28T09:00:00.000Z',
      wouldClose: [{ requests: 1 }],
    });
    reload({ policy: {} as never });
    expect(counts.describe()).toMatchObject({
      since: '2026-11-28T10:00:00.000Z',
      wouldClose: [],
    });
  });

  it('has the number of requests beyond 500 groups', () => {
    const { counts, request } = create();
    for (let i = 0; i < 503; i += 1) {
      counts.add(closes, known, request(`/x${i}`));
    }
    expect(counts.describe()).toMatchObject({ uncounted: 3 });
  });

  it('has why a candidate is not judged, and nothing without one', () => {
    const problem = 'auth.apiGate.candidate.allow must be a list';
    const report = create({ candidate: { problem } }).counts.describe()!;
    expect(formatCandidate(report)).toBe(`not judged: ${problem}`);
    expect(create({ candidate: undefined }).counts.describe()).toBe(undefined);
  });
});
