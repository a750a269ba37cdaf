/** The states of the decision: the inputs and the outcome of src/gate/README.md. */

/** The row of each token, and the row that applies while the list of revocations is not loaded. */
export const TOKENS = {
  text: 'T9: no JWT, and unknown to Backstage',
  'other system': 'T9: a JWT of no type of Backstage, which does not verify',
  'cut user': 'T1: the token of a user, with a character in it that no JWT has',
  'expired user': 'T2',
  'expired service': 'T2: of a plugin',
  'forged user': 'T9: the claims of a user, and another signature',
  'false user': 'T9: the claims of a user, which is verified as another one',
  'forged revoked':
    'T9: the claims of a revoked session, and another signature',
  'keyless user': 'T6: the keys can not be fetched',
  'keyless revoked': 'T6: the same, with the claims of a revoked session',
  'keyless foreign': 'T6: the same, with an issuer that is not trusted',
  'new key':
    'T8: the claims of a user, and a key that Backstage may not have yet',
  'new key revoked': 'T8: the same, with the claims of a revoked session',
  foreign: 'T10',
  'no session': 'T13',
  revoked: 'T15',
  user: 'T17, or T16',
  'old user': 'T17, or T16: of a user, as Backstage before 1.24 issued it',
  'limited user':
    'T17, or T16: a limited token of a user, as Backstage has it in its cookie',
  'limited revoked': 'T15: the same, of a revoked session',
  service: 'T17: of a plugin',
  'service for user': 'T17, or T16: of a plugin that acts for a user',
  'service for revoked':
    'T15: of a plugin that acts for a user, whose session is revoked',
  'no caller': 'T4: of a plugin that does not exist',
  'silent caller': 'T5: of a plugin that can not be found out now',
  restricted: 'T7',
  external: 'T17: static',
  'legacy external': 'T17: a JWT with a shared secret',
  'jwks external': 'T17: a JWT of an issuer that the configuration names',
  'ended external': 'T11: static',
  'narrow external': 'T12: static',
  'odd error': 'T9: Backstage throws another error than one about the token',
  failing: 'J0: the keys can not be looked up, by an unexpected error',
} as const;

export type Kind = keyof typeof TOKENS;

/** An entry of `tokens`: the requests that it allows, and when it ends. */
export interface Saying {
  /** `each`: all requests of the states. */
  only: 'none' | 'each' | 'all';
  until?: 'past' | 'later';
}

/** The entries for the external tokens without a row of their own: a default, an entry, both, or none. */
export interface Limits {
  byDefault?: Saying;
  entry?: Saying;
}

/** R12, for an external token that would be T17. No `only` has a cookie endpoint, or a request without a path (V2). */
function limit({ door, limits, route }: State): string {
  if (limits === undefined || limits === 'no key') {
    return 'T17';
  }
  const { byDefault, entry } = limits;
  const isOdd =
    /sign-out|endpoint/.test(route) || door === 'no upgrade to Node';
  const said = [byDefault, entry].filter(each => each && each.only !== 'none');
  const inForce = said.filter(each => each!.until !== 'past');
  const isAllowed = inForce.some(each => each!.only === 'all' || !isOdd);
  const hasEnded = said.length > 0 && inForce.length === 0;
  return (isAllowed && 'T17') || (hasEnded ? 'T11' : 'T12');
}

/** Returns the row of a token. */
export function rowOf(kind: Kind, state: State): string {
  const { isListLoaded } = state;
  const rows = TOKENS[kind].match(/[JT]\d+/g)!;
  const row = isListLoaded ? rows[0] : rows.at(-1)!;
  return row === 'T17' && kind.endsWith('external') ? limit(state) : row;
}

/** The places P1 to P6 of tokens. */
export const PLACES = [
  'header',
  'authorization',
  'cookie',
  'userCookie',
  'protocol 0',
  'protocol 1',
] as const;
export type Place = (typeof PLACES)[number];

