import type {
  BackstageCredentials,
  BackstageServicePrincipal,
  BackstageUserPrincipal,
} from '@backstage/backend-plugin-api';
import { AuthenticationError } from '@backstage/errors';
import { tokenTypes } from '@backstage/plugin-auth-node';
import type { Request } from 'express';
import type {
  BackendPlugins,
  CredentialsReader,
  TargetPlugin,
} from './BackendPlugins';
import type { Policy } from '../policy/Policy';
import { Refusal } from '../decision/Refusal';
import type { IssuerClock } from '../revocation/IssuerClock';
import type { GateObserver } from '../decision/GateObserver';
import { isPromise, MaybePromise, then } from '../util/then';
import { explainFailure } from './explainFailure';
import { DecodedToken, isCompactJws, isExpired, Token } from './token';
import type { KeyEndpoints } from './KeyEndpoints';
import type { NegativeTokenCache } from './NegativeTokenCache';
import type { OwnIssuer } from './OwnIssuer';
import type { PresentedCredential } from './readCredential';
import { substituteRequest } from './substituteRequest';
import type { TokenCache } from './TokenCache';

/** A credential that holds a token. */
export type PresentedToken = Extract<PresentedCredential, { token: string }>;

/** A verified token, and the result of Backstage's `httpAuth`. */
export interface VerifiedCredential {
  credentials: BackstageCredentials<
    BackstageUserPrincipal | BackstageServicePrincipal
  >;
  token: Token;
}

/** The services that verification needs. */
export interface VerifyOptions {
  plugins: BackendPlugins;
  invalidTokens: NegativeTokenCache;
  keyEndpoints: Pick<
    KeyEndpoints,
    'assertCallerKnown' | 'hasKeysOf' | 'observe'
  >;
  ownIssuer: Pick<OwnIssuer, 'get'>;
  tokens: TokenCache;
  issuerClock: Pick<IssuerClock, 'observe'>;
}

/**
 * Verifies a token with the `httpAuth` of the plugin that the request is for. Only Backstage verifies signatures. The result is
 * no promise if the token is cached and nothing has to be waited for.
 *
 * @throws Refusal 401 for every error, except: 403 if the token's access restrictions exclude this plugin, and 503 if the keys
 *   are not available. It is thrown at once, or the promise rejects.
 */
export function verifyCredential(
  req: Request,
  plugin: Pick<TargetPlugin, 'id' | 'httpAuthFor'>,
  presented: PresentedToken,
  policy: Policy,
  options: VerifyOptions,
): MaybePromise<VerifiedCredential> {
  const { invalidTokens, issuerClock, keyEndpoints, plugins, tokens } = options;
  const token = tokens.read(presented.token);
  const { claims, userToken } = token;

  // Refuse early, before the signature is verified.
  if (claims && !isCompactJws(token.text)) {
    throw Refusal.invalid.malformed;
  }
  if (claims && isExpired(claims)) {
    throw Refusal.invalid.expired;
  }
  const failureKey = () => `${plugin.id} ${presented.kind} ${token.digest}`;
  const known = invalidTokens.isEmpty
    ? undefined
    : invalidTokens.get(failureKey());
  if (known) {
    throw known;
  }
  const { discovery } = plugins.anyRegistered();
  const authenticate = (httpAuth: CredentialsReader) =>
    recall(httpAuth, req, token, presented.kind) ??
    authenticateAfresh(httpAuth, req, presented).catch(error =>
      explainFailure(error, token, presented, plugin.id, failureKey, options),
    );
  const accept = (credentials: VerifiedCredential['credentials']) => {
    // A custom `httpAuth` may have authenticated a different token, so check that its principal is this token's subject.
    const { principal } = credentials;
    if (
      principal.type === 'user' &&
      principal.userEntityRef !== userToken?.sub
    ) {
      throw Refusal.invalidToken;
    }
    return then(isTrustedIssuer(userToken, policy, options), isTrusted => {
      if (!isTrusted) {
        throw Refusal.untrustedIssuer.of(userToken?.sub);
      }
      issuerClock.observe(userToken?.iat);
      keyEndpoints.observe(userToken, discovery);
      tokens.remember(token);
      return { credentials, token };
    });
  };

  return then(keyEndpoints.assertCallerKnown(claims, discovery), () =>
    then(userToken && plugins.userKeysStarted(), () =>
      then(plugin.httpAuthFor(claims), httpAuth =>
        then(authenticate(httpAuth), accept),
      ),
    ),
  );
}

