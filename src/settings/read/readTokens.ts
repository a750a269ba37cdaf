import type { Config } from '@backstage/config';
import { omit } from 'lodash';
import type { TokenEntry } from '../../gate/rules/GateSettings';
import { readOpenedRequests } from './readAllowRules';
import { readExternalSubjects } from './readExternalTokens';
import {
  check,
  didYouMean,
  readEndAndReason,
  readList,
  readObject,
} from './values';

// Backstage allows no space in the subjects that the configuration names.
const SUBJECT = /^[^\s*]{1,1000}\*?$/;

/** Backstage's own: no external token has such a subject, unless it pretends to be somebody else's. */
const NO_EXTERNAL_SUBJECT = /^(plugin|user):/i;

/** Reads `auth.apiGate.tokens`. A subject that no external token can have is an error, because its entry would limit nothing. */
export function readTokens(
  value: unknown,
  configPath: string,
  rootConfig: Config,
  isLegacy = false,
): TokenEntry[] {
  check(
    !isLegacy || value === undefined,
    `${configPath} needs the new backend system, since all service tokens of the legacy one have the same subject, those of plugins too: remove it`,
  );
  const subjects = readExternalSubjects(rootConfig);
  const entries: TokenEntry[] = [];
  return readList(
    value,
    configPath,
    'a list of objects, each with the subject of an external token',
    (item, path) => {
      const entry = readToken(item, path);
      const { subject } = entry;
      const isDefault = subject.endsWith('*');
      const known = subjects.findLikely(subject);
      const hint =
        didYouMean(subject, known) || (known[0] ? `, such as ${known[0]}` : '');
      check(
        subjects.isPossible(subject),
        `${path}.subject must be one that an entry of backend.auth.externalAccess has${hint}: add that entry, correct the subject, or remove ${path}`,
      );
      const i = entries.findIndex(each => each.subject === subject);
      const addUp = [entries[i], entry].every(
        each => Array.isArray(each?.only) && !isDefault,
      );
      check(
        i === -1 || addUp,
        `${path}.subject is in ${configPath}[${i}] too: write one entry${isDefault ? '' : ', or give each of them a list of requests as only'}`,
      );
      entries.push(entry);
      return entry;
    },
  );
}

/** Returns the entries that a change has removed and that stay in force until a restart: defaults, and entries for tokens that Backstage still accepts. */
export function findRemovedTokens(
  before: { tokens: TokenEntry[] },
  after: { tokens: TokenEntry[] },
  namedAtStart: readonly string[],
  rootConfig: Config,
): TokenEntry[] {
  const { isPossible, named } = readExternalSubjects(rootConfig);
  const removed = before.tokens.filter(({ subject }) =>
    namedAtStart.includes(subject) || subject.endsWith('*')
      ? !named.includes(subject) &&
        !after.tokens.some(each => each.subject === subject)
      : !isPossible(subject),
  );
  // Limits stay, and no exemption from the limits of a default.
  return removed.map(entry =>
    entry.only === 'all' ? omit(entry, 'only') : entry,
  );
}

function readToken(value: unknown, configPath: string): TokenEntry {
  const keys = ['subject', 'only', 'until', 'reason'] as const;
  const { subject, only, ...others } = readObject(value, configPath, keys);
  const at = `${configPath}.subject`;
  check(
    typeof subject === 'string' &&
      SUBJECT.test(subject) &&
      !NO_EXTERNAL_SUBJECT.test(subject),
    `${at} must be the subject of an external token, and of no plugin or user, as text without spaces, or the beginning of subjects followed by one *, such as external:*`,
  );
  const isList = Array.isArray(only);
  const isEmpty = isList && only.length === 0 && !subject.endsWith('*');
  check(
    only === undefined || only === 'all' || (isList && !isEmpty),
    `${configPath}.only must be a list with one request or more, each with a plugin and a path, or all; only a subject that ends with * may have an empty list`,
  );
  return {
    subject,
    ...(only !== undefined && {
      only: isList
        ? only.map((each, i) =>
            readOpenedRequests(each, `${configPath}.only[${i}]`),
          )
        : only,
    }),
    ...readEndAndReason(others, configPath, 'what the token is for'),
  };
}
