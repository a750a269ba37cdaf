import type {
  BackstageCredentials,
  BackstageServicePrincipal,
  BackstageUserPrincipal,
} from '@backstage/backend-plugin-api';
import { AuthenticationError } from '@backstage/errors';
import type { Request } from 'express';
import type {
  CredentialsReader,
  TargetPlugin,
} from '../plugins/BackendPlugins';
import { PresentedToken, substituteRequest } from '../read/readCredential';
import { isExpired, Token, tokenOf } from '../read/token';
import { Refusal } from '../Refusal';
import type { Policy } from '../rules/Policy';
import type { SocketSession } from '../sessions/SessionSockets';
import { explainFailure, failureKey } from './explainFailure';
import type { GateRequest } from '../read/GateRequest';
import type { GateServices } from '../GateServices';

/** The part of a {@link GateRequest} that verifying a token needs, for any plugin. */
export interface Verification {
  /** The request that presents the token, in `Authorization` or elsewhere. */
  req: object;
  plugin: Pick<TargetPlugin, 'id' | 'httpAuthFor'>;
  policy: Policy;
  services: GateServices;
}

/** A verified token, and the result of Backstage's `httpAuth`. */
export interface VerifiedCredential {
  credentials: BackstageCredentials<
    BackstageUserPrincipal | BackstageServicePrincipal
  >;
  token: Token;
}

export function isUser(
  credentials: VerifiedCredential['credentials'],
): credentials is BackstageCredentials<BackstageUserPrincipal> {
  return credentials.principal.type === 'user';
}

/**
 * Verifies a token with the `httpAuth` of the plugin that the request is for. Only Backstage verifies signatures.
 *
 * @throws Refusal 401 if the token is invalid, 403 if its access restrictions exclude this plugin, and 503 if the keys are not
 *   available; other errors of discovery, or of a plugin that does not start, as they are
 */
export async function verifyCredential(
  request: Verification,
  presented: PresentedToken,
): Promise<VerifiedCredential> {
  const { plugin, services } = request;
  const { keyEndpoints, plugins } = services;
  const token = services.tokens.read(presented.token);
  const { claims, userToken } = token;

  // Refuse early, before the signature is verified.
  const known = findKnownRefusal(request, presented, token);
  if (known) {
    throw known;
  }
  const { discovery } = plugins.anyRegistered();
  await keyEndpoints.assertCallerKnown(claims, discovery);
  await (userToken && plugins.userKeysPlugin()?.started());
  // A user's token is the same for every plugin. A service's is verified for the requested id, installed or not.
  const httpAuth = await plugin.httpAuthFor(claims);
  const credentials = await authenticate(httpAuth, request, presented).catch(
    async error => {
      throw await explainFailure(error, request, presented, token);
    },
  );
  if (!isSubject(credentials, token)) {
    throw Refusal.because('invalid-token');
  }
  if (!(await services.ownIssuer.trusts(userToken, request.policy))) {
    throw Refusal.because('untrusted-issuer').of(userToken?.sub);
  }
  observeToken(token, services);
  services.tokens.remember(token);
  return { credentials, token };
}

/** Calls {@link verifyCredential} and records its duration, on success and on failure. */
export async function verifyTimed(
  request: Verification,
  presented: PresentedToken,
): Promise<VerifiedCredential> {
  const startedAt = performance.now();
  try {
    return await verifyCredential(request, presented);
  } finally {
    request.services.observer.verified((performance.now() - startedAt) / 1000);
  }
}

/**
 * Returns the refusal of a verified token: 401 if its session was revoked or its user is locked out, or if it is a user's and has no
 * session, and 503 while the list of revocations is not loaded. Tokens of services that act for no user belong to no session.
 */
export function findSessionRefusal(
  { session, userToken }: Token,
  { revocations }: GateServices,
): Refusal | undefined {
  if (!userToken) {
    return undefined;
  }
  if (!session) {
    return Refusal.because('invalid-token', 'malformed');
  }
  if (revocations.isRevoked(session)) {
    const reason = revocations.isLocked(session.sub) ? 'locked' : 'revoked';
    return Refusal.because(reason).of(session.sub);
  }
  return revocations.isLoaded
    ? undefined
    : Refusal.because('revocations-unavailable');
}

