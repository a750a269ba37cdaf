import type { Fact } from '../../operators/facts/Fact';
import type { PolicyReport } from '../../operators/reports/createPolicyReport';

/** Returns the facts of a kind that the policy route has. */
export function factsOf(
  { facts }: Pick<PolicyReport, 'facts'>,
  kind: string,
): Fact[] {
  return facts.filter(fact => fact.kind === kind);
}

/** Returns what these facts are about, such as `GET   /api/hello/health`. */
export function whatsOf(
  report: Pick<PolicyReport, 'facts'>,
  kind: string,
): string[] {
  return factsOf(report, kind).map(({ what }) => what);
}
