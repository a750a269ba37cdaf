import type { Config } from '@backstage/config';
import { pick } from 'lodash';
import type { TokenEntry } from '../../gate/rules/GateSettings';
import type { ApiGateConfig } from '../../settings/read/readApiGateConfig';
import { readEntries } from '../../settings/read/readExternalTokens';
import { asObject } from '../../settings/read/values';
import { asList } from '../findings/backstageSettings';
import type { Fact } from './Fact';
import { formatRequests, formatUntil, formatValue, join } from './format';

const KIND = 'external token';

/** Stands for the requests of tokens that no list limits. */
const ALL = 'all that its accessRestrictions allow';

/** The options of Backstage's own types of external tokens that say which tokens are accepted. The others may be secrets. */
const OPTIONS = [
  'subject',
  'url',
  'issuer',
  'audience',
  'algorithm',
  'subjectPrefix',
];

/** Lists what external tokens may do: by `auth.apiGate.tokens`, and by `accessRestrictions` of Backstage's own settings. */
export function findTokenFacts(gate: ApiGateConfig, root: Config): Fact[] {
  const accepted = (['externalAccess', 'keys'] as const).flatMap(key =>
    readEntries(root, key).flatMap(entry => findAccepted(entry, key)),
  );
  const unlimited =
    gate.tokens || accepted.length === 0
      ? []
      : [{ kind: KIND, what: '*', who: ALL, note: 'tokens is not set' }];
  const limits = [...unlimited, ...(gate.tokens ?? []).flatMap(findLimits)];
  const facts = [...accepted, ...limits];
  return facts.length > 0 ? facts : [{ kind: KIND, what: 'none' }];
}

/** Lists the plugins that the tokens of an entry may call by Backstage's own settings. */
function findAccepted(entry: Record<string, unknown>, key: string): Fact[] {
  const { accessRestrictions, options, type = key } = entry;
  const named = Object.entries(pick(asObject(options), OPTIONS));
  const what = join([
    type,
    ...named.map(([name, value]) => `${name} ${formatValue(value)}`),
  ]);
  const restrictions = asList(accessRestrictions).map(asObject);
  return (restrictions.length > 0 ? restrictions : [{}]).map(restriction => {
    const { plugin, ...others } = restriction as Record<string, unknown>;
    const conditions = Object.entries(others).map(
      ([name, value]) => `${name} ${formatValue(value)}`,
    );
    const who = plugin ? `plugin ${plugin}` : 'every plugin';
    return { kind: KIND, what, who: join([who, ...conditions]) };
  });
}

/** Lists the requests that the tokens of a subject may make by `auth.apiGate.tokens`. */
function findLimits(entry: TokenEntry): Fact[] {
  const { only, reason, subject, until } = entry;
  const requests = only === 'all' ? [ALL] : only.flatMap(formatRequests);
  return (requests.length > 0 ? requests : ['nothing']).map(request => ({
    kind: KIND,
    what: subject,
    who: request,
    until: formatUntil(until),
    note: reason,
  }));
}
