import type { Config } from '@backstage/config';
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
const SUBJECT = /^\S{1,1000}$/;

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
  const first = new Map<string, { path: string; entry: TokenEntry }>();
  return readList(
    value,
    configPath,
    'a list of objects, each with the subject of an external token',
    (item, path) => {
      const entry = readToken(item, path);
      const { subject } = entry;
      const [example] = subjects.named;
      const hint =
        didYouMean(subject, subjects.named) ||
        (example ? `, such as ${example}` : '');
      check(
        subjects.isPossible(subject),
        `${path}.subject must be one that an entry of backend.auth.externalAccess has${hint}: add that entry, correct the subject, or remove ${path}`,
      );
      const other = first.get(subject) ?? { path, entry };
      check(
        other.entry === entry || Boolean(other.entry.only && entry.only),
        `${path}.subject is that of ${other.path}: write one entry, or only in each of them`,
      );
      first.set(subject, other);
      return entry;
    },
  );
}

/** Returns the entries whose tokens Backstage still accepts although the new configuration does not have them. */
export function findRemovedTokens(
  before: { tokens: TokenEntry[] },
  after: { tokens: TokenEntry[] },
  namedAtStart: readonly string[],
  rootConfig: Config,
): TokenEntry[] {
  const { isPossible, named } = readExternalSubjects(rootConfig);
  return before.tokens.filter(({ subject }) =>
    namedAtStart.includes(subject)
      ? !named.includes(subject) &&
        !after.tokens.some(each => each.subject === subject)
      : !isPossible(subject),
  );
}

function readToken(value: unknown, configPath: string): TokenEntry {
  const keys = ['subject', 'only', 'until', 'reason'] as const;
  const { subject, only, ...others } = readObject(value, configPath, keys);
  const at = `${configPath}.subject`;
  check(
    typeof subject === 'string' && SUBJECT.test(subject),
    `${at} must be the subject of an external token, as text without spaces`,
  );
  check(
    !NO_EXTERNAL_SUBJECT.test(subject),
    `${at} must be that of an external token: a plugin or a user can not be limited here`,
  );
  check(
    only === undefined || (Array.isArray(only) && only.length > 0),
    `${configPath}.only must be a list with one request or more, each with a plugin and a path; leave it out to allow all`,
  );
  return {
    subject,
    ...(only !== undefined && {
      only: only.map((each, i) =>
        readOpenedRequests(each, `${configPath}.only[${i}]`),
      ),
    }),
    ...readEndAndReason(others, configPath, 'what the token is for'),
  };
}
