import type {
  BackstageCredentials,
  BackstageServicePrincipal,
  BackstageUserPrincipal,
} from '@backstage/backend-plugin-api';
import { AuthenticationError, isError } from '@backstage/errors';
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
import { PLUGIN_KEYS_PATH, USER_KEYS_PATH } from '../http/backstagePaths';
import {
  DecodedToken,
  isCompactJws,
  isExpired,
  effectiveUserToken,
} from './token';
import type { CallingPlugins } from './CallingPlugins';
import type { DecodedTokens } from './DecodedTokens';
import { digestOf } from './digestOf';
import { findRestrictedSubject } from './findRestrictedSubject';
import { KeyEndpoints, offersKeys } from './KeyEndpoints';
import type { PresentedCredential } from './readCredential';
import type { RecentFailures } from './RecentFailures';

/** A credential that holds a token. */
export type PresentedToken = Extract<PresentedCredential, { token: string }>;

/** A verified token: the result of Backstage's `httpAuth`, and the token's claims. */
export interface VerifiedCredential {
  credentials: BackstageCredentials<
    BackstageUserPrincipal | BackstageServicePrincipal
  >;
  token: string;
  /** `undefined` for external tokens that are no JWT. */
  decoded: DecodedToken | undefined;
  /** The user's own token: the presented one, or the one that a service token carries. */
  userToken: DecodedToken | undefined;
}

/** The services that verification needs. */
export interface VerifyOptions {
  plugins: BackendPlugins;
  callingPlugins: Pick<CallingPlugins, 'assertKnown'>;
  failures: RecentFailures;
  keyEndpoints: KeyEndpoints;
  decodedTokens: DecodedTokens;
  issuerClock: Pick<IssuerClock, 'observe'>;
}

/**
 * Verifies a token with the `httpAuth` of the plugin that the request is for. Only Backstage verifies signatures.
 *
 * @throws Refusal 401 for every error, except: 403 if the token's access restrictions exclude this plugin, and 503 if the keys
 *   are not available
 */
export async function verifyCredential(
  req: Request,
  plugin: Pick<TargetPlugin, 'id' | 'httpAuthFor'>,
  presented: PresentedToken,
  policy: Policy,
  options: VerifyOptions,
): Promise<VerifiedCredential> {
  const { callingPlugins, decodedTokens, failures, plugins } = options;
  const { token } = presented;
  const decoded = decodedTokens.decode(token);
  const userToken = decoded && effectiveUserToken(decoded);

  // Refuse early, before the signature is verified.
  if (decoded && (!isCompactJws(token) || isExpired(decoded))) {
    throw Refusal.invalidToken;
  }
  const failureKey = `${plugin.id} ${presented.kind} ${digestOf(token)}`;
  if (failures.has(failureKey)) {
    throw Refusal.invalidToken;
  }
  // Await only pending promises; each extra microtask is measurable.
  const known = callingPlugins.assertKnown(
    decoded,
    plugins.anyRegistered().discovery,
  );
  if (known) {
    await known;
  }
  const userKeys = userToken && plugins.userKeysStarted();
  if (userKeys) {
    await userKeys;
  }

  const found = plugin.httpAuthFor(decoded);
  const httpAuth = found instanceof Promise ? await found : found;
  let credentials;
  try {
    credentials = await authenticate(httpAuth, req, presented);
  } catch (error) {
    if (
      presented.kind === 'bearer' &&
      isError(error) &&
      error.name === 'NotAllowedError'
    ) {
      throw Refusal.restricted(error.message).of(
        await findRestrictedSubject(token, plugins),
      );
    }
    if (decoded) {
      await assertKeysAvailable(decoded, userToken, options);
    }
    if (isError(error) && error.name === 'AuthenticationError') {
      failures.add(failureKey);
    }
    throw Refusal.invalidToken;
  }

  // A custom `httpAuth` may have authenticated a different token, so check that its principal is this token's subject.
  const { principal } = credentials;
  if (principal.type === 'user' && principal.userEntityRef !== userToken?.sub) {
    throw Refusal.invalidToken;
  }
  // Backstage does not check the issuer, but two deployments may share their keys. Limited tokens carry no issuer.
  if (
    userToken &&
    userToken.typ !== tokenTypes.limitedUser.typParam &&
    !(await isTrustedIssuer(userToken.iss, policy, plugins))
  ) {
    throw Refusal.untrustedIssuer.of(userToken.sub);
  }
  options.issuerClock.observe(userToken?.iat);
  if (decoded) {
    decodedTokens.remember(token, decoded);
  }
  return { credentials, token, decoded, userToken };
}

/** Calls {@link verifyCredential} and records its duration, on success and on failure. */
export async function verifyTimed(
  req: Request,
  plugin: Pick<TargetPlugin, 'id' | 'httpAuthFor'>,
  presented: PresentedToken,
  policy: Policy,
  options: VerifyOptions & {
    observer: Pick<GateObserver, 'verified' | 'externalTokenUsed'>;
  },
): Promise<VerifiedCredential> {
  const { observer } = options;
  const startedAt = performance.now();
  let verified;
  try {
    verified = await verifyCredential(req, plugin, presented, policy, options);
  } finally {
    observer.verified((performance.now() - startedAt) / 1000);
  }
  const { principal } = verified.credentials;
  const isPlugin = verified.decoded?.typ === tokenTypes.plugin.typParam;
  if (principal.type === 'service' && !isPlugin) {
    observer.externalTokenUsed(principal.subject, plugin.id);
  }
  return verified;
}

/** Chooses the request object for `httpAuth`, which caches its result per request object. */
async function authenticate(
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
      // Use a substitute request: `httpAuth` caches credentials on the request, and an unverified cookie must not end up there.
      return onlyUsers(
        await httpAuth.credentials(
          {
            headers: { authorization: `Bearer ${presented.token}` },
          } as Request,
          { allow: ['user'] },
        ),
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
 * Returns whether an issuer is this deployment's own `auth` plugin, found by discovery, or one that the configuration adds (RFC
 * 7519, section 4.1.1).
 */
async function isTrustedIssuer(
  issuer: string | undefined,
  { config }: Policy,
  plugins: BackendPlugins,
): Promise<boolean> {
  return (
    issuer !== undefined &&
    (config.issuers.includes(issuer) ||
      issuer ===
        (await plugins.anyRegistered().discovery.getExternalBaseUrl('auth')))
  );
}

/**
 * Distinguishes an invalid token from one whose keys cannot be fetched; Backstage reports both as an AuthenticationError.
 *
 * @throws Refusal 503
 */
async function assertKeysAvailable(
  decoded: DecodedToken,
  userToken: DecodedToken | undefined,
  { plugins, keyEndpoints }: VerifyOptions,
): Promise<void> {
  const { discovery } = plugins.anyRegistered();
  if (userToken) {
    const url = `${await discovery.getBaseUrl('auth')}${USER_KEYS_PATH}`;
    if (!offersKeys(await keyEndpoints.probe(url))) {
      throw Refusal.keysUnavailable;
    }
  }
  if (decoded.typ === tokenTypes.plugin.typParam) {
    const url = `${await discovery.getBaseUrl(decoded.sub!)}${PLUGIN_KEYS_PATH}`;
    // An empty key set is a valid answer here: a plugin that has called no other plugin has no key yet.
    if (typeof (await keyEndpoints.probe(url)) !== 'number') {
      throw Refusal.keysUnavailable;
    }
  }
}
