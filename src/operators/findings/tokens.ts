import { endOf } from '../../gate/rules/AllowRule';
import { findDefault, withDefaults } from '../../gate/rules/TokenLimits';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import {
  readExternalSubjects,
  readExternalTokens,
} from '../../settings/read/readExternalTokens';
import { asObject, isObject } from '../../settings/read/values';
import { asList, isText } from './backstageSettings';
import { endsSoon, Facts, Place } from './Finding';

/** Finds entries of `backend.auth.externalAccess` and `backend.auth.keys` that are valid everywhere. */
export function findUnrestricted({ get, isLegacy }: Facts): Place[] {
  const keys = ['backend.auth.externalAccess', 'backend.auth.keys'];
  return (isLegacy ? [] : keys).flatMap(key =>
    asList(get(key))
      .filter(isObject)
      .flatMap(({ options, accessRestrictions }, i) => {
        const { subject, url } = asObject(options);
        const name = [subject, url].find(isText);
        const at = `${key}[${i}]${name ? ` (${withoutSecrets(name)})` : ''}`;
        return asList(accessRestrictions).length === 0 ? [{ at }] : [];
      }),
  );
}

/** Finds `jwks` entries that accept any subject of their issuer, because no default in `auth.apiGate.tokens` limits all of these subjects. */
export function findUnlisted({ config, gate, isLegacy }: Facts): Place[] {
  const { issuers } = readExternalSubjects(config);
  return (isLegacy ? [] : issuers).flatMap(({ at, prefix, url }) =>
    prefix !== '' && !findDefault(prefix, gate.tokens)
      ? [
          {
            at: `${at}${isText(url) ? ` (${withoutSecrets(url)})` : ''}`,
            prefix,
          },
        ]
      : [],
  );
}

/** Finds tokens that never end: a `static` token itself, and the secret of a `legacy` entry. The tokens of issuers expire. */
export function findEndless({ config, gate, isLegacy }: Facts): Place[] {
  const limits = withDefaults(gate.tokens);
  const tokens = isLegacy ? [] : readExternalTokens(config);
  return tokens.flatMap(({ at, subject, type }) => {
    const own = limits.filter(entry => entry.subject === subject);
    const ends = own.length > 0 && own.every(each => endOf(each) < Infinity);
    return (type === 'static' || type === 'legacy') && !ends
      ? [{ at: `${at} (${subject})`, subject }]
      : [];
  });
}

/** Finds entries of `tokens` that end within a week. */
export function findEndingTokens(facts: Facts): Place[] {
  return facts.gate.tokens.flatMap((entry, i) =>
    endsSoon(endOf(entry), facts)
      ? [
          {
            at: `${CONFIG_KEY}.tokens[${i}] (${entry.subject})`,
            time: new Date(endOf(entry)).toISOString(),
          },
        ]
      : [],
  );
}

/** Returns a name without what may be a secret of a URL. */
function withoutSecrets(name: string): string {
  return name.replace(/\/\/[^/@]*@/, '//').replace(/[?#].*/s, '');
}
