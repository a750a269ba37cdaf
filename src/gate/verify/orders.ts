import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { tokenTypes } from '@backstage/plugin-auth-node';
import {
  BACKSTAGE_AUTH_COOKIE,
  BACKSTAGE_AUTH_COOKIES,
  PresentedToken,
} from '../read/readCredential';
import type { Token } from '../read/token';
import { Refusal, toRefusal } from '../Refusal';
import { readCookieValues } from '../read/cookieHeader';
import type { SessionClaims } from '../sessions/Revocation';
import type { GateRequest } from '../read/GateRequest';
import type { GateServices } from '../GateServices';
import {
  findSessionRefusal,
  Verification,
  verifyCredential,
} from './verifyCredential';

// Report-only tries the rules, and carries out orders: a user who is locked out, or has signed out, is refused. Such a user could
// provoke a refusal for another reason, by a second `Authorization` for example. Report-only would let that request go on, and a
// handler could read the user's token. So report-only looks for tokens in each request that the gate refuses for another reason.

// A request with more user tokens ends. An honest client has those of one or two sessions.
const MAX_TOKENS = 5;

// A request with more texts that look like a token ends: decoding takes time.
const MAX_TEXTS = 100;

/**
 * The ways in which a handler may cut a token out of a header: at the end of a parameter, at a space, at the end of a protocol, or not
 * at all. `signals` before 0.19 reads all protocols as one token.
 */
