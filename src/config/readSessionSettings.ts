import { userKey } from '../revocation/Revocation';
import { isFullEntityRef } from '../util/entityRef';
import {
  check,
  checkOneOf,
  isObject,
  readDuration,
  readObject,
  readStringList,
} from './values';

/** `auth.apiGate.signOut`, checked and with its defaults. */
export interface SignOutSettings {
  /** A sign-out ends the session of this browser's cookie, or all sessions of the user. */
  scope: 'session' | 'user';
  /** Ids of the providers whose `logout` is a sign-out, lower case. */
  providers: ReadonlySet<string>;
  /** Whether a sign-out of scope `user` also ends the refresh tokens of OAuth clients. */
  offlineSessions: 'keep' | 'end';
}

/** `auth.apiGate.revocation`, checked and with its defaults. */
export interface RevocationSettings {
  /** How often a replica reads what others have revoked. */
  pollIntervalMs: number;
}

/** `auth.apiGate.tokenCache`, checked and with its defaults. */
export interface TokenCacheSettings {
  /** How long a verified token is remembered at most. */
  ttlMs: number;
}

/** @param authProviders - `auth.providers`: one that has `signIn` signs users in; others connect accounts */
export function readSignOutSettings(
  value: unknown,
  configPath: string,
  authProviders: unknown,
): SignOutSettings {
  const {
    scope = 'session',
    providers,
    offlineSessions = 'keep',
  } = readObject(value ?? {}, configPath, [
    'scope',
    'providers',
    'offlineSessions',
  ]);
  checkOneOf(scope, `${configPath}.scope`, ['session', 'user']);
  checkOneOf(offlineSessions, `${configPath}.offlineSessions`, ['keep', 'end']);
  check(
    offlineSessions === 'keep' || scope === 'user',
    `${configPath}.offlineSessions must be keep unless ${configPath}.scope is user: a sign-out of one session leaves other clients alone`,
  );
  const ids = [
    ...Object.entries(isObject(authProviders) ? authProviders : {})
      .filter(([, provider]) => signsUsersIn(provider))
      .map(([id]) => id),
    ...readStringList(providers, `${configPath}.providers`),
  ];
  return {
    scope,
    offlineSessions,
    providers: new Set(ids.map(id => id.toLowerCase())),
  };
}

/** `signIn` stands in a provider's settings, or one level below, per environment. */
function signsUsersIn(provider: unknown): boolean {
  return (
    isObject(provider) &&
    [provider, ...Object.values(provider)].some(
      level => isObject(level) && level.signIn !== undefined,
    )
  );
}

/** Reads who may end the sessions of others and read the policy, in lower case. */
export function readOperators(
  value: unknown,
  configPath: string,
): ReadonlySet<string> {
  const refs = readStringList(value, configPath, {
    isValid: isFullEntityRef,
    description:
      'a full entity reference, such as group:default/platform or user:default/jane',
  });
  return new Set(refs.map(userKey));
}

export function readRevocationSettings(
  value: unknown,
  configPath: string,
): RevocationSettings {
  const { pollInterval } = readObject(value ?? {}, configPath, [
    'pollInterval',
  ]);
  return {
    pollIntervalMs: readDuration(pollInterval, `${configPath}.pollInterval`, {
      defaultSeconds: 2,
      min: '100ms',
      max: '5m',
    }),
  };
}

/** @returns `undefined` if the cache is off */
export function readTokenCacheSettings(
  value: unknown,
  configPath: string,
): TokenCacheSettings | undefined {
  if (value === false) {
    return undefined;
  }
  check(
    value !== true,
    `${configPath} must be false, or an object with the key ttl; leave it out for the default`,
  );
  const { ttl } = readObject(value ?? {}, configPath, ['ttl']);
  return {
    ttlMs: readDuration(ttl, `${configPath}.ttl`, {
      defaultSeconds: 30,
      min: '1s',
      max: '5m',
    }),
  };
}
