import type {
  AcceptedFinding,
  FindingId,
} from '../config/readAcceptedFindings';
import { printable } from '../util/printable';

/** A setting that makes the gate pointless, or an allow rule dangerous. It holds no value of a secret. */
export interface Finding {
  id: FindingId;
  /** The config path. The content of an entry of a list follows in brackets. */
  at: string;
  /** A clause about the place. */
  why: string;
  /** The change that removes the finding. */
  write: string;
  /** The entry of `auth.apiGate.findings.accept` that silences the finding. */
  accepted?: { reason: string; until?: string };
}

/** Returns the items whose condition holds. */
export function onlyPresent<T>(items: readonly (T | false | undefined)[]): T[] {
  return items.filter(item => item !== false && item !== undefined) as T[];
}

/** Formats a finding as one line, which begins with its config path. */
export function formatFinding(finding: Finding): string {
  const { id, at, why, write, accepted } = finding;
  const { reason, until } = accepted ?? {};
  const end = until ? ` until ${until}` : '';
  return printable(
    `${at}: ${why}: ${write} [${id}]${accepted ? `, accepted${end} (${reason})` : ''}`,
  );
}

/** Marks the findings that are accepted at a time. */
export function markAccepted(
  findings: readonly Finding[],
  accept: readonly AcceptedFinding[],
  now: Date,
): Finding[] {
  return findings.map(finding => {
    const entry = accept.find(
      ({ id, at, until }) =>
        id === finding.id &&
        identityOf(at) === identityOf(finding.at) &&
        (until === undefined || now < until),
    );
    if (!entry) {
      return finding;
    }
    const { reason, until } = entry;
    return {
      ...finding,
      accepted: { reason, ...(until && { until: until.toISOString() }) },
    };
  });
}

/**
 * An entry of a list is compared by its content where that is known, and not by its index. Otherwise a new rule at the top of
 * `allow` would be accepted in place of the one below.
 */
function identityOf(at: string): string {
  const [path, ...content] = at.split(' (');
  return content.length > 0
    ? [path.replace(/\[\d+\]/g, '[]'), ...content].join(' (')
    : at;
}
