import {
  assertFew,
  readProtocols,
  substituteRequest,
} from '../read/readCredential';
import { readBearer } from '../read/token';
import { Refusal } from '../Refusal';
import type { GateRequest } from '../read/GateRequest';

/** The plugin that sends `Authorization` on to the targets of some endpoints. */
export const PROXY_PLUGIN = 'proxy';

/** Returns whether the handler may send `Authorization` to another server. */
export function isSentOn({
  isInstalled,
  places,
  pluginId,
}: GateRequest): boolean {
  return places.isForeignPath || (isInstalled && pluginId === PROXY_PLUGIN);
}

/**
 * Returns what may be a token for somebody else, in a request whose `Authorization` is no credential: the bearer token there, or the
 * JWTs in another scheme, and the protocols of a WebSocket that the handler may send on.
 */
export function findForeignTokens(request: GateRequest): string[] {
  const { isUpgrade, req } = request;
  const bearer = readBearer(req);
  const { authorization = '' } = req.headers;
  return [
    ...(bearer ? [bearer] : (authorization.match(/eyJ[^\s,;"]+/g) ?? [])),
    ...(isUpgrade && isSentOn(request) ? readProtocols(req) : []),
  ];
}

/**
 * Refuses a token of this backend where it goes to somebody else: one of Backstage's types, or a static or legacy token, by
 * Backstage's own check. Tokens of an issuer under `jwks` pass, since the server behind the handler may accept them.
 *
 * @throws Refusal 401
 */
export async function assertForeign(request: GateRequest): Promise<void> {
  const tokens = request.places.isBound ? findForeignTokens(request) : [];
  assertFew(tokens);
  for (const text of tokens) {
    const { claims, userToken } = request.services.tokens.read(text);
    const isOfBackstage =
      userToken !== undefined || claims?.typ?.startsWith('vnd.backstage.');
    if (isOfBackstage || (await isExternalToken(text, request))) {
      request.credential = 'bearer';
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
