import type { Config } from '@backstage/config';
import { asObject, check } from './values';

export const ACCESS_KEY = 'backend.auth.externalAccess';

/** Backstage's own types, whose tokens have the subject of their entry. Any other type but `jwks` is that of a handler of the adopter's. */
const OWN_TYPES: unknown[] = ['static', 'legacy'];

/** Tokens of the older setting `backend.auth.keys` share a subject. */
const FORMER_SUBJECT = 'external:backstage-plugin';

/** Backstage's own: a token with such a subject would pass for a plugin or a user, in handlers and in logs. */
export const OTHERS_SUBJECT = /^(plugin|user):/i;

/** Refuses entries whose tokens would have the subject of a plugin or a user. Those of `jwks` entries begin with `external:`. */
export function checkExternalSubjects(rootConfig: Config): void {
  for (const { at, subject } of readExternalTokens(rootConfig)) {
    check(
      !OTHERS_SUBJECT.test(subject),
      `${at}.options.subject must not begin as that of a plugin or a user: write another one, such as ci-deploy`,
    );
  }
}

/**
 * Returns the subjects that the configuration names. The subjects of a `jwks` entry are in its tokens. Backstage itself checks
 * these settings, so this function leaves out what it can't read.
 */
export function readExternalTokens(rootConfig: Config) {
  return readEntries(rootConfig).flatMap((entry, i) => {
    const { accessRestrictions, type } = entry;
    const { subject } = asObject(entry.options);
    return typeof subject === 'string' && subject !== ''
      ? [
          {
            subject,
            /** Config path of the entry. */
            at: `${ACCESS_KEY}[${i}]`,
            type,
            /** Whether `accessRestrictions` name the plugins that it may call. */
            isRestricted: accessRestrictions !== undefined,
            /** The plugins that they name. */
            ...(Array.isArray(accessRestrictions) && {
              plugins: accessRestrictions.map(each => asObject(each).plugin),
            }),
          },
        ]
      : [];
  });
}

/** An entry of `backend.auth.externalAccess` whose tokens all have one subject. */
export type ExternalToken = Pick<
  ReturnType<typeof readExternalTokens>[number],
  'isRestricted' | 'subject'
>;

/** Returns the subjects that external tokens can have, as far as the configuration has them. */
export function readExternalSubjects(rootConfig: Config) {
  const tokens = readExternalTokens(rootConfig);
  const named = tokens
    .filter(({ type }) => OWN_TYPES.includes(type))
    .map(({ subject }) => subject);
  if (readEntries(rootConfig, 'keys').length > 0) {
    named.push(FORMER_SUBJECT);
  }
  const issuers = readEntries(rootConfig).flatMap(({ options, type }, i) => {
    const { subjectPrefix, url } = asObject(options);
    const ofJwks = subjectPrefix ? `external:${subjectPrefix}:` : 'external:';
    const prefix = type === 'jwks' ? ofJwks : '';
    return typeof type !== 'string' || OWN_TYPES.includes(type)
      ? []
      : [{ at: `${ACCESS_KEY}[${i}]`, prefix, url }];
  });
  const isPossible = (subject: string) =>
    named.includes(subject) ||
    issuers.some(
      ({ prefix }) =>
        (subject.startsWith(prefix) && subject !== prefix) ||
        (/^external:.*\*$/.test(subject) &&
          prefix.startsWith(subject.slice(0, -1))),
    );
  return {
    /** The entries whose tokens all have one subject. */
    tokens,
    /** The subjects of `static` and `legacy` tokens. */
    named,
    /** The other entries, each with the prefix of its tokens' subjects: empty for a handler of the adopter's, which may return any subject. */
    issuers,
    /** Whether a token may have a subject or, for a text that ends with `*`, a subject that begins with the text before it. */
    isPossible,
    /** Finds subjects that may be meant by one that no token can have. */
    findLikely: (subject: string) =>
      subject.endsWith('*')
        ? issuers.map(({ prefix }) => `${prefix}*`)
        : [...named, ...[`external:${subject}`].filter(isPossible)],
  };
}

/** Returns the entries of `backend.auth.externalAccess`, or of the older setting. Backstage itself checks them. */
export function readEntries(
  rootConfig: Config,
  key: 'externalAccess' | 'keys' = 'externalAccess',
): Record<string, unknown>[] {
  // A longer path throws where a parent has a wrong type, and the whole configuration is slow to copy for each rule.
  const { auth } = asObject(rootConfig.getOptional('backend'));
  const entries = asObject(auth)[key];
  return Array.isArray(entries) ? entries.map(asObject) : [];
}
