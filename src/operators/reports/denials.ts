import { openedMethods } from '../../gate/rules/AllowRule';
import { formatRule } from '../../settings/read/readAllowRules';
import type { VerifiedToken } from '../../gate/judge/findRefused';
import { denies, hasMethod } from '../../gate/rules/DenyList';
import { isPluginKeys } from '../../gate/rules/classifyRoute';
import type { LimitedRequest } from '../../gate/rules/TokenLimits';
import type { ConfiguredPolicy } from '../../settings/ConfiguredPolicy';
import type { Explanation } from '../../settings/expectations/explainRequest';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import { overlap } from '../../settings/read/readForeignAuthorization';
import { PolicyReport, withEnd } from './describePolicy';
import { formatEnd, inBrackets } from './formatPolicyReport';

type ReportedDenial = PolicyReport['deny'][number];

/** Formats deny rules, each with the allow rules that open nothing, or less, because of it. */
export function formatDenials(
  deny: PolicyReport['deny'],
  allow: PolicyReport['allow'],
): string[] {
  return deny.map(denial => {
    const closed = allow.flatMap((rule, i) => {
      const has = (method: string) => hasMethod(denial, method);
      return !denial.ended &&
        overlap(denial, rule) &&
        openedMethods(rule).some(has)
        ? `${CONFIG_KEY}.allow[${i}]`
        : [];
    });
    const note = `closes to anybody what it has of ${closed.join(', ')}`;
    return `${formatDenial(denial)}${inBrackets([closed.length > 0 ? note : undefined])}`;
  });
}

/** Returns whom deny rules refuse, of those that send a request with a valid token. */
export function describeDenials(
  method: string,
  { anonymous, path, plugin = '' }: Explanation,
  { config, denyList, now }: ConfiguredPolicy,
): string[] {
  return anonymous === 'public'
    ? []
    : denyList.match({ method, path, pluginId: plugin }, now()).map(rule => {
        const name = `${CONFIG_KEY}.deny[${config.deny.indexOf(rule)}]`;
        return `Refused with 403 (denied): ${name}  ${formatDenial(withEnd(rule, now()))}`;
      });
}

/** Returns `denied` for a request that a deny rule refuses with a valid token of a subject, as the gate decides it. */
export function findDenial(
  subject: string,
  request: LimitedRequest,
  { denyList, now }: ConfiguredPolicy,
): 'denied' | undefined {
  const principal = { type: 'service', subject };
  const verified = { credentials: { principal } } as VerifiedToken;
  const isDenied =
    !isPluginKeys(request.method, request.path) &&
    denyList.match(request, now()).some(rule => denies(rule, verified));
  return isDenied ? 'denied' : undefined;
}

/** Formats what a rule denies, to whom, and why, as one line. */
export function formatDenial(rule: ReportedDenial): string {
  const except = rule.except.join(', ');
  return `${formatRule(rule)} to ${rule.for.join(', ')}${inBrackets([
    except && `except ${except}`,
    rule.reason,
    formatEnd(rule, 'ended, and open since'),
  ])}`;
}
