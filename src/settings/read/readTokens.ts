import type { Config } from '@backstage/config';
import type { TokenEntry } from '../../gate/rules/GateSettings';
import { readOpenedRequests } from './readAllowRules';
import { OTHERS_SUBJECT, readExternalSubjects } from './readExternalTokens';
import {
  check,
  didYouMean,
  readEndAndReason,
  readList,
  readObject,
} from './values';

// Backstage allows no space in the subjects that the configuration names.
const SUBJECT = /^[^\s*]{1,1000}\*?$/;

/**
 * Reads `auth.apiGate.tokens`. Once the setting is there, it has everything that external tokens may do: a token without an entry may
 * do nothing, and an entry without `only` is an error, because a lost line must not allow more. A subject that no external token can
 * have is an error, too.
 */
export function readTokens(
  value: unknown,
  configPath: string,
  rootConfig: Config,
  isLegacy = false,
): TokenEntry[] | undefined {
  if (value === undefined) {
    return undefined;
  }
  check(
    !isLegacy,
    `${configPath} needs the new backend system, since all service tokens of the legacy one have the same subject, those of plugins too: remove it`,
  );
  const subjects = readExternalSubjects(rootConfig);
  return readList(
    value,
    configPath,
    'a list of objects, each with the subject of an external token',
    (item, path) => readToken(item, path, subjects),
  );
}

function readToken(
  value: unknown,
  configPath: string,
  subjects: ReturnType<typeof readExternalSubjects>,
): TokenEntry {
  const keys = ['subject', 'only', 'until', 'reason'] as const;
  const { subject, only, ...others } = readObject(value, configPath, keys);
  const at = `${configPath}.subject`;
  check(
    typeof subject === 'string' &&
      SUBJECT.test(subject) &&
      !OTHERS_SUBJECT.test(subject),
    `${at} must be the subject of an external token, and of no plugin or user, as text without spaces, or the beginning of subjects followed by one *, such as external:*`,
  );
  const known = subjects.findLikely(subject);
  const hint =
    didYouMean(subject, known) || (known[0] ? `, such as ${known[0]}` : '');
  check(
    subjects.isPossible(subject),
    `${at} must be one that an entry of backend.auth.externalAccess has${hint}: add that entry, correct the subject, or remove ${configPath}`,
  );
  const isList = Array.isArray(only);
  const isEmpty = isList && only.length === 0 && !subject.endsWith('*');
  check(
    only === 'all' || (isList && !isEmpty),
    `${configPath}.only must be a list with one request or more, each with a plugin and a path, or all for every request; only a subject that ends with * may have an empty list`,
  );
  return {
    subject,
    only: isList
      ? only.map((each, i) =>
          readOpenedRequests(each, `${configPath}.only[${i}]`),
        )
      : only,
    ...readEndAndReason(others, configPath, 'what the token is for'),
  };
}
