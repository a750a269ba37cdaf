import { readBearer, readHeaderToken } from '../credentials/bearer';
import {
  assertFew,
  PresentedToken,
  readProtocols,
  substituteRequest,
} from '../credentials/readCredential';
import { Refusal } from '../decision/Refusal';
import type { GateRequest } from './GateRequest';

/** The plugin that sends `Authorization` on to the targets of some endpoints. */
export const PROXY_PLUGIN = 'proxy';

/**
 * Chooses how the handlers get a token. One that `Authorization` does not hold replaces it, unless that header belongs to somebody
 * else, or would take a token out of the backend that the request did not send there: then `httpAuth` alone has the token.
 */
export function handOn(request: GateRequest, presented: PresentedToken): void {
  const { forwarded, isInstalled, pluginId, policy, reportedPath, req } =
    request;
  const { authProtocol, isBound, kind, token } = presented;
  const staysHere =
    (isBound && isProxied(request)) ||
    // The handler of a foreign path may get the request whatever the spelling of its path.
    (isInstalled && policy.isLikeForeign(pluginId, reportedPath));
  if (staysHere) {
    forwarded.userCookie = 'removed';
  }
  if (
    staysHere ||
    (isBound && req.headers.authorization && isBindable(request))
  ) {
    forwarded.boundToken = token;
    forwarded.bearer = isBound ? undefined : '';
  } else if (
    kind === 'cookie' ||
    (kind === 'bearer' && isBound) ||
    (authProtocol && token !== (readBearer(req) ?? token))
  ) {
    forwarded.bearer = token;
  }
}

/** A gateway sends `Authorization` to the other backend, and an `httpAuth` of the app's own reads nothing else. */
function isBindable({ isInstalled, plugin }: GateRequest): boolean {
  return isInstalled && 'recall' in (plugin.httpAuthFor(undefined) as object);
}

function isProxied({ isInstalled, pluginId }: GateRequest): boolean {
  return isInstalled && pluginId === PROXY_PLUGIN;
}

/**
 * Hands on the token in the credential header of a public request, where the gate accepts none and a handler may read it.
 *
 * @throws Refusal as {@link assertForeign}
 */
export async function handOnUnverified(request: GateRequest): Promise<void> {
  const token = readHeaderToken(request.req, request.places);
  if (token === undefined) {
    return;
  }
  const presented = { kind: 'bearer', token, isBound: true } as const;
  await assertForeign(request, presented);
  request.answer.isPrivate = true;
  if (token) {
    handOn(request, presented);
  }
}

/** Returns the tokens in an `Authorization` beside the credential: a bearer token, or the JWTs in another scheme. */
export function findForeignTokens(
  { req }: GateRequest,
  { isBound }: PresentedToken,
): string[] {
  const { authorization } = req.headers;
  if (!isBound || !authorization) {
    return [];
  }
  const bearer = readBearer(req);
  return bearer ? [bearer] : (authorization.match(/eyJ[^\s,;"]+/g) ?? []);
}

/**
 * Refuses a token of this backend where it goes to somebody else, in `Authorization` or in a protocol of a proxied WebSocket: one of
 * Backstage's types, or a static or legacy token, by Backstage's own check. Tokens of an issuer under `jwks` pass, since the server
 * behind the handler may accept them.
 *
 * @throws Refusal 401
 */
export async function assertForeign(
  request: GateRequest,
  presented: PresentedToken,
): Promise<void> {
  const { isUpgrade, places, req, services } = request;
  const isSentOn = places.isForeign || isProxied(request);
  const protocols =
    presented.isBound && isUpgrade && isSentOn ? readProtocols(req) : [];
  const tokens = [...findForeignTokens(request, presented), ...protocols];
  assertFew(tokens);
  for (const text of tokens) {
    const { claims, userToken } = services.tokens.read(text);
    const isOfBackstage =
      userToken !== undefined || claims?.typ?.startsWith('vnd.backstage.');
    if (isOfBackstage || (await isExternalToken(text, request))) {
      throw Refusal.because('invalid-token');
    }
  }
}

/** Returns whether a token is static or legacy, also if it is restricted to another plugin, or if that can't be found out. */
async function isExternalToken(
  text: string,
  { plugin, services }: GateRequest,
): Promise<boolean> {
  const { claims } = services.tokens.read(text);
  if (claims && !claims.isSymmetric) {
    return false;
  }
  const httpAuth = await plugin.httpAuthFor(claims);
  return httpAuth.credentials(substituteRequest(text)).then(
    () => true,
    error => error?.name !== 'AuthenticationError',
  );
}
