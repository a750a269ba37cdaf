import type { AllowRule } from '../../gate/rules/AllowRule';
import { judgeAnonymous } from '../../settings/rules/explainRequest';
import { Differences } from './Differences';
import {
  limits,
  pairs,
  sample,
  signOuts,
  singles,
  twins,
  upgradesInExpress,
} from './enumerate';
import {
  follow,
  followAgain,
  followDecision,
  followFailing,
  followSame,
} from './follow';
import { judge } from './reference';
import { Judgement, Kind, PLAIN, State } from './states';

/** `npm test` has every so many states, `.ci/run` has all. */
const every = (step: number) => (process.env.PROPERTIES === 'long' ? 1 : step);

const FIVE = Array<Kind>(5).fill('text');

/** States in which the gate once decided otherwise than the table, and states that one way alone of breaking the gate shows. */
const FOUND: Record<string, Partial<State>> = {
  'report-only lets an upgrade go on whose keys fail unexpectedly': {
    door: 'upgrade',
    mode: 'report-only',
    authorization: 'text',
    userCookie: 'failing',
  },
  'a sign-out ends the session of one token where another waits for keys': {
    route: 'sign-out',
    cookie: 'user',
    authorization: 'keyless user',
  },
  'a sign-out that fails unexpectedly ends no session': {
    route: 'sign-out',
    cookie: 'user',
    authorization: 'failing',
  },
  'a protocol with less than its own rights goes to no handler': {
    door: 'upgrade',
    header: 'user',
    protocols: ['narrow external'],
  },
  'an unexpected failure comes before a refusal that another plugin would not make':
    { door: 'upgrade', protocols: ['restricted', 'failing'] },
  'an upgrade by rule goes on with a token that has expired': {
    door: 'upgrade',
    route: 'rule',
    protocols: ['expired user', 'text'],
  },
  'a refused token keeps no cookie in the request': {
    door: 'upgrade',
    mode: 'report-only',
    route: 'rule',
    authorization: 'foreign',
    userCookie: 'foreign',
  },
  'a revoked cookie of Backstage stays where another token authenticates': {
    authorization: 'user',
    userCookie: 'revoked',
  },
  'a first protocol that verifies beside a credential header does no harm': {
    door: 'upgrade',
    header: 'user',
    protocols: ['user', 'text'],
  },
  'a refusal for want of auth leaves no cookie that may be revoked': {
    plugin: 'auth down',
    mode: 'report-only',
    route: 'rule',
    authorization: 'keyless revoked',
    userCookie: 'revoked',
  },
  'an unexpected failure ends an upgrade that has another token': {
    door: 'upgrade',
    authorization: 'user',
    protocols: ['text', 'failing'],
  },
  'a cookie replaces no JWT that fails': {
    door: 'upgrade',
    cookie: 'user',
    protocols: ['text', 'forged user'],
  },
  'five tokens are not too many': {
    door: 'upgrade',
    protocols: ['text', 'text', 'text', 'text', 'user'],
  },
  'a cookie beside five protocols is not too much': {
    door: 'upgrade',
    cookie: 'user',
    protocols: FIVE,
  },
  'a bearer token beside five protocols is too much': {
    door: 'upgrade',
    authorization: 'user',
    protocols: FIVE,
  },
  'a credential header that authenticates beside five protocols is not too much':
    { door: 'upgrade', header: 'user', protocols: FIVE },
  'a credential header that may be read beside five protocols is too much': {
    door: 'upgrade',
    route: 'rule',
    header: 'user',
    protocols: FIVE,
  },
  'six protocols are too many, whatever else authenticates': {
    door: 'upgrade',
    header: 'user',
    protocols: [...FIVE, 'text'],
  },
  'the refusal of a user comes before that of another token in front of it': {
    door: 'upgrade',
    route: 'rule',
    protocols: ['narrow external', 'revoked'],
  },
  'a forged token does not hide the refusal of another': {
    door: 'upgrade',
    route: 'rule',
    protocols: ['forged user', 'revoked'],
  },
  'a sign-out of another site ends by the cookie of a session that is revoked':
    {
      mode: 'report-only',
      route: 'sign-out',
      isCrossSite: true,
      cookie: 'revoked',
    },
  'a token of another system waits for auth': {
    plugin: 'auth down',
    route: 'rule',
    authorization: 'foreign',
  },
  'a service does not wait for auth': {
    plugin: 'auth down',
    authorization: 'service',
  },
  'a token of another system is refused while its session may be revoked': {
    isListLoaded: false,
    route: 'rule',
    authorization: 'keyless foreign',
  },
  'a legacy token may go elsewhere': {
    header: 'user',
    authorization: 'legacy external',
  },
  'a service token goes nowhere else': {
    header: 'user',
    authorization: 'no caller',
  },
  'a token of an issuer under `jwks` may go elsewhere': {
    header: 'user',
    authorization: 'jwks external',
  },
  'any other text may go elsewhere': {
    header: 'user',
    authorization: 'text',
  },
  'an upgrade by rule goes on with a token of another system, whose keys are missing':
    {
      door: 'upgrade',
      route: 'rule',
      protocols: ['keyless foreign', 'text'],
    },
  'a sign-out is not stored if one of two revocations is not': {
    route: 'sign-out',
    scope: 'user',
    unstored: 'users',
    cookie: 'user',
  },
  'a token whose session was revoked before ends no other of its user': {
    route: 'sign-out',
    scope: 'user',
    cookie: 'revoked',
  },
  'a gate behind is told that the cookie is issued in front': {
    plugin: 'remote',
    authorization: 'user',
  },
  'the cookie of Backstage stays where it is, beside an Authorization of somebody else':
    {
      route: 'cookie path',
      header: 'absent',
      authorization: 'basic',
      userCookie: 'user',
    },
};

