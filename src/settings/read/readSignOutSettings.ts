import type { GateSettings } from '../../gate/rules/GateSettings';
import {
  asObject,
  check,
  checkOneOf,
  readObject,
  readStringList,
} from './values';

/** @param authProviders - `auth.providers`: one that has `signIn` signs users in; others connect accounts */
export function readSignOutSettings(
  value: unknown,
  configPath: string,
  authProviders: unknown,
): GateSettings['signOut'] {
  const keys = ['scope', 'providers', 'offlineSessions'] as const;
  const settings = readObject(value ?? {}, configPath, keys);
  const { scope = 'session', providers, offlineSessions = 'keep' } = settings;
  checkOneOf(scope, `${configPath}.scope`, ['session', 'user']);
  checkOneOf(offlineSessions, `${configPath}.offlineSessions`, ['keep', 'end']);
  check(
    offlineSessions === 'keep' || scope === 'user',
    `${configPath}.offlineSessions must be keep unless ${configPath}.scope is user: a sign-out of one session leaves other clients alone`,
  );
  const configured = asObject(authProviders);
  const ids = [
    ...Object.keys(configured).filter(id => signsUsersIn(configured[id])),
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
  const settings = asObject(provider);
  return [settings, ...Object.values(settings)].some(
    level => asObject(level).signIn !== undefined,
  );
}
