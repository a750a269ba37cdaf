import { compact } from 'lodash';
import { isCookie } from '../Decision';
import { Refusal } from '../Refusal';
import { isCodeDestination } from './browsers';
import {
  acceptsUserCookie,
  GateRequest,
  isSentOn,
  trustOf,
} from './GateRequest';
import {
  Credential,
  CredentialPlaces,
  findBearer,
  readCredential,
  readProtocols,
  readUserCookie,
} from './readCredential';
import { isCookieEndpoint } from './requestLine';
import { claimsBackstage, PresentedToken, readBearer, Role } from './token';

// Verifying each one takes time, and Backstage tries as many.
const MAX_TOKENS = 5;

/**
 * Reads each token that a request presents, with its role, in the order in which the gate verifies and judges them. Nothing is verified
 * here, and nothing is waited for.
 */
export function readTokens(request: GateRequest): PresentedToken[] {
  const { isUpgrade, path, places, route } = request;
  if (route === 'sign-out') {
    return readSignOut(request);
  }
  if (route !== 'protected') {
    // Backstage's cookie comes first: if another token is refused, report-only lets the request go on, without a revoked cookie.
    return [
      ...readRenewable(request),
      ...readReadable(request),
      ...readElsewhere(request),
    ];
  }
  if (isUpgrade) {
    return [
      ...readUpgradeTokens(request, places),
      ...readFirstProtocol(request),
      ...readElsewhere(request),
    ];
  }
  // The cookie endpoint renews Backstage's cookie, and would keep one of a revoked session.
  const isRenewal = isCookieEndpoint(path);
  const presented = readRequestToken(request);
  return places.ignoresAuthorization || isRenewal
    ? [
        presented,
        ...readElsewhere(request),
        ...(isRenewal ? readRenewable(request) : []),
      ]
    : [presented];
}

/** Reads the one token that authenticates a request, unless the request may not use it. */
function readRequestToken(request: GateRequest): PresentedToken {
  const { places, policy, req } = request;
  const credential = readCredential(req, places, () =>
    acceptsUserCookie(request),
  );
  const presented = present(request, 'authenticates', credential);
  if (isCookie(presented.kind)) {
    if (policy.isCrossSite(req)) {
      presented.refused = Refusal.because('cross-site');
    } else if (isCodeDestination(req) && !trustOf(request)) {
      presented.refused = Refusal.because('unsafe-destination');
    }
  }
  return presented;
}

/**
 * Reads the tokens that may authenticate a WebSocket handshake, in the order in which the gate tries them. A page's script can
 * set no header but `Sec-WebSocket-Protocol`, so Backstage's frontends send the token there.
 *
 * - each offered protocol, then the bearer token, as in Backstage: external tokens may be any text, so every protocol may be a
 *   token
 * - the gate's cookie, if there is no `Authorization` and no offered protocol is a JWT: a cookie does not replace a token that
 *   fails, and a page that offers a protocol such as `graphql-ws` can use its cookie
 *
 * The protocols of a foreign path are for the server behind the handler, and the credential header is final.
 */
export function readUpgradeTokens(
  request: GateRequest,
  places: CredentialPlaces,
): PresentedToken[] {
  const { policy, req } = request;
  const credential = readCredential(req, places, () => false);
  const other = present(request, 'authenticates', credential);
  // CORS does not apply to WebSockets: a page of any origin may read the answer. So only trusted origins may use the cookie.
  if (other.kind === 'cookie' && policy.isCrossSite(req)) {
    other.refused = Refusal.because('cross-site');
  }
  const protocols = readProtocols(req);
  const ignoresProtocols =
    places.isForeignPath ||
    places.headerToken !== undefined ||
    credential === Refusal.because('repeated-authorization');
  if (
    protocols.length === 0 ||
    (ignoresProtocols && protocols.length <= MAX_TOKENS)
  ) {
    return [other];
  }
  const isBearer = other.kind === 'bearer';
  const bearers = presentBearers(request, 'authenticates', [
    ...protocols,
    ...(isBearer ? [other.token!.text] : []),
  ]);
  for (const [i, each] of bearers.entries()) {
    each.authProtocol = protocols[i];
  }
  return other.kind === 'cookie' &&
    bearers.every(({ token }) => token && !token.claims)
    ? [...bearers, other]
    : bearers;
}

