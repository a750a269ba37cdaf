import { pickBy, sumBy } from 'lodash';
import {
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

/** States by number: each is made when a test asks for it, so that the states that a test leaves out cost nothing. */
export interface States {
  size: number;
  at(index: number): State;
}

/** Returns each combination of one value of each list. */
function product(lists: readonly (readonly Partial<State>[])[]): States {
  return {
    size: lists.reduce((size, list) => size * list.length, 1),
    at(index) {
      let rest = index;
      const changes = lists.map(list => {
        const change = list[rest % list.length];
        rest = Math.floor(rest / list.length);
        return change;
      });
      return Object.assign({}, PLAIN, ...changes.reverse());
    },
  };
}

const joined = (parts: States[]): States => ({
  size: sumBy(parts, 'size'),
  at(index) {
    let rest = index;
    for (const part of parts) {
      if (rest < part.size) {
        return part.at(rest);
      }
      rest -= part.size;
    }
    throw new RangeError(`There is no state ${index}`);
  },
});

/** Yields every so many states. */
export function* sample({ size, at }: States, step = 1): Generator<State> {
  for (let index = step - 1; index < size; index += step) {
    yield at(index);
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

/** Each request with at most one token, in each state of the backend, of the plugin and of the browser. */
export function singles(): States {
  const ways = [
    of('plugin', Object.keys(PLUGINS) as State['plugin'][]),
    of('isListLoaded', BOTH),
    of('isCrossSite', BOTH),
    CODE,
    ...WAYS,
  ];
  return joined([
    product([[{}, ...Object.values(OTHER_PLACES).flat()], NO_HEADER, ...ways]),
    product([HEADERS, ...ways]),
  ]);
}

/** Each request with tokens at two places, where the backend, the plugin and the browser are as they mostly are. */
export function pairs(): States {
  const places = Object.values(OTHER_PLACES);
  const protocols = KINDS.flatMap(a => KINDS.map(b => [a, b]));
  return joined([
    ...places.flatMap((first, i) => [
      product([HEADERS, first, ...WAYS]),
      ...places
        .slice(i + 1)
        .map(second => product([first, second, NO_HEADER, ...WAYS])),
    ]),
    product([of('protocols', protocols), NO_HEADER, ...WAYS]),
  ]);
}

/** Each sign-out with at most two tokens, by its scope, and by the revocation that is not stored. */
export function signOuts(): States {
  return product([
    [{}, ...VALUES.authorization],
    [{}, ...VALUES.cookie],
    of('scope', ['session', 'user']),
    of('unstored', [undefined, 'authorization', 'cookie', 'users']),
    of('isListLoaded', BOTH),
    of('route', ['sign-out']),
    WAYS[1],
  ]);
}

/** Each request with two tokens of one kind, at any two places. */
export function twins(): States {
  const at = (place: keyof typeof VALUES, kind: Kind): Partial<State> => ({
    [place]: place === 'protocols' ? [kind] : kind,
  });
  const places = Object.keys(VALUES) as (keyof typeof VALUES)[];
  const twinsOf = (kind: Kind) => [
    product([[{ protocols: [kind, kind] }], NO_HEADER, ...WAYS]),
    ...places.flatMap((first, i) =>
      places.slice(i + 1).map(second => {
        const both = { ...at(first, kind), ...at(second, kind) };
        const header = first === 'header' ? [{}] : NO_HEADER;
        return product([[both], header, ...WAYS]);
      }),
    ),
  ];
  return joined(KINDS.flatMap(twinsOf));
}

/** Each upgrade with at most one token that arrives in Express. */
export function upgradesInExpress(): States {
  const [, ...ways] = WAYS;
  const doors = of('door', ['upgrade in Express', 'no upgrade to Node']);
  const plugins = of('plugin', ['up', 'down', 'absent']);
  const places = [{}, ...Object.values(OTHER_PLACES).flat(), ...HEADERS];
  return product([places, of('isCrossSite', BOTH), plugins, doors, ...ways]);
}

/** A setting that is absent is no key. */
const SAYINGS: (Saying | undefined)[] = [
  undefined,
  ...(['none', 'each', 'all'] as const).flatMap(only =>
    ([undefined, 'past', 'later'] as const).map(
      until => pickBy({ only, until }) as unknown as Saying,
    ),
  ),
];

/** Each pair of a default and an entry, and `tokens` that is not there. */
const LIMITS: State['limits'][] = [
  'no key',
  ...SAYINGS.flatMap(byDefault =>
    SAYINGS.map(entry => pickBy({ byDefault, entry }) as Limits),
  ),
];

/** Requests with an external token, some with that of a user beside it, for each of these limits. */
export function limits(): States {
  const ways = [of('limits', LIMITS), ...WAYS];
  const kinds = ['external', 'legacy external', 'jwks external'] as const;
  return product([
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
