import { createPolicy } from '../__testUtils__/createPolicy';
import { classifyRoute } from '../policy/classifyRoute';
import { findCandidateChange } from './CandidateCounts';

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
    expect(
      findCandidateChange({ ...request, policy }, 'hello'),
    ).toBeUndefined();
  });
});
