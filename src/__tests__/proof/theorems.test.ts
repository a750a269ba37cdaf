import { isEqual, omit } from 'lodash';
import { limits, pairs, sample, singles } from './enumerate';
import { judge } from './reference';
import type { Kind, State } from './states';

/** `npm test` has every so many states, `.ci/run` has all. The test of the gate says that the gate decides as the table does. */
const STEP = process.env.PROPERTIES === 'long' ? 1 : 101;

/** The tokens that verify, and whose session, user and limits are in force. */
const IN_FORCE: readonly unknown[] = [
  'user',
  'old user',
  'limited user',
  'service',
  'service for user',
  'external',
  'legacy external',
  'jwks external',
] satisfies Kind[];

/** The tokens to which a revocation, an end or a limit has come, and what they were before. */
const TAKEN: Partial<Record<string, Kind>> = {
  revoked: 'user',
  'limited revoked': 'limited user',
  'service for revoked': 'service for user',
  'narrow external': 'external',
  'ended external': 'external',
} satisfies Partial<Record<Kind, Kind>>;

/** The values of `Authorization` without a token that Backstage has issued. */
const NOT_OF_BACKSTAGE: readonly unknown[] = [
  'absent',
  'two',
  'basic',
  'cut bearer',
  'text',
  'other system',
  'external',
  'ended external',
  'narrow external',
  'restricted',
  'odd error',
  'legacy external',
  'jwks external',
];

const PLACES = ['header', 'authorization', 'cookie', 'userCookie'] as const;

/** Returns the tokens of a state, and what else stands in their places. */
function tokensOf(state: State): unknown[] {
  const { protocols } = state;
  return [...PLACES.map(place => state[place]), ...protocols];
}

/** Returns a state in which each token is replaced; a token without a place leaves it empty. */
function withTokens(
  state: State,
  replace: (token: string) => string | undefined,
): State {
  const at = (value: string | undefined) =>
    value === undefined ? undefined : (replace(value) ?? 'absent');
  const protocols = state.protocols.flatMap(
    kind => (replace(kind) ?? []) as Kind[],
  );
  const replaced = PLACES.map(place => [place, at(state[place])]);
  return { ...state, ...Object.fromEntries(replaced), protocols };
}

/** Returns whether no rule and no nature opens a state's route. A rule opens upgrades, too. */
function isClosed({ door, route }: State): boolean {
  return door === 'upgrade'
    ? route !== 'rule'
    : !['rule', 'nature', 'keys', 'sign-out'].includes(route);
}

const passes = (state: State) => judge(state).outcome === 'passed';

const withLimits = (state: State, given: State['limits']): State => ({
  ...state,
  limits: given,
});

/** For each theorem: whether a state breaks it. */
const THEOREMS: Record<string, (state: State) => boolean> = {
  'without a token in force, nothing passes where no rule and no nature opens the route':
    state =>
      state.mode === 'enforce' &&
      isClosed(state) &&
      passes(state) &&
      !tokensOf(state).some(token => IN_FORCE.includes(token)),

  'a revocation, an end or a limit opens nothing': state => {
    const before = withTokens(state, token => TAKEN[token] ?? token);
    return (
      tokensOf(state).some(token => String(token) in TAKEN) &&
      passes(state) &&
      !passes(before)
    );
  },

  'the limits of external tokens open nothing': state =>
    passes(state) && !passes(withLimits(state, 'no key')),

  'an entry or a default that is lost opens nothing': state =>
    typeof state.limits === 'object' &&
    !passes(state) &&
    [omit(state.limits, 'byDefault'), omit(state.limits, 'entry')].some(left =>
      passes(withLimits(state, left)),
    ),

  'an external token without an entry opens nothing, once tokens is there':
    state =>
      isEqual(state.limits, {}) &&
      state.mode === 'enforce' &&
      isClosed(state) &&
      passes(state) &&
      !tokensOf(state).includes('user'),

  'a token that is not in force adds nothing': state => {
    const without = withTokens(state, token =>
      IN_FORCE.includes(token) || !/ |[a-z]/.test(token) ? token : undefined,
    );
    return isClosed(state) && passes(state) && !passes(without);
  },

  'removing a rule opens nothing without a token in force': state =>
    state.route === 'rule' &&
    passes({ ...state, route: 'protected' }) &&
    !tokensOf(state).some(token => IN_FORCE.includes(token)),

  'report-only passes what enforcing passes, and refuses nothing else that enforcing lets pass':
    state => {
      const enforced = judge({ ...state, mode: 'enforce' }).outcome;
      const reported = judge({ ...state, mode: 'report-only' }).outcome;
      return (enforced === 'passed') !== (reported === 'passed');
    },

  'an upgrade passes by a bearer token where a request does, and no other one':
    state => {
      const tokens = { cookie: 'absent', userCookie: 'absent' } as const;
      const [request, upgrade] = (['request', 'upgrade'] as const).map(door =>
        judge({ ...state, ...tokens, protocols: [], door }),
      );
      return (
        // Under a rule, an upgrade waits for the plugin's start, and each of its tokens is verified.
        ['protected', 'foreign path'].includes(state.route) &&
        (request.outcome !== upgrade.outcome ||
          request.reason !== upgrade.reason)
      );
    },

  'no token that Backstage has issued goes on to a server behind a foreign path, or in an Authorization beside a credential header':
    state =>
      (state.route === 'foreign path' ||
        !['absent', undefined].includes(state.header)) &&
      state.plugin === 'up' &&
      state.route !== 'sign-out' &&
      passes(state) &&
      !NOT_OF_BACKSTAGE.includes(state.authorization),
};

/** The first states that break each theorem. */
const broken: Record<string, State[]> = {};
let count = 0;

beforeAll(() => {
  for (const states of [singles(), pairs(), limits()]) {
    count += states.size;
    for (const state of sample(states, STEP)) {
      for (const [name, isBroken] of Object.entries(THEOREMS)) {
        const found = (broken[name] ??= []);
        if (found.length < 5 && isBroken(state)) {
          found.push(state);
        }
      }
    }
  }
}, 600_000);

it.each(Object.keys(THEOREMS))('[P112] %s', name => {
  expect(broken[name]).toEqual([]);
  expect(count).toBeGreaterThan(1_000_000);
});