/** Reads the first protocol of an upgrade that a token authenticates: a listener may read it all the same. */
function readFirstProtocol(request: GateRequest): PresentedToken[] {
  const protocols = readProtocols(request.req);
  return presentBearers(request, 'may be read', protocols.slice(0, 1));
}

/** Reads the tokens that a handler of a public path may read: those of users first, as their refusal matters more. */
function readReadable(request: GateRequest): PresentedToken[] {
  const { isUpgrade, places, req } = request;
  const protocols = isUpgrade ? readProtocols(req) : [];
  const bearer = findBearer(req, places);
  const texts = [...protocols, ...(bearer ? [bearer] : [])];
  const tokens = presentBearers(request, 'may be read', texts);
  const isOfUser = ({ token }: PresentedToken) => Boolean(token?.userToken);
  return tokens.length > 1
    ? [...tokens.filter(isOfUser), ...tokens.filter(each => !isOfUser(each))]
    : tokens;
}

/** Reads Backstage's own cookie, which a handler reads, and the cookie endpoint renews. */
function readRenewable(request: GateRequest): PresentedToken[] {
  const token = readUserCookie(request.req);
  if (token === undefined) {
    return [];
  }
  const kind = 'user-cookie' as const;
  const credential = typeof token === 'string' ? { kind, token } : token;
  return [{ ...present(request, 'may be read', credential), kind }];
}

/**
 * Refuses a request whose `Authorization` is no credential, and would carry a token of this backend to somebody else: the bearer token
 * there, or the JWTs in another scheme, and the protocols of a WebSocket that the handler may send on. The claims decide: a static or
 * legacy token has none of Backstage's, and goes on as without the gate.
 */
function readElsewhere(request: GateRequest): PresentedToken[] {
  const { isUpgrade, places, req } = request;
  if (!places.ignoresAuthorization) {
    return [];
  }
  const bearer = readBearer(req);
  const { authorization = '' } = req.headers;
  const texts = [
    ...(bearer ? [bearer] : (authorization.match(/eyJ[^\s,;"]+/g) ?? [])),
    ...(isUpgrade && isSentOn(request) ? readProtocols(req) : []),
  ];
  const refused = Refusal.because('invalid-token');
  return texts.some(claimsBackstage)
    ? [{ role: 'goes elsewhere', kind: 'bearer', token: undefined, refused }]
    : [];
}

/**
 * Reads the tokens of a sign-out: the cookie and the bearer token. A browser that has a cookie of an earlier domain sends two: the gate
 * accepts neither as a credential, clears both, and revokes the sessions of five at most, since its user expects the session to end.
 */
function readSignOut(request: GateRequest): PresentedToken[] {
  const { places, policy, req, services } = request;
  const header = req.headers.cookie;
  const cookie = services.cookie?.read(header);
  if (cookie !== undefined && policy.isCrossSite(req)) {
    const refused = Refusal.because('cross-site');
    const kind = typeof cookie === 'string' ? 'cookie' : 'none';
    return [{ ...present(request, 'signs out', refused), kind }];
  }
  const cookies =
    cookie instanceof Refusal ? services.cookie!.readWhole(header) : [cookie];
  const bearer = findBearer(req, places);
  return [
    ...compact(cookies)
      .slice(0, MAX_TOKENS)
      .map(token => present(request, 'signs out', { kind: 'cookie', token })),
    ...presentBearers(request, 'signs out', bearer ? [bearer] : []),
  ];
}

/** Returns an entry for a credential that was read, or for the refusal in the place of one. */
function present(
  { services }: GateRequest,
  role: Role,
  credential: Credential | Refusal,
): PresentedToken {
  if (credential instanceof Refusal) {
    return { role, kind: 'none', token: undefined, refused: credential };
  }
  const token = services.tokens.read(credential.token);
  return { role, kind: credential.kind, token, refused: undefined };
}

/** Returns an entry for each of some bearer tokens, or one entry that refuses them if they are too many. */
function presentBearers(
  request: GateRequest,
  role: Role,
  texts: string[],
): PresentedToken[] {
  return texts.length > MAX_TOKENS
    ? [present(request, role, Refusal.because('too-many-tokens'))]
    : texts.map(token => present(request, role, { kind: 'bearer', token }));
}
