import type { JsonValue } from '@backstage/types';
import { readObject, readOneOf, readStringList } from './values';

/** `auth.apiGate.signOut`, checked and with its defaults. */
export interface SignOutSettings {
  /** What a sign-out ends: the session of this browser's cookie, or all of the user's. */
  scope: 'session' | 'user';
  /** Ids of the providers whose `logout` is a sign-out, lower case. */
  providers: ReadonlySet<string>;
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
  const { scope, providers } = readObject(value ?? {}, {
    path: configPath,
    keys: ['scope', 'providers'],
  });
  const ids = [
    ...Object.entries(asObject(authProviders))
      .filter(([, settings]) => signsUsersIn(settings))
      .map(([id]) => id),
    ...readStringList(providers, `${configPath}.providers`),
  ];
  return {
    scope: readOneOf(
      scope,
      `${configPath}.scope`,
      ['session', 'user'],
      'session',
    ),
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
