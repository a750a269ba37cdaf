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
import { KeyEndpoints, offersKeys } from './KeyEndpoints';
import type { PresentedCredential } from './readCredential';
import type { RecentFailures } from './RecentFailures';

/** A credential of a kind that a token comes in. */
export type PresentedToken = Extract<PresentedCredential, { token: string }>;

/** What Backstage's `httpAuth` said of a token, and what the token says of itself. */
export interface VerifiedCredential {
  credentials: BackstageCredentials<
    BackstageUserPrincipal | BackstageServicePrincipal
  >;
  token: string;
  /** `undefined` for external tokens that are no JWT. */
  decoded: DecodedToken | undefined;
  /** The user's own token: what was presented, or what a service token carries. */
  userToken: DecodedToken | undefined;
}

/** What verifying needs to know of the backend. */
export interface VerifyOptions {
  plugins: BackendPlugins;
  callingPlugins: Pick<CallingPlugins, 'assertKnown'>;
  failures: RecentFailures;
  keyEndpoints: KeyEndpoints;
  decodedTokens: DecodedTokens;
  issuerClock: Pick<IssuerClock, 'observe'>;
}

/**
 * Verifies a token with the `httpAuth` of the plugin that the request is for. Signatures are verified by Backstage alone.
 *
 * @throws Refusal 401 for every error, except: 403 if the token's access restrictions leave this plugin out, and 503 if
 *   the keys can't be had
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

  // What is known without a look at the signature.
  if (decoded && (!isCompactJws(token) || isExpired(decoded))) {
    throw Refusal.invalidToken;
  }
  const failureKey = `${plugin.id} ${presented.kind} ${digestOf(token)}`;
  if (failures.has(failureKey)) {
    throw Refusal.invalidToken;
  }
  // Nothing is awaited that is there: each time costs.
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
      throw Refusal.restricted(error.message);
    }
    if (decoded) {
      await assertKeysAvailable(decoded, userToken, options);
    }
    if (isError(error) && error.name === 'AuthenticationError') {
      failures.add(failureKey);
    }
    throw Refusal.invalidToken;
  }

  // What is judged from here on is what the token says. An app's own `httpAuth` may have looked at another one.
  const { principal } = credentials;
  if (principal.type === 'user' && principal.userEntityRef !== userToken?.sub) {
    throw Refusal.invalidToken;
  }
  // Backstage does not look at it, but the keys of two deployments may be the same. Limited tokens carry none.
  if (
    userToken &&
    userToken.typ !== tokenTypes.limitedUser.typParam &&
    !(await isTrustedIssuer(userToken.iss, policy, plugins))
  ) {
    throw Refusal.untrustedIssuer;
  }
  options.issuerClock.observe(userToken?.iat);
  if (decoded) {
    decodedTokens.remember(token, decoded);
  }
  return { credentials, token, decoded, userToken };
}

/** As {@link verifyCredential}, and tells how long that took, whatever comes of it. */
export async function verifyTimed(
  req: Request,
  plugin: Pick<TargetPlugin, 'id' | 'httpAuthFor'>,
  presented: PresentedToken,
  policy: Policy,
  options: VerifyOptions & { observer: Pick<GateObserver, 'verified'> },
): Promise<VerifiedCredential> {
  const startedAt = performance.now();
  try {
    return await verifyCredential(req, plugin, presented, policy, options);
  } finally {
    options.observer.verified((performance.now() - startedAt) / 1000);
  }
}

/** `httpAuth` remembers its answer per request object, so the object is chosen with care. */
async function authenticate(
  httpAuth: CredentialsReader,
  req: Request,
  presented: PresentedToken,
): Promise<VerifiedCredential['credentials']> {
  switch (presented.kind) {
    case 'bearer':
      // On the request itself: the barrier behind the gate asks the same and need not verify again.
      return httpAuth.credentials(req, { allow: ['user', 'service'] });
    case 'user-cookie':
      return onlyUsers(
        await httpAuth.credentials(req, {
          allow: ['user'],
          allowLimitedAccess: true,
        }),
      );
    default:
      // On a stand-in: the request keeps no `Authorization`, and no memory of it, unless the cookie verifies.
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

/** A cookie holds a user's own token. A service has no cookies, and none acts for a user through one. */
function onlyUsers(
  credentials: BackstageCredentials<BackstageUserPrincipal>,
): BackstageCredentials<BackstageUserPrincipal> {
  if (credentials.principal.actor) {
    throw new AuthenticationError('A service acts for the user');
  }
  return credentials;
}

/** This deployment's own `auth` plugin, found by discovery, and what the configuration adds (RFC 7519, section 4.1.1). */
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
 * Told apart from a token that is not valid: one whose keys can't be had. Backstage answers both alike.
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
    // None is an answer here: a plugin that has called nobody has no key yet.
    if (typeof (await keyEndpoints.probe(url)) !== 'number') {
      throw Refusal.keysUnavailable;
    }
  }
}
