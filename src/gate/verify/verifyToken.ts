import type {
  BackstageCredentials,
  BackstageUserPrincipal,
} from '@backstage/backend-plugin-api';
import { AuthenticationError } from '@backstage/errors';
import { tokenTypes } from '@backstage/plugin-auth-node';
import type { TokenKind } from '../Decision';
import type { GateServices } from '../GateServices';
import type { VerifiedToken } from '../judge/findRefused';
import type { TargetPlugin } from '../plugins/BackendPlugins';
import { isExpired, Token } from '../read/token';
import { Refusal, toRefusal } from '../Refusal';
import type { Policy } from '../rules/Policy';
import type { LimitedRequest } from '../rules/TokenLimits';
import { explainFailure, failureKey } from './explainFailure';
import { awaited, Steps } from './steps';

/** The request that a token is verified for. */
export interface Verification extends Partial<LimitedRequest> {
  /** The time by which limits have ended. Default: now. */
  now?: number;
  plugin: Pick<TargetPlugin, 'id' | 'verifierFor'>;
  policy: Policy;
  services: GateServices;
}

export function isUser(
  credentials: VerifiedToken['credentials'],
): credentials is BackstageCredentials<BackstageUserPrincipal> {
  return credentials.principal.type === 'user';
}

/**
 * Verifies a token with the `auth` of the plugin that the request is for. Only Backstage verifies signatures.
 *
 * @returns a refusal: 401 if the token is invalid, 403 if its access restrictions exclude this plugin, and 503 if the keys are not
 *   available, if a plugin does not start, or if anything else fails
 */
export function* verifyToken(
  request: Verification,
  kind: TokenKind,
  token: Token,
): Steps<VerifiedToken | Refusal> {
  try {
    return yield* verify(request, kind, token);
  } catch (error) {
    return toRefusal(error, request.services.logger);
  }
}

/** Verifies a token as a handler might that reads it anywhere: a limited user token as Backstage's own cookie holds it. */
export function verifyAsRead(
  request: Verification,
  token: Token,
): Steps<VerifiedToken | Refusal> {
  const isLimited = token.claims?.typ === tokenTypes.limitedUser.typParam;
  return verifyToken(request, isLimited ? 'user-cookie' : 'bearer', token);
}

function* verify(
  request: Verification,
  kind: TokenKind,
  token: Token,
): Steps<VerifiedToken | Refusal> {
  const { plugin, services } = request;
  const { invalidTokens, keyEndpoints, ownIssuer, plugins, tokens } = services;
  const { claims, userToken } = token;

  // Refuse a token that is wrong by its text alone, or that was invalid a moment ago.
  if (claims && !token.isCompact) {
    return Refusal.because('invalid-token', 'malformed');
  }
  if (claims && isExpired(claims, Date.now())) {
    return Refusal.because('invalid-token', 'expired');
  }
  // Look up no failure of a bearer that the plugin has accepted. The same token may have failed in a cookie, which takes only users.
  const isAccepted =
    kind === 'bearer' && token.verdicts.some(({ key }) => key === plugin.id);
  const known =
    !isAccepted && invalidTokens.get(failureKey(plugin.id, kind, token));
  if (known) {
    return known;
  }
  yield* awaited(keyEndpoints.assertCallerKnown(claims));
  // A user's token is the same for every plugin. A service's is verified for the requested id, installed or not.
  const verifier = yield* awaited(plugin.verifierFor(claims));
  const keysPlugin = userToken && plugins.userKeysPlugin();
  if (keysPlugin && !keysPlugin.isUp()) {
    yield keysPlugin.started();
  }
  // Backstage's own cookie gives limited access.
  const options = { allowLimitedAccess: kind === 'user-cookie' };
  const remembered = verifier.look(token, options);
  let credentials: VerifiedToken['credentials'];
  try {
    credentials = assertPrincipal(
      remembered ?? (yield* awaited(verifier.find(token, options))),
      kind,
      token,
    );
  } catch (error) {
    return yield* explainFailure(error, request, kind, token);
  }
  if (!(yield* awaited(ownIssuer.trusts(userToken)))) {
    return Refusal.because('untrusted-issuer').of(userToken?.sub);
  }
  if (remembered) {
    return toVerifiedToken(credentials, token, request);
  }
  services.issuerClock.observe(userToken ?? {});
  keyEndpoints.observe(userToken);
  tokens.remember(token);
  // The cache may have read the same text as another token since, and keeps that one: it holds whether a browser has the cookie.
  return toVerifiedToken(credentials, tokens.read(token.text), request);
}

