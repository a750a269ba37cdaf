import { pickBy } from 'lodash';
import {
  DENIALS,
  Kind,
  Limits,
  PLAIN,
  PLUGINS,
  ROUTES,
  Saying,
  State,
  TOKENS,
} from './states';

const KINDS = Object.keys(TOKENS) as Kind[];
const BOTH = [false, true];

/** The values of each place, beside `absent`. */
const VALUES: {
  [
    place in 'header' | 'authorization' | 'cookie' | 'userCookie' | 'protocols'
  ]: Partial<State>[];
} = {
  header: ['malformed' as const, ...KINDS].map(header => ({ header })),
  authorization: [
    ...(['two', 'basic', 'basic with user'] as const),
    ...(['cut bearer', 'cut bearer with user'] as const),
    ...KINDS,
  ].map(authorization => ({ authorization })),
  cookie: ['conflict' as const, ...KINDS].map(cookie => ({ cookie })),
  userCookie: ['conflict' as const, ...KINDS].map(userCookie => ({
    userCookie,
  })),
  protocols: [
    { protocols: Array(6).fill('text') },
    ...KINDS.map(kind => ({ protocols: [kind] })),
  ],
};

/** Yields each combination of one value of each list. */
function* product(
  lists: readonly (readonly Partial<State>[])[],
): Generator<State> {
  if (lists.length === 0) {
    yield PLAIN;
    return;
  }
  const [first, ...others] = lists;
  for (const state of product(others)) {
    for (const change of first) {
      yield { ...state, ...change };
    }
  }
}

const of = <K extends keyof State>(key: K, values: readonly State[K][]) =>
  values.map(value => ({ [key]: value }) as Partial<State>);

const WAYS = [
  of('door', ['request', 'upgrade']),
  of('mode', ['enforce', 'report-only']),
  of('route', Object.keys(ROUTES) as State['route'][]),
];
/** Whether the configuration names a credential header that the request has not. */
const NO_HEADER = of('header', [undefined, 'absent']);
const { header: HEADERS, ...OTHER_PLACES } = VALUES;

/** Trust in a path matters for what a browser runs as code alone: without that, all states were followed both ways once. */
const CODE = [{}, { isCode: true }, { isCode: true, isTrusted: true }];

/** Yields each request with at most one token, in each state of the backend, of the plugin and of the browser. */
export function* singles(): Generator<State> {
  const ways = [
    of('plugin', Object.keys(PLUGINS) as State['plugin'][]),
    of('isListLoaded', BOTH),
    of('isCrossSite', BOTH),
    CODE,
    ...WAYS,
  ];
  yield* product([
    [{}, ...Object.values(OTHER_PLACES).flat()],
    NO_HEADER,
    ...ways,
  ]);
  yield* product([HEADERS, ...ways]);
}

/** Yields each request with tokens at two places, where the backend, the plugin and the browser are as they mostly are. */
export function* pairs(): Generator<State> {
  const places = Object.values(OTHER_PLACES);
  for (const [i, first] of places.entries()) {
    yield* product([HEADERS, first, ...WAYS]);
    for (const second of places.slice(i + 1)) {
      yield* product([first, second, NO_HEADER, ...WAYS]);
    }
  }
  const protocols = KINDS.flatMap(a => KINDS.map(b => [a, b]));
  yield* product([of('protocols', protocols), NO_HEADER, ...WAYS]);
}

/** Yields each request with two tokens of one kind, at any two places. */
export function* twins(): Generator<State> {
  const at = (place: keyof typeof VALUES, kind: Kind): Partial<State> => ({
    [place]: place === 'protocols' ? [kind] : kind,
  });
  const places = Object.keys(VALUES) as (keyof typeof VALUES)[];
  for (const kind of KINDS) {
    yield* product([[{ protocols: [kind, kind] }], NO_HEADER, ...WAYS]);
    for (const [i, first] of places.entries()) {
      for (const second of places.slice(i + 1)) {
        const both = { ...at(first, kind), ...at(second, kind) };
        const header = first === 'header' ? [{}] : NO_HEADER;
        yield* product([[both], header, ...WAYS]);
      }
    }
  }
}

/** Yields each upgrade with at most one token that arrives in Express. */
export function* upgradesInExpress(): Generator<State> {
  const [, ...ways] = WAYS;
  const doors = of('door', ['upgrade in Express', 'no upgrade to Node']);
  const plugins = of('plugin', ['up', 'down', 'absent']);
  const places = [{}, ...Object.values(OTHER_PLACES).flat(), ...HEADERS];
  yield* product([places, of('isCrossSite', BOTH), plugins, doors, ...ways]);
}

/** A setting that is absent is no key. */
const SAYINGS: (Saying | undefined)[] = [
  undefined,
  ...([undefined, 'none', 'each', 'all'] as const).flatMap(only =>
    ([undefined, 'past', 'later'] as const).map(until =>
      pickBy({ only, until }),
    ),
  ),
];

/** Each pair of a default and an entry. */
const LIMITS: Limits[] = SAYINGS.flatMap(byDefault =>
  SAYINGS.map(entry => pickBy({ byDefault, entry }) as Limits),
);

/**
 * Yields requests with an external token, some with that of a user beside it, for each pair of a default and an entry.
 */
export function* limits(): Generator<State> {
  const ways = [of('limits', LIMITS), ...WAYS];
  const kinds = ['external', 'legacy external', 'jwks external'] as const;
  yield* product([
    [
      ...of('authorization', kinds),
      ...of('header', ['external']),
      { protocols: ['external'] },
      { header: 'user', authorization: 'external' },
      { cookie: 'user', authorization: 'external' },
      { cookie: 'user', protocols: ['external'] },
    ],
    ...ways,
  ]);
}

/** The tokens of each principal, a refused one, and none. */
const PRINCIPALS: Kind[] = [
  ...(['user', 'limited user', 'old user', 'service for user'] as const),
  ...(['service', 'external', 'jwks external', 'locked', 'text'] as const),
];

/**
 * Yields each request with at most one token, and those with the tokens of two principals, while a rule denies every path of the plugin.
 * That the rule changes nothing else in any other state is a theorem.
 */
export function* denials(): Generator<State> {
  const ways = [
    of('deny', Object.values(DENIALS)),
    of('door', ['request', 'upgrade', 'no upgrade to Node']),
    ...WAYS.slice(1),
  ];
  const plugins = of('plugin', ['up', 'down', 'absent']);
  const places = [{}, ...Object.values(OTHER_PLACES).flat()];
  const bearers = of('authorization', PRINCIPALS);
  const others = [
    ...of('header', PRINCIPALS),
    ...of('cookie', PRINCIPALS),
    ...of('userCookie', PRINCIPALS),
    ...PRINCIPALS.map(kind => ({ protocols: [kind] })),
  ];
  const states = [
    product([places, NO_HEADER, plugins, ...ways]),
    product([HEADERS, ...ways]),
    product([bearers, others, ...ways]),
  ];
  for (const state of states.flatMap(each => [...each])) {
    // Such a request has no path by V2, so that it is not known to be for the cookie endpoint.
    if (
      state.door !== 'no upgrade to Node' ||
      !['cookie endpoint', 'sign-out'].includes(state.route)
    ) {
      yield state;
    }
  }
}

/** Yields each upgrade with the token of one principal, and a rule that denies. */
export function* deniedSockets(): Generator<State> {
  yield* product([
    of('authorization', PRINCIPALS),
    of('deny', Object.values(DENIALS)),
    of('route', ['protected', 'rule']),
    of('door', ['upgrade']),
  ]);
}