/** Calls {@link verifyCredential} and records its duration, on success and on failure. */
export function verifyTimed(
  req: Request,
  plugin: Pick<TargetPlugin, 'id' | 'httpAuthFor'>,
  presented: PresentedToken,
  policy: Policy,
  options: VerifyOptions & {
    observer: Pick<GateObserver, 'verified' | 'externalTokenUsed'>;
  },
): MaybePromise<VerifiedCredential> {
  const { observer } = options;
  const startedAt = performance.now();
  const record = () =>
    observer.verified((performance.now() - startedAt) / 1000);
  let verified: MaybePromise<VerifiedCredential> | undefined;
  try {
    verified = verifyCredential(req, plugin, presented, policy, options);
  } finally {
    if (!isPromise(verified)) {
      record();
    }
  }
  return then(isPromise(verified) ? verified.finally(record) : verified, of => {
    const { principal } = of.credentials;
    const isPlugin = of.token.claims?.typ === tokenTypes.plugin.typParam;
    if (principal.type === 'service' && !isPlugin) {
      observer.externalTokenUsed(principal.subject, plugin.id);
    }
    return of;
  });
}

/** Returns the credentials of a cached token, if they are such as {@link authenticateAfresh} accepts. */
function recall(
  httpAuth: CredentialsReader,
  req: Request,
  token: Token,
  kind: PresentedToken['kind'],
): VerifiedCredential['credentials'] | undefined {
  // Backstage's own cookie gives limited access, which the credentials barrier asks for in its own way.
  if (kind === 'user-cookie') {
    return undefined;
  }
  const credentials = httpAuth.recall?.(req, token);
  const principal = credentials?.principal;
  return (principal?.type === 'user' &&
    (kind === 'bearer' || !principal.actor)) ||
    (principal?.type === 'service' && kind === 'bearer')
    ? credentials
    : undefined;
}

/** Chooses the request object for `httpAuth`, which caches its result per request object. */
async function authenticateAfresh(
  httpAuth: CredentialsReader,
  req: Request,
  presented: PresentedToken,
): Promise<VerifiedCredential['credentials']> {
  switch (presented.kind) {
    case 'bearer':
      // Use the request itself, so that the credentials barrier behind the gate finds the cached result and need not verify
      // again.
      return httpAuth.credentials(req, { allow: ['user', 'service'] });
    case 'user-cookie':
      return onlyUsers(
        await httpAuth.credentials(req, {
          allow: ['user'],
          allowLimitedAccess: true,
        }),
      );
    default:
      return onlyUsers(
        await httpAuth.credentials(substituteRequest(presented.token), {
          allow: ['user'],
        }),
      );
  }
}

/**
 * Accepts user credentials only. A cookie holds a user's own token; services have no cookies, and none acts for a user through
 * one.
 */
function onlyUsers(
  credentials: BackstageCredentials<BackstageUserPrincipal>,
): BackstageCredentials<BackstageUserPrincipal> {
  if (credentials.principal.actor) {
    throw new AuthenticationError('A service acts for the user');
  }
  return credentials;
}

/**
 * Returns whether the issuer of a user token is this deployment's own `auth` plugin, found by discovery, or one that the
 * configuration adds (RFC 7519, section 4.1.1). Backstage does not check it, but two deployments may share their keys. Limited
 * tokens carry no issuer.
 */
export function isTrustedIssuer(
  userToken: DecodedToken | undefined,
  { config }: Policy,
  { ownIssuer }: VerifyOptions,
): MaybePromise<boolean> {
  if (!userToken || userToken.typ === tokenTypes.limitedUser.typParam) {
    return true;
  }
  const { iss } = userToken;
  if (iss === undefined || config.issuers.includes(iss)) {
    return iss !== undefined;
  }
  return then(ownIssuer.get(), own => iss === own);
}
