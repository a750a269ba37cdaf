import { compact, difference, isEqual, mapKeys, sortBy, uniq } from 'lodash';
import type { PluginPath } from '../gate/rules/AllowRule';
import { isEnforced } from '../gate/rules/Policy';
import { createGet } from '../operators/findings/backstageSettings';
import type { Finding } from '../operators/findings/Finding';
import { findOpenings } from '../settings/expectations/findOpenings';
import { ApiGateConfig, CONFIG_KEY } from '../settings/read/readApiGateConfig';
import { isTrue } from '../settings/read/values';
import { findCheckable } from './check';
import {
  compareExpectations,
  compareRules,
  findUnknown,
  readEntries,
} from './compareEntries';
import { compareExternalAccess, compareLimits } from './compareTokens';
import { Compare, compareAll, Difference } from './Difference';
import { formatMode, LoadedConfig } from './loadConfig';

/** How each setting of `auth.apiGate` is compared that decides what somebody may do. */
const OF_GATE: Record<string, Compare> = {
  '{mode,until}': compareModes,
  'allow[].{plugin,path,methods,until}': compareRules,
  'expect[].{request,plugin,is}': compareExpectations,
  'tokens[].{subject,until,only[].plugin,only[].path,only[].methods}':
    compareLimits,
  operators: list('may end sessions', gate => [...gate.operators]),
  credentialHeader: list('trusts', gate => [gate.credentialHeader]),
  'foreignAuthorization[].{plugin,path}': paths(
    'sends Authorization to',
    gate => gate.foreignAuthorization,
  ),
  'cookie.trustedOrigins': list('trusts', gate => gate.trustedOrigins),
  'cookie.trustedPaths[].{plugin,path}': paths(
    'trusts',
    gate => gate.trustedPaths,
  ),
  'cookie.enabled': range(({ cookie }) => +cookie.enabled),
  // By these prefixes, browsers let no other host of the domain, and no server without https, set the cookie.
  'cookie.name': range(({ cookie }) =>
    [/^__host-/i, /^__secure-/i, /^/].findIndex(each => each.test(cookie.name)),
  ),
  // The fewer labels, the more hosts.
  'cookie.domain': range(
    ({ cookie }) => -(cookie.attributes.domain?.split('.').length ?? Infinity),
  ),
  'cookie.sameSite': range(({ cookie }) =>
    ['strict', 'lax', 'none'].indexOf(cookie.attributes.sameSite),
  ),
  'cookie.maxAge': range(({ cookie }) => cookie.maxAgeMs ?? Infinity),
  'signOut.scope': range(({ signOut }) => +(signOut.scope === 'session')),
  'signOut.providers': range(
    ({ signOut }) => [...signOut.providers],
    (ids, others) => difference(others, ids).length === 0,
  ),
  'findings.accept[].{id,at}': findings(
    'accepts',
    ({ accepted }) => accepted !== undefined,
  ),
};

/** A test fails for a setting of `config.d.ts` that is neither here nor in {@link NOT_COMPARED}. */
export const COMPARED: Record<string, Compare> = {
  ...mapKeys(OF_GATE, (_, key) => `${CONFIG_KEY}.${key}`),
  'backend.auth.{externalAccess,keys}': compareExternalAccess,
  'discovery.endpoints': compareAll(
    ['trusts'],
    config =>
      readEntries('discovery.endpoints', config).map(entry => ({
        text: `another address for the keys of ${entry.plugins}`,
        entry,
      })),
    (one, other) => isEqual(one.entry, other.entry),
  ),
  'permission.enabled': range(
    (_, { root }) => +!isTrue(createGet(root)('permission.enabled')),
  ),
  // The causes of the other findings have a line of their own, or let nobody do more.
  'auth.providers, backend.auth.dangerouslyDisableDefaultAuthPolicy, events, proxy':
    findings('finding', ({ id }) =>
      /^(anyone|no-barrier|open|proxied|token-leaves)-/.test(id),
    ),
};

export const NOT_COMPARED = {
  'auth.apiGate.{allow[],tokens[],findings.accept[]}.reason':
    'a text for people',
  'auth.apiGate.audit.clientAddress': 'decides nothing',
  'auth.providers': 'who may sign in, but for findings',
  'plugins, their code and the permission policy':
    'what a handler lets a user do',
};

export function compareSettings(before: LoadedConfig, after: LoadedConfig) {
  const differences = Object.entries(COMPARED).flatMap(([settings, compare]) =>
    compare(before, after, settings.split(/\[|\.\{/)[0]),
  );
  return sortBy([...findUnknown(before, after), ...differences], 'sign');
}

/** Compares until when the gate refuses nothing. */
function compareModes(before: LoadedConfig, after: LoadedConfig): Difference[] {
  const [old, now] = [before, after].map(({ gate }) =>
    isEnforced(gate, Date.now()) ? -Infinity : +(gate.until ?? Infinity),
  );
  if (now === old || after.isModeUnknown) {
    return [];
  }
  const at = formatMode(after.gate);
  return [
    now > old
      ? { sign: '+', kind: 'public', text: 'whatever plugins leave open', at }
      : { sign: '-', kind: 'closed', text: 'whatever no rule names', at },
  ];
}

/** Compares lists, of which each entry lets somebody do more. */
function list(
  kind: string,
  entriesOf: (gate: ApiGateConfig) => (string | undefined)[],
): Compare {
  return compareAll([kind], ({ gate }) =>
    uniq(compact(entriesOf(gate))).map(text => ({ text })),
  );
}

/** Compares paths below plugins, of which wider ones include others. */
function paths(kind: string, pathsOf: (gate: ApiGateConfig) => PluginPath[]) {
  return compareAll(
    [kind],
    ({ gate }) =>
      pathsOf(gate).map(each => ({
        ...each,
        methods: ['GET'],
        text: `/api/${each.plugin}${each.path}`,
      })),
    (one, other) => findOpenings([one], [other]).length === 0,
  );
}

/** Compares a setting with one value, of which a greater one lets somebody do more. */
function range<T>(
  valueOf: (gate: ApiGateConfig, config: LoadedConfig) => T,
  isWithin = (one: T, other: T) => one <= other,
): Compare {
  return (before, after, at) => {
    const [old, now] = [before, after].map(each => valueOf(each.gate, each));
    const [was, is] = [before, after].map(
      ({ root }) => JSON.stringify(createGet(root)(at)) ?? 'the default',
    );
    const text = `${is}, was ${was}`;
    if (!isWithin(now, old)) {
      return [{ sign: '+', kind: 'wider', text, at }];
    }
    return isWithin(old, now)
      ? []
      : [{ sign: '-', kind: 'narrower', text, at }];
  };
}

/** Compares the findings that are meant. The index of an entry may differ. */
function findings(
  kind: string,
  isMeant: (finding: Finding) => boolean,
): Compare {
  return compareAll(
    [kind],
    config =>
      findCheckable(config).flatMap(finding => {
        const { id, at } = finding;
        const place = at.replace(/\[\d+\]/g, '');
        return isMeant(finding) ? [{ text: id, at, place }] : [];
      }),
    (one, other) => one.text === other.text && one.place === other.place,
  );
}