/** The credential, the detail and the subject that are reported beside the reason, by the row that decides. */
const RECORDS: [string, Partial<State>, string][] = [
  ['J1', { plugin: 'down', authorization: 'user' }, 'none - -'],
  ['J2', { authorization: 'two', cookie: 'user' }, 'none - -'],
  ['J3', { header: 'malformed' }, 'none malformed -'],
  ['J4', { authorization: 'basic' }, 'none - -'],
  ['J5', { cookie: 'conflict' }, 'none - -'],
  ['J6', {}, 'none - -'],
  [
    'J8 of a sign-out',
    { route: 'sign-out', cookie: 'user', isCrossSite: true },
    'cookie - -',
  ],
  ['J8', { cookie: 'user', isCrossSite: true }, 'cookie - -'],
  ['J9', { cookie: 'user', isCode: true }, 'cookie - -'],
  ['J14 by the cookie', { cookie: 'user' }, 'cookie - -'],
  [
    'J8 of a sign-out with a conflict',
    { route: 'sign-out', cookie: 'conflict', isCrossSite: true },
    'none - -',
  ],
  [
    'J11',
    { route: 'foreign path', authorization: 'user', cookie: 'user' },
    'bearer - -',
  ],
  ['J14 by nature', { route: 'nature', authorization: 'user' }, 'none - -'],
  ['J14 of a sign-out of nobody', { route: 'sign-out' }, 'none - -'],
  ['J14 by rule', { route: 'rule', authorization: 'user' }, 'none - -'],
  [
    'J14 of a sign-out',
    { route: 'sign-out', cookie: 'user', authorization: 'text' },
    'cookie - -',
  ],
  ['J14 by a user', { authorization: 'user' }, 'bearer - -'],
  ['J14 by a service', { authorization: 'service' }, 'bearer - -'],
  [
    'J14 by an external token',
    { authorization: 'external' },
    'bearer - external',
  ],
  ['T1', { authorization: 'cut user' }, 'bearer malformed -'],
  [
    'T1, as a handler reads it',
    { route: 'rule', authorization: 'cut user' },
    'none malformed -',
  ],
  ['T2', { authorization: 'expired user' }, 'bearer expired -'],
  [
    'T5 of a sign-out',
    { route: 'sign-out', cookie: 'user', authorization: 'keyless user' },
    'bearer - -',
  ],
  ['T7', { authorization: 'restricted' }, 'bearer - -'],
  ['T8', { authorization: 'new key' }, 'bearer new-key -'],
  ['T9, no JWT', { header: 'text' }, 'bearer malformed -'],
  ['T9, a JWT', { authorization: 'forged user' }, 'bearer signature -'],
  ['T10', { authorization: 'foreign' }, 'bearer - user:default/user'],
  ['T11', { authorization: 'ended external' }, 'bearer - ended'],
  ['T12', { authorization: 'narrow external' }, 'bearer only narrow'],
  ['T13', { authorization: 'no session' }, 'bearer malformed -'],
  ['T15', { cookie: 'revoked' }, 'cookie - user:default/revoked'],
  [
    'T15 of a limited token',
    { route: 'cookie path', userCookie: 'limited revoked' },
    'user-cookie - user:default/revoked',
  ],
  [
    'R3',
    { door: 'upgrade', cookie: 'revoked', protocols: ['text'] },
    'cookie - user:default/revoked',
  ],
];

/** Returns what a state has beside {@link PLAIN}. */
function formatState(state: State): string {
  const changes = Object.entries(state).filter(
    ([key, value]) => String(value) !== String(PLAIN[key as keyof State]),
  );
  return changes.map(([key, value]) => `${key}: ${value}`).join(', ');
}