/**
 * Asserts that a token may be that of a principal, and returns its credentials. A cookie holds a user's own: services have no cookies,
 * and none acts for a user through one. An `auth` of the app's own may return principals of other kinds, and another user than the one
 * whose sessions the gate looks up.
 */
function assertPrincipal(
  credentials: BackstageCredentials,
  kind: TokenKind,
  { userToken }: Token,
): VerifiedToken['credentials'] {
  const { principal } = credentials as VerifiedToken['credentials'];
  const isAccepted =
    principal.type === 'user'
      ? principal.userEntityRef === userToken?.sub &&
        (kind === 'bearer' || !principal.actor)
      : principal.type === 'service' && kind === 'bearer';
  if (!isAccepted) {
    throw new AuthenticationError(
      'auth returned a principal that this kind of token can not have',
    );
  }
  return credentials as VerifiedToken['credentials'];
}

/** Returns a verified token, excluded if its session has ended, or if `auth.apiGate.tokens` excludes it from this request. */
function toVerifiedToken(
  credentials: VerifiedToken['credentials'],
  token: Token,
  request: Verification,
): VerifiedToken {
  const { policy, services } = request;
  const ended = findSessionRefusal(token, services);
  const subject = externalSubjectOf({ credentials, token });
  if (subject === undefined) {
    return { token, credentials, excluded: ended, session: token.session };
  }
  const limited = request as LimitedRequest;
  const { now = policy.now() } = request;
  const reason = policy.tokenLimits.findRefusal(subject, limited, now);
  const detailOf = () =>
    policy.tokenLimits.hasEntry(subject) ? 'only' : 'no-entry';
  const detail = reason === 'restricted' ? detailOf() : undefined;
  return {
    token,
    credentials,
    excluded: reason ? Refusal.because(reason, detail).of(subject) : ended,
    session: () => {
      const { current } = services.source;
      return current.tokenLimits.endFor(subject, limited, current.now());
    },
  };
}

/**
 * Returns the subject of an external token; `undefined` for a token of a user or of a plugin. The text of a subject alone does not make
 * a plugin of it: Backstage verifies no external token that has the type of plugins' tokens.
 */
export function externalSubjectOf({
  credentials: { principal },
  token: { claims },
}: Pick<VerifiedToken, 'credentials' | 'token'>): string | undefined {
  if (principal.type !== 'service') {
    return undefined;
  }
  const isPlugin =
    claims?.typ === tokenTypes.plugin.typParam &&
    principal.subject.startsWith('plugin:');
  return isPlugin ? undefined : principal.subject;
}

/**
 * Returns the refusal of a verified token: 401 if its session was revoked, or if it is a user's and has no session,
 * and 503 while the list of revocations is not loaded. Tokens of services that act for no user belong to no session.
 */
export function findSessionRefusal(
  { session, userToken }: Token,
  { revocations }: Pick<GateServices, 'revocations'>,
): Refusal | undefined {
  if (!userToken) {
    return undefined;
  }
  if (!session) {
    return Refusal.because('invalid-token', 'malformed');
  }
  if (revocations.isRevoked(session)) {
    return Refusal.because('revoked').of(session.sub);
  }
  return revocations.isLoaded
    ? undefined
    : Refusal.because('revocations-unavailable');
}
