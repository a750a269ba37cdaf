import type { Config } from '@backstage/config';
import type { AllowRule } from '../../gate/rules/AllowRule';
import { formatRule } from '../../settings/read/readAllowRules';
import type { ApiGateConfig } from '../../settings/read/readApiGateConfig';
import type { Fact } from './Fact';
import { findPowerFacts } from './findPowerFacts';
import { findTokenFacts } from './findTokenFacts';
import {
  formatRequest,
  formatRequests,
  formatUntil,
  withoutIndices,
} from './format';

/** The routes that the gate lets pass without a rule. */
export const ALWAYS_PUBLIC: readonly Fact[] = [
  {
    what: formatRequest('any', 'auth', '/**'),
    note: 'except /api/auth/api-gate and …/.backstage/auth/v1/cookie',
  },
  {
    what: formatRequest('GET', 'app', '/**'),
    note: 'except …/.backstage/auth/v1/cookie',
  },
  {
    what: formatRequest('GET', '*', '/.backstage/auth/v1/jwks.json'),
    note: 'keys that verify tokens',
  },
  {
    what: formatRequest('DELETE', '*', '/.backstage/auth/v1/cookie'),
    note: 'sign-out',
  },
].map(fact => ({ kind: 'always public', ...fact }));

/**
 * Lists what a configuration opens, and whom it lets do what: its effective values, defaults included. No fact depends on the time, on the
 * order of lists, or on where an entry stands.
 *
 * @param gate - `auth.apiGate` as the gate reads it
 * @param root - the whole configuration
 */
export function findConfigFacts(gate: ApiGateConfig, root: Config): Fact[] {
  const { acceptedFindings, allow, closed, mode, until } = gate;
  return [
    {
      kind: 'mode',
      what: mode,
      until: mode === 'report-only' ? formatUntil(until) : undefined,
    },
    ...allow.flatMap(findPublic),
    ...ALWAYS_PUBLIC,
    ...findTokenFacts(gate, root),
    ...findPowerFacts(gate, root),
    ...closed.map(what => ({ kind: 'closed', what })),
    ...acceptedFindings.map(({ at, id, reason }) => ({
      kind: 'accepted',
      what: id,
      who: withoutIndices(at),
      note: reason,
    })),
  ];
}

function findPublic(rule: AllowRule): Fact[] {
  const { reason, until } = rule;
  return formatRequests(rule).map(what => ({
    kind: 'public',
    what,
    until: formatUntil(until),
    note: reason,
    rule: formatRule(rule),
  }));
}