/** Returns what a judgement has beside nothing. */
function formatJudgement(judgement: Judgement): string {
  return Object.entries(judgement)
    .filter(([, value]) => value && String(value) !== '')
    .map(([key, value]) => `${key}: ${value}`)
    .sort()
    .join(', ');
}

/** The reasons of requests whose token verifies, and is refused all the same. */
const REFUSED =
  /^(revoked|restricted|token-ended|untrusted-issuer|revocations-unavailable)$/;

/** Returns whether a token has verified, so that the gate may remember it. That of a service verifies in a cookie, which can't hold it. */
function mayRemember({ cookie, door }: State, { reason }: Judgement): boolean {
  const isRefused = REFUSED.test(reason) || cookie === 'service for user';
  return (
    /^(bearer|cookie|user-cookie)$/.test(reason) ||
    (door === 'request' && isRefused)
  );
}

it.each(Object.entries(FOUND))('[P111] %s', async (_, change) => {
  const state = { ...PLAIN, ...change };
  const expected = judge(state);
  const found = formatJudgement(await follow(state));
  expect(found).toBe(formatJudgement(expected));
  const again = formatJudgement(await followAgain(state));
  expect(again).toBe(formatJudgement({ ...expected, issues: false }));
});

it.each(RECORDS)('[P111] the log has of %s', async (_, change, record) => {
  const decision = await followDecision({ ...PLAIN, ...change });
  const { credential, detail = '-', subject = '-' } = decision;
  expect(`${credential} ${detail} ${subject}`).toBe(record);
});

it.each([
  ['protected', 'protected'],
  ['rule', {} as AllowRule],
  ['nature', 'built-in-public'],
  ['sign-out', 'sign-out'],
] as const)(
  '[P111] `explain` judges a request that presents nothing as the table does: %s',
  (route, found) => {
    const { reason, refusal } = judgeAnonymous(found);
    expect(refusal?.reason ?? reason).toBe(judge({ ...PLAIN, route }).reason);
    expect(refusal !== undefined).toBe(route === 'protected');
  },
);

it.each([
  ['at most one token', singles, every(499)],
  ['tokens at two places', pairs, every(499)],
  ['an upgrade in Express', upgradesInExpress, every(29)],
  ['defaults and entries of external tokens', limits, every(23)],
  ['a sign-out of two tokens', signOuts, every(29)],
])(
  '[P111] the gate decides as the table says, with %s',
  async (_, states, step) => {
    const differences = new Differences();
    let count = 0;
    let remembered = 0;
    for (const state of sample(states(), step)) {
      count += 1;
      const expected = judge(state);
      differences.compare(
        formatJudgement(expected),
        formatJudgement(await follow(state)),
        () => formatState(state),
      );
      if (mayRemember(state, expected)) {
        remembered += 1;
        differences.compare(
          formatJudgement({ ...expected, issues: false }),
          formatJudgement(await followAgain(state)),
          () => `again, ${formatState(state)}`,
        );
      }
      if (differences.isFull) {
        break;
      }
    }
    process.stderr.write(`${count} states, ${remembered} of them twice\n`);
    expect(String(differences)).toBe('');
    expect(count).toBeGreaterThan(1_000);
  },
  1_200_000,
);

it.each(['policy', 'observer'] as const)(
  '[P111] an unexpected error of the %s ends a request by J0 in each mode',
  async fails => {
    let count = 0;
    for (const state of sample(singles(), 997)) {
      count += 1;
      expect([await followFailing(state, fails), state]).toEqual([
        false,
        state,
      ]);
    }
    expect(count).toBeGreaterThan(800);
  },
  1_200_000,
);

it('[P111] the gate decides alike whether two tokens of one kind have the same text or not', async () => {
  const differences = new Differences();
  // Sessions and handlers get one token in place of two.
  const formatShared = ({ outcome, reason, ...rest }: Judgement) => {
    const { answers, clears, hasUserCookie, issues, reads, revokes } = rest;
    const isRead = reads !== undefined;
    const revoked = revokes.length > 0;
    return JSON.stringify({
      ...{ outcome, reason, answers, clears, hasUserCookie, issues },
      ...{ isRead, revoked },
    });
  };
  const states = twins();
  for (const state of sample(states, every(29))) {
    differences.compare(
      formatShared(await follow(state)),
      formatShared(await followSame(state)),
      () => formatState(state),
    );
  }
  process.stderr.write(`${states.size} states with the same token twice\n`);
  expect(String(differences)).toBe('');
  expect(states.size).toBeGreaterThan(19_000);
}, 600_000);
