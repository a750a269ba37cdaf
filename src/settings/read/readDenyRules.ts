import type { Config } from '@backstage/config';
import { PLUGIN_KEYS_PATH } from '../../gate/read/requestLine';
import { prefixOf } from '../../gate/rules/AllowRule';
import type { DenyRule } from '../../gate/rules/DenyList';
import { userKey } from '../../gate/sessions/Revocation';
import { isFullEntityRef } from '../entityRef';
import { readMethods, readPluginPath } from './readAllowRules';
import { readExternalSubjects } from './readExternalTokens';
import {
  check,
  checkOneOf,
  readEndAndReason,
  readList,
  readObject,
  readStringList,
} from './values';

const CALLERS = ['users', 'tokens', 'plugins'] as const;

/** Reads `auth.apiGate.deny`. A rule that is in doubt is an error, so that none denies less than it says. */
export function readDenyRules(
  value: unknown,
  configPath: string,
  rootConfig: Config,
  isLegacy = false,
): DenyRule[] {
  const subjects = readExternalSubjects(rootConfig);
  const isCaller = (text: string) =>
    isUserOrGroup(text)
      ? isFullEntityRef(text)
      : !/^plugin:|\*$/i.test(text) && subjects.isPossible(text);
  return readList(
    value,
    configPath,
    'a list of rules, each with a plugin and a path',
    (item, at) => {
      const rule = readDenyRule(item, at, isCaller);
      check(
        !isLegacy || rule.for.every(each => each === 'users'),
        `${at}.for must be [users] on the legacy backend system, where all service tokens have the same subject`,
      );
      return rule;
    },
  );
}

function readDenyRule(
  value: unknown,
  configPath: string,
  isCaller: (text: string) => boolean,
): DenyRule {
  const callerKeys = ['for', 'except'] as const;
  const keys = ['plugin', 'path', 'methods', 'until', 'reason'] as const;
  const rule = readObject(value, configPath, [...keys, ...callerKeys]);
  const { methods, path, plugin, for: callers = ['users', 'tokens'] } = rule;
  const place = readPluginPath({ plugin, path }, configPath);
  check(
    place.plugin !== 'auth' && place.plugin !== 'app',
    `${configPath}.plugin must not be ${plugin}: the routes of auth are for signing in, and app is served at / as well, where the gate is not`,
  );
  check(
    prefixOf(place).toLowerCase() !== PLUGIN_KEYS_PATH,
    `${configPath}.path is that of the keys that verify tokens, and no rule can name it: remove the rule`,
  );
  const at = `${configPath}.for`;
  check(
    Array.isArray(callers) && callers.length > 0,
    `${at} must be a list of ${CALLERS.join(', ')}; leave it out for [users, tokens]`,
  );
  for (const [i, each] of callers.entries()) {
    checkOneOf(each, `${at}[${i}]`, CALLERS);
  }
  const except = readStringList(rule.except, `${configPath}.except`, {
    isValid: isCaller,
    description:
      'a user or a group in full, such as group:default/sre, or the subject of an entry of backend.auth.externalAccess',
  });
  return {
    ...place,
    methods:
      methods === undefined
        ? ['*']
        : readMethods(methods, `${configPath}.methods`),
    for: callers,
    except: except.map(each => (isUserOrGroup(each) ? userKey(each) : each)),
    ...readEndAndReason(rule, configPath, 'why this is denied'),
  };
}

function isUserOrGroup(text: string): boolean {
  return /^(user|group):/i.test(text);
}