/** Returns the subject of an external token. Those of plugins begin as no subject of the configuration may. */
function externalSubjectOf(verified: VerifiedCredential): string | undefined {
  const { principal } = verified.credentials;
  return principal.type === 'service' && !/^plugin:/.test(principal.subject)
    ? principal.subject
    : undefined;
}

/** Returns the refusal of a verified token: `auth.apiGate.tokens` excludes the request, or its session has ended. */
export function findRefusal(
  verified: VerifiedCredential,
  request: GateRequest,
): Refusal | undefined {
  const { policy, services } = request;
  const subject = externalSubjectOf(verified);
  const reason = subject && policy.tokenLimits.findRefusal(subject, request);
  const detail = reason === 'restricted' ? 'only' : undefined;
  return reason
    ? Refusal.because(reason, detail).of(subject)
    : findSessionRefusal(verified.token, services);
}

/** Reports the request of an external token. */
export function reportExternalToken(
  verified: VerifiedCredential,
  request: GateRequest,
): void {
  const subject = externalSubjectOf(verified);
  if (subject) {
    request.services.observer.externalTokenUsed(subject, request);
  }
}

/** Returns what ends the socket of an upgrade: the session of a user or, for an external token, the limits in force. */
export function socketSessionOf(
  verified: VerifiedCredential,
  request: GateRequest,
): SocketSession | undefined {
  const subject = externalSubjectOf(verified);
  const { source } = request.services;
  return subject
    ? () => source.current.tokenLimits.endFor(subject, request)
    : verified.token.session;
}

/** Returns the refusal of a token that is wrong by its text alone, or that was invalid a moment ago. */
export function findKnownRefusal(
  { plugin, services: { invalidTokens } }: Verification,
  { kind }: PresentedToken,
  token: Token,
): Refusal | undefined {
  const { claims } = token;
  if (claims && !token.isCompact) {
    return Refusal.because('invalid-token', 'malformed');
  }
  if (claims && isExpired(claims)) {
    return Refusal.because('invalid-token', 'expired');
  }
  return invalidTokens.recall(failureKey(plugin.id, kind, token));
}

/**
 * Authenticates a token. `httpAuth` caches one result per request, so that the credentials barrier behind the gate need not verify
 * again. The result of a token that the request does not hold in `Authorization` must not become that of the request.
 */
async function authenticate(
  httpAuth: CredentialsReader,
  request: Verification,
  { kind, token }: PresentedToken,
): Promise<VerifiedCredential['credentials']> {
  const own = request.req as Request;
  const req = tokenOf(own) === token ? own : substituteRequest(token, kind);
  const credentials = await httpAuth.credentials(req, {
    allow: kind === 'bearer' ? ['user', 'service'] : ['user'],
    allowLimitedAccess: kind === 'user-cookie',
  });
  if (!acceptsPrincipal(credentials, kind)) {
    throw new AuthenticationError('Not the principal of such a token');
  }
  return credentials;
}

/**
 * Returns whether a token may be that of a principal. A cookie holds a user's own: services have no cookies, and none acts for a user
 * through one. A custom `httpAuth` may return others than the gate asks for.
 */
export function acceptsPrincipal(
  credentials: VerifiedCredential['credentials'],
  kind: PresentedToken['kind'],
): boolean {
  return kind === 'bearer'
    ? ['user', 'service'].includes(credentials.principal.type)
    : isUser(credentials) && !credentials.principal.actor;
}

/** Returns whether credentials are those of a token: a custom `httpAuth` may have authenticated a different one. */
export function isSubject(
  { principal }: VerifiedCredential['credentials'],
  { userToken }: Token,
): boolean {
  return (
    principal.type !== 'user' || principal.userEntityRef === userToken?.sub
  );
}

/** Follows the clock and the keys of the issuer by a token that has verified. */
export function observeToken(
  { userToken }: Token,
  { issuerClock, keyEndpoints, plugins }: GateServices,
): void {
  issuerClock.observe(userToken?.iat);
  keyEndpoints.observe(userToken, plugins.anyRegistered().discovery);
}
