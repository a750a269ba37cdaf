import { endOf } from '../../gate/rules/AllowRule';
import { entriesFor } from '../../gate/rules/TokenLimits';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import { readExternalTokens } from '../../settings/read/readExternalTokens';
import { asObject, isObject } from '../../settings/read/values';
import { asList, isText } from './backstageSettings';
import { endsSoon, Facts, Place } from './Finding';

const ACCESS_KEYS = ['backend.auth.externalAccess', 'backend.auth.keys'];

/** Finds entries of `backend.auth.externalAccess` and `backend.auth.keys` that are valid everywhere. */
export function findUnrestricted({ get, isLegacy }: Facts): Place[] {
  return (isLegacy ? [] : ACCESS_KEYS).flatMap(key =>
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

/** Finds external tokens that `auth.apiGate.tokens` does not limit, because the setting is not there. */
export function findUnlimited({ gate, get, isLegacy }: Facts): Place[] {
  const hasTokens = ACCESS_KEYS.some(key => asList(get(key)).some(isObject));
  return hasTokens && !isLegacy && gate.tokens === undefined
    ? [{ at: `${CONFIG_KEY}.tokens` }]
    : [];
}

/** Finds tokens that never end: a `static` token itself, and the secret of a `legacy` entry. The tokens of issuers expire. */
export function findEndless({ config, gate, isLegacy }: Facts): Place[] {
  const tokens = isLegacy ? [] : readExternalTokens(config);
  return tokens.flatMap(({ at, subject, type }) => {
    const entries = gate.tokens && entriesFor(subject, gate.tokens);
    const isEndless =
      entries?.some(each => each.only.length > 0 && endOf(each) === Infinity) ??
      true;
    return (type === 'static' || type === 'legacy') && isEndless
      ? [{ at: `${at} (${subject})`, subject }]
      : [];
  });
}

/** Finds entries of `tokens` that end within a week. */
export function findEndingTokens(facts: Facts): Place[] {
  return (facts.gate.tokens ?? []).flatMap((entry, i) =>
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
