import { InputError } from '@backstage/errors';
import type { JsonValue } from '@backstage/types';
import { readObject, readOneOf, readStringList } from './values';

/** `auth.apiGate.signOut`, checked and with its defaults. */
export interface SignOutSettings {
  /** What a sign-out ends: the session of this browser's cookie, or all of the user's. */
  scope: 'session' | 'user';
  /** Ids of the providers whose `logout` is a sign-out, lower case. */
  providers: ReadonlySet<string>;
  /** Whether a sign-out of scope `user` also ends the refresh tokens of OAuth clients. */
  offlineSessions: 'keep' | 'end';
}

/**
 * @param authProviders - `auth.providers`: one that has `signIn` signs users in; others connect accounts
 * @throws InputError of one line that names the config path and what to write instead
 */
export function readSignOutSettings(
  value: unknown,
  configPath: string,
  authProviders: JsonValue | undefined,
): SignOutSettings {
  const settings = readObject(value ?? {}, {
    path: configPath,
    keys: ['scope', 'providers', 'offlineSessions'],
  });
  const scope = readOneOf(
    settings.scope,
    `${configPath}.scope`,
    ['session', 'user'],
    'session',
  );
  const offlineSessions = readOneOf(
    settings.offlineSessions,
    `${configPath}.offlineSessions`,
    ['keep', 'end'],
    'keep',
  );
  if (offlineSessions === 'end' && scope !== 'user') {
    throw new InputError(
      `${configPath}.offlineSessions must be keep unless ${configPath}.scope is user: a sign-out of one session leaves other clients alone`,
    );
  }
  const ids = [
    ...Object.entries(asObject(authProviders))
      .filter(([, provider]) => signsUsersIn(provider))
      .map(([id]) => id),
    ...readStringList(settings.providers, `${configPath}.providers`),
  ];
  return {
    scope,
    offlineSessions,
    providers: new Set(ids.map(id => id.toLowerCase())),
  };
}

/** `signIn` stands in a provider's settings, or one level below, per environment. */
function signsUsersIn(settings: JsonValue | undefined): boolean {
  return [settings, ...Object.values(asObject(settings))].some(
    level => asObject(level).signIn !== undefined,
  );
}

function asObject(
  value: JsonValue | undefined,
): Record<string, JsonValue | undefined> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? value
    : {};
}
