import { endOf } from '../../gate/rules/AllowRule';
import { findDefault, withDefaults } from '../../gate/rules/TokenLimits';
import {
  readExternalSubjects,
  readExternalTokens,
} from '../../settings/read/readExternalTokens';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import { asObject, isObject } from '../../settings/read/values';
import { asList, isText } from './backstageSettings';
import { Facts, findAbsentPlugin, findEnd, Possible } from './Finding';

export function findTokenFindings(facts: Facts): Possible[] {
  return [
    ...findUnrestricted(facts),
    ...findUnlisted(facts),
    ...findEndless(facts),
    ...findLimits(facts),
  ];
}

/** Finds entries of `backend.auth.externalAccess` and `backend.auth.keys` that are valid everywhere. */
function findUnrestricted({ get }: Facts): Possible[] {
  return ['backend.auth.externalAccess', 'backend.auth.keys'].flatMap(key =>
    asList(get(key))
      .filter(isObject)
      .map(({ options, accessRestrictions }, i): Possible => {
        const { subject, url } = asObject(options);
        const name = [subject, url].find(isText);
        return (
          asList(accessRestrictions).length === 0 && {
            id: 'unrestricted-external-token',
            at: `${key}[${i}]${name ? ` (${withoutSecrets(name)})` : ''}`,
            why: 'is valid for every route of every plugin',
            write:
              'add accessRestrictions with the plugins that it calls, and those that handlers call for it',
          }
        );
      }),
  );
}

/** Finds `jwks` entries that accept any subject of their issuer, because no default in `auth.apiGate.tokens` limits all of these subjects. */
function findUnlisted({ config, gate }: Facts): Possible[] {
  return readExternalSubjects(config).issuers.map(
    ({ at, prefix, url }) =>
      prefix !== '' &&
      !findDefault(prefix, gate.tokens) && {
        id: 'issuer-without-default',
        at: `${at}${isText(url) ? ` (${withoutSecrets(url)})` : ''}`,
        why: 'accepts every subject of its issuer, also those that nobody has listed',
        write: `add { subject: '${prefix}*', only: [] } to ${CONFIG_KEY}.tokens, and an entry with only for each subject that may call`,
      },
  );
}

/** Returns a name without what may be a secret of a URL. */
function withoutSecrets(name: string): string {
  return name.replace(/\/\/[^/@]*@/, '//').replace(/[?#].*/s, '');
}

/** Finds tokens that never end: a `static` token itself, and the secret of a `legacy` entry. The tokens of issuers expire. */
function findEndless({ config, gate }: Facts): Possible[] {
  const limits = withDefaults(gate.tokens);
  return readExternalTokens(config).map(({ at, subject, type }): Possible => {
    const own = limits.filter(entry => entry.subject === subject);
    const ends = own.length > 0 && own.every(each => endOf(each) < Infinity);
    return (
      (type === 'static' || type === 'legacy') &&
      !ends && {
        id: 'token-without-end',
        at: `${at} (${subject})`,
        why: 'never ends',
        write: `add { subject: ${subject}, until: … } to ${CONFIG_KEY}.tokens, and renew the token before that day`,
      }
    );
  });
}

function findLimits(facts: Facts): Possible[] {
  const { config, gate, usage } = facts;
  const named = readExternalTokens(config).map(({ subject }) => subject);
  return gate.tokens.flatMap((entry, i) => {
    const { only, subject } = entry;
    const path = `${CONFIG_KEY}.tokens[${i}]`;
    const used = usage?.externalTokens.find(each => each.subject === subject);
    return [
      findEnd(entry, 'allows', `${path} (${subject})`, facts),
      usage?.complete &&
        !named.includes(subject) &&
        !subject.endsWith('*') &&
        !used?.lastUsed && {
          id: 'token-never-seen' as const,
          at: `${path} (${subject})`,
          why: 'limits a subject that no token has had in the time of the record, so that a misspelt one limits nothing',
          write:
            'compare the subject with that of the token, in the policy report or in the log of a refusal',
        },
      ...(Array.isArray(only) ? only : []).map(({ plugin }, j) =>
        findAbsentPlugin(facts, plugin, `${path}.only[${j}] (${subject})`),
      ),
    ];
  });
}