const CUTS = [/eyJ[^\s,;"]+/g, /eyJ\S+/g, /eyJ[^,]+/g, /eyJ.+/g];

/** The request whose tokens are looked up. */
type Searched = Verification & { req: IncomingMessage };

/**
 * Returns the refusal to carry out in report-only: the given one, unless the request holds a token of a user who is locked out, or of
 * a session that was revoked. On a protected route, and for an upgrade, such a token ends in 401. On other routes the same happens as
 * if the gate enforced: a cookie is removed, and the refusal for any other token is carried out. That includes a sign-out that is not in
 * force everywhere, since this replica has revoked the session.
 *
 * A token that can't be verified now does not end the request, because no handler can verify it either. The request keeps the sessions
 * whose end closes the socket of an upgrade that goes on.
 */
export async function applyOrders(
  request: GateRequest,
  refusal: Refusal,
): Promise<Refusal> {
  const { isUpgrade, policy, route } = request;
  if (policy.isEnforced || refusal.isOrder) {
    return refusal;
  }
  const isProtected = isUpgrade || route === 'protected';
  const found = await lookUpTokens(request, {
    isUpgrade,
    // A sign-out reads the cookie. On a public route, `decide` has removed the cookie of a revoked session.
    withCookies: isProtected || route === 'sign-out',
  });
  request.openedBy = found.sessions;
  if (isProtected && found.order) {
    request.credential = found.kind;
    return found.order;
  }
  return found.ends ? refusal.asOrder() : refusal;
}

/**
 * Returns the refusal to carry out in report-only for what the gate has not decided about: a request that a mount of the app's own
 * leads around the gate, or an upgrade outside `/api`.
 *
 * @param options.pluginId - the plugin of the request. Default: any, since a user's token is the same for each
 * @param options.socket - the socket of an upgrade, which is closed when a session of its tokens ends
 */
export async function findUndecidedOrder(
  req: IncomingMessage,
  services: GateServices,
  { pluginId, socket }: { pluginId?: string; socket?: Duplex },
): Promise<Refusal | undefined> {
  const { plugins, sockets, source } = services;
  const plugin = pluginId
    ? plugins.targetOf({ baseUrl: '', params: { gatedPluginId: pluginId } })
    : plugins.anyRegistered();
  const { ends, order, sessions } = await lookUpTokens(
    { plugin, policy: source.current, req, services },
    { isUpgrade: socket !== undefined, withCookies: true },
  );
  sessions.forEach(session => sockets.track(socket!, session));
  return ends ? (order ?? Refusal.because('too-many-tokens')) : undefined;
}

/** What the tokens of a request come to. */
interface FoundTokens {
  /** Whether the request ends. */
  ends: boolean;
  /** The refusal of a token that verifies and is not accepted any more; `undefined` if there are too many to look at. */
  order?: Refusal;
  /** Where that token is. */
  kind: PresentedToken['kind'];
  /** The sessions of an upgrade's other tokens. */
  sessions: SessionClaims[];
}

/**
 * Looks up the tokens of users that a handler may read in a request, and verifies each one whose claims name a user who is locked out,
 * or a revoked session; for an upgrade, each one, since its session may be revoked later. A request with too many tokens ends,
 * whatever the tokens claim: a forged token must not reveal whether a session was revoked.
 *
 * @throws any error that is neither a refusal nor that of a plugin which starts, so that the request ends closed
 */
async function lookUpTokens(
  request: Searched,
  options: { isUpgrade: boolean; withCookies: boolean },
): Promise<FoundTokens> {
  const { services } = request;
  const tokens = findUserTokens(request, options.withCookies);
  const sessions: SessionClaims[] = [];
  if (!tokens) {
    return { ends: true, kind: 'bearer', sessions };
  }
  for (const [text, kind] of tokens) {
    const token = services.tokens.read(text);
    const isNamed = findOrder(token, services) !== undefined;
    if (
      (isNamed || options.isUpgrade) &&
      (await verifies(token, request, isNamed))
    ) {
      // The session may have been revoked while the token was verified.
      const order = findOrder(token, services);
      if (order) {
        return { ends: true, order, kind, sessions };
      }
      sessions.push(...(token.session ? [token.session] : []));
    }
  }
  return { ends: false, kind: 'bearer', sessions };
}

/** Returns the refusal of a token whose claims name a user who is locked out, or a session that was revoked. */
function findOrder(token: Token, services: GateServices): Refusal | undefined {
  const { session, userToken } = token;
  // Backstage accepts tokens without a session in an older format.
  if (!session && userToken?.sub !== undefined) {
    return services.revocations.isLocked(userToken.sub)
      ? Refusal.because('locked').of(userToken.sub)
      : undefined;
  }
  const refusal = findSessionRefusal(token, services);
  return refusal?.isOrder ? refusal : undefined;
}

/**
 * Returns all tokens of users in a request, whatever the gate reads there, with the kind of credential of each; `undefined` if there
 * are too many to look at.
 */
function findUserTokens(
  request: Searched,
  withCookies: boolean,
): Map<string, PresentedToken['kind']> | undefined {
  const { tokens } = request.services;
  const seen = new Set<string>();
  const found = new Map<string, PresentedToken['kind']>();
  for (const [kind, value] of valuesIn(request, withCookies)) {
    for (const text of CUTS.flatMap(cut => value.match(cut) ?? [])) {
      const token = withPlainSignature(text);
      if (!seen.has(token) && tokens.read(token).userToken) {
        found.set(token, kind);
      }
      seen.add(token);
      if (seen.size > MAX_TEXTS || found.size > MAX_TOKENS) {
        return undefined;
      }
    }
  }
  return found;
}

/** Returns the values of headers and cookies in which a handler may read a token. */
function valuesIn(
  { policy, req, services }: Searched,
  withCookies: boolean,
): [PresentedToken['kind'], string][] {
  const { credentialHeader } = policy.config;
  const names = ['authorization', 'sec-websocket-protocol'];
  const inHeaders = names.concat(credentialHeader ?? []).flatMap(name => [
    // Node keeps only the first of several `Authorization` headers here, and joins those of the protocols.
    req.headers[name] ?? [],
    req.headersDistinct?.[name] ?? [],
  ]);
  const { cookie } = withCookies ? req.headers : {};
  const own = services.cookie?.read(cookie);
  const inCookie = own?.kind === 'token' ? [own.token] : [];
  const whole = services.cookie?.readWhole(cookie) ?? [];
  const stock = readCookieValues(
    cookie,
    BACKSTAGE_AUTH_COOKIES,
    BACKSTAGE_AUTH_COOKIE,
  );
  const as = (kind: PresentedToken['kind'], values: string[]) =>
    values.map((value): [PresentedToken['kind'], string] => [kind, value]);
  return [
    ...as('bearer', inHeaders.flat()),
    ...as('cookie', [...inCookie, ...whole]),
    ...as('user-cookie', stock),
  ];
}

/**
 * Returns a token with its signature as Backstage writes it. `jose` 5 (the legacy system, and releases before November 2026) skips
 * other characters in a signature, as this decoder of Node does; those of the other parts are signed.
 */
function withPlainSignature(token: string): string {
  const dot = token.lastIndexOf('.') + 1;
  const signature = Buffer.from(token.slice(dot), 'base64url');
  return token.slice(0, dot) + signature.toString('base64url');
}

/**
 * Returns whether a token verifies now. Backstage's handlers do not check the issuer.
 *
 * @throws any unexpected error for a token whose claims name an order, so that the request ends closed
 */
async function verifies(
  { claims, text }: Token,
  request: Searched,
  isNamed: boolean,
): Promise<boolean> {
  const isLimited = claims?.typ === tokenTypes.limitedUser.typParam;
  const kind = isLimited ? 'user-cookie' : 'bearer';
  try {
    await verifyCredential(request, { kind, token: text });
    return true;
  } catch (error) {
    const { reason } = toRefusal(error, request.services.logger);
    if (reason === 'failed' && isNamed) {
      throw error;
    }
    return reason === 'untrusted-issuer';
  }
}
