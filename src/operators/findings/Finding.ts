import type { Config } from '@backstage/config';
import type { FindingId } from '../../settings/read/readAcceptedFindings';
import type { ApiGateConfig } from '../../settings/read/readApiGateConfig';
import { printable } from '../../settings/logLine';
import { DAY_MS } from '../../gate/util/time';
import type { Get } from './backstageSettings';

/** An end within this time is reported. */
const SOON_MS = 7 * DAY_MS;

/** `high`: lets somebody in. `low`: locks somebody out, or lets somebody in later. */
export type Severity = 'high' | 'low';

/** A setting that makes the gate pointless, or an allow rule dangerous. It holds no value of a secret. */
export interface Finding {
  id: FindingId;
  severity: Severity;
  /** The config path. The content of an entry of a list follows in brackets. */
  at: string;
  /** A clause about the place. */
  why: string;
  /** The change that removes the finding. */
  write: string;
  /** The document that explains it. */
  page: string;
  /** The entry of `auth.apiGate.findings.accept` that silences the finding. */
  accepted?: { reason: string };
}

/** Where a finding is, and what its texts fill in. */
export type Place = { at: string } & Record<string, string>;

/** The facts that findings depend on. Facts that are not known give no finding. */
export interface FindingFacts {
  config: Config;
  gate: ApiGateConfig;
  /** Ids of the installed plugins; `undefined` where they are not known. */
  installed?: readonly string[];
  isLegacy?: boolean;
  now: Date;
  /** In report-only: names what works until the gate enforces, as a clause. */
  stopping?: string;
}

/** The facts, with the reader of other settings. */
export type Facts = FindingFacts & { get: Get };

/** Formats a finding as one line, which begins with its config path. */
export function formatFinding(finding: Finding): string {
  const { id, at, why, write, accepted } = finding;
  return printable(
    `${at}: ${why}: ${write} [${id}]${accepted ? `, accepted (${accepted.reason})` : ''}`,
  );
}

export function endsSoon(until: number, { now }: FindingFacts): boolean {
  return until > +now && until - +now <= SOON_MS;
}