export const ROUTES = {
  protected: 'V9: GET of a path',
  'cookie path':
    'V9: GET of a path that the plugin has declared for the cookie of Backstage, in each of its states',
  'cookie endpoint': 'V6: GET of the cookie endpoint',
  'foreign path': 'V9: GET of a path whose Authorization is for somebody else',
  rule: 'V8; V3 for an upgrade',
  nature:
    'V7: GET of a file of the plugin app, whose state is that of `plugin`',
  keys: 'V7: GET of the keys of the plugin',
  'sign-out': 'V5: DELETE of the cookie endpoint',
} as const;
export type RouteName = keyof typeof ROUTES;

export const PLUGINS = {
  'not registered': 'S1',
  down: 'S2',
  up: 'S3',
  'auth down': "S3, and the plugin auth does not get up: J1 of a user's token",
  own: 'S4',
  absent: 'S5',
  remote: 'S6, the gateway is up',
} as const;
export type PluginState = keyof typeof PLUGINS;

export interface State {
  /** Upgrades arrive in Express where no listener of the server takes them. Without the header `Connection`, V2, an upgrade is none to Node. */
  door: 'request' | 'upgrade' | 'upgrade in Express' | 'no upgrade to Node';
  mode: 'enforce' | 'report-only';
  plugin: PluginState;
  route: RouteName;
  /** The entries for the external tokens that have no kind of their own; `undefined`: one that allows everything. */
  limits: Limits | 'no key' | undefined;
  /** Whether the list of revocations is loaded. */
  isListLoaded: boolean;
  /** The scope of sign-outs: `signOut.scope`. */
  scope: 'session' | 'user';
  /** The revocation of a sign-out that is not stored: that of the session of a token at a place, or those of users. */
  unstored: Place | 'users' | undefined;
  /** Whether another site's page made a browser send the request. */
  isCrossSite: boolean;
  /** Whether the browser runs the answer as code. */
  isCode: boolean;
  /** Whether the operator trusts the path (`cookie.trustedPaths`). */
  isTrusted: boolean;
  /** `undefined`: the configuration names no credential header. */
  header: 'absent' | 'malformed' | Kind | undefined;
  /** `basic` is another scheme, and `cut bearer` is the scheme `Bearer` with anything but one token; `with user`: a user's token is in it. */
  authorization:
    | 'absent'
    | 'two'
    | 'basic'
    | 'basic with user'
    | 'cut bearer'
    | 'cut bearer with user'
    | Kind;
  cookie: 'absent' | 'conflict' | Kind;
  userCookie: 'absent' | 'conflict' | Kind;
  /** At most two, or up to six texts. */
  protocols: Kind[];
}

/** The gate's answer to a state. */
export interface Judgement {
  outcome: 'passed' | 'refused' | 'would-refuse';
  /** That of the log. */
  reason: string;
  /** The status of an answer that the gate gives itself in place of a handler: A1 and A2. */
  answers?: 200 | 204 | 404;
  /** The place of the bearer token in `Authorization` of a request that goes on, or, where that header is bound, of the token that `httpAuth` alone gets. */
  reads?: Place;
  /** Whether Backstage's cookie goes on. */
  hasUserCookie: boolean;
  /** Whether the answer clears the gate's cookie. Upgrades at the server clear none. */
  clears: boolean;
  /** Whether the issuer is asked for a cookie. */
  issues: boolean;
  /** The places of the tokens whose sessions are revoked, in alphabetical order. */
  revokes: Place[];
  /** The places of the tokens of whose users all sessions are revoked, in alphabetical order. */
  revokesUsers: Place[];
  /** Whether a request that goes on tells a gate behind that this one issues the cookie. */
  isMarked: boolean;
  /**
   * The number of causes that end the socket of an upgrade which goes on: sessions, limits, and by A9 the end of report-only.
   */
  ends: number;
}

/** A request with nothing in it, to a plugin that is up, of a backend that enforces. */
export const PLAIN: State = {
  door: 'request',
  mode: 'enforce',
  plugin: 'up',
  route: 'protected',
  limits: undefined,
  isListLoaded: true,
  scope: 'session',
  unstored: undefined,
  isCrossSite: false,
  isCode: false,
  isTrusted: false,
  header: undefined,
  authorization: 'absent',
  cookie: 'absent',
  userCookie: 'absent',
  protocols: [],
};
