import type { Config } from '@backstage/config';
import { PLUGIN_KEYS_PATH } from '../../gate/read/requestLine';
import type { DenyRule } from '../../gate/rules/DenyList';
import { isFullEntityRef, userKey } from '../../gate/util/entityRef';
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

const KEYS = [
  ...(['plugin', 'path', 'methods', 'for', 'except'] as const),
  ...(['until', 'reason'] as const),
];
const CALLERS = ['users', 'tokens', 'plugins'] as const;

/** Reads `auth.apiGate.deny`. A rule that is in doubt is an error, so that none denies less than it says. */
export function readDenyRules(
  value: unknown,
  configPath: string,
  rootConfig: Config,
  isLegacy = false,
): DenyRule[] {
  const subjects = readExternalSubjects(rootConfig);
  const isUserOrGroup = (text: string) => /^(user|group):/i.test(text);
  const isCaller = (text: string) =>
    isUserOrGroup(text)
      ? isFullEntityRef(text)
      : !/^plugin:/i.test(text) && subjects.isPossible(text);
  return readList(
    value,
    configPath,
    'a list of rules, each with a plugin and a path',
    (item, at): DenyRule => {
      const rule = readObject(item, at, KEYS);
      const {
        methods,
        path,
        plugin,
        for: callers = ['users', 'tokens'],
      } = rule;
      const place = readPluginPath({ plugin, path }, at);
      check(
        place.plugin !== 'auth' && place.plugin !== 'app',
        `${at}.plugin must not be ${plugin}: the routes of auth are for signing in, and app is served at / as well, where the gate is not`,
      );
      check(
        place.path.toLowerCase() !== PLUGIN_KEYS_PATH,
        `${at}.path is that of the keys that verify tokens, and no rule can name it: remove the rule`,
      );
      check(
        Array.isArray(callers) && callers.length > 0,
        `${at}.for must be a list of ${CALLERS.join(', ')}; leave it out for [users, tokens]`,
      );
      callers.forEach((each, i) =>
        checkOneOf(each, `${at}.for[${i}]`, CALLERS),
      );
      check(
        !isLegacy || callers.every(each => each === 'users'),
        `${at}.for must be [users] on the legacy backend system, where all service tokens have the same subject`,
      );
      const except = readStringList(rule.except, `${at}.except`, {
        isValid: isCaller,
        description:
          'a user or a group in full, such as group:default/sre, or the subject of an entry of backend.auth.externalAccess',
      });
      return {
        ...place,
        methods:
          methods === undefined ? ['*'] : readMethods(methods, `${at}.methods`),
        for: callers,
        except: except.map(each =>
          isUserOrGroup(each) ? userKey(each) : each,
        ),
        ...readEndAndReason(rule, at, 'why this is denied'),
      };
    },
  );
}
