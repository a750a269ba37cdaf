import type { Config } from '@backstage/config';
import type { FindingId } from '../../settings/read/readAcceptedFindings';
import type { ApiGateConfig } from '../../settings/read/readApiGateConfig';
import { didYouMean } from '../../settings/read/values';
import type { DeclaredPolicy } from '../../gate/plugins/DeclaredPolicies';
import { printable } from '../../settings/logLine';
import { DAY_MS } from '../../gate/util/time';
import type { Get } from './backstageSettings';

/** An end within this time is reported. */
const SOON_MS = 7 * DAY_MS;

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
  accepted?: { reason: string };
}

/** The facts that findings depend on. Facts that are not known give no finding. */
export interface FindingFacts {
  config: Config;
  gate: ApiGateConfig;
  /** Ids of the installed plugins; `undefined` where they are not known. */
  installed?: readonly string[];
  /** Whether this replica has read the list of locked users and revoked sessions. `undefined`: not known. */
  areOrdersLoaded?: boolean;
  isLegacy?: boolean;
  now: Date;
  /** The version of `@backstage/plugin-auth-backend` that is installed. */
  authBackend?: string;
  /** Paths that plugins have opened in code, and that a scan of their packages has missed. */
  unscanned?: readonly Pick<DeclaredPolicy, 'plugin' | 'path'>[];
  /** The number of revocations in force that the table lacks. */
  missingRevocations?: number;
  /** In report-only: names what works until the gate enforces, as a clause. */
  stopping?: string;
  /** Not `complete`: some requests may not be among those that were observed. */
  usage?: {
    complete: boolean;
    externalTokens: readonly { subject: string; lastUsed: string | null }[];
  };
}

/** The facts, with the reader of other settings. */
export type Facts = FindingFacts & { get: Get };

/** An item whose condition may not hold. */
export type Possible<T = Finding> = T | false | undefined;

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

/** Finds a plugin that a setting names, and that is known not to be installed. */
export function findAbsentPlugin(
  { installed }: FindingFacts,
  plugin: string,
  at: string,
): Possible {
  return (
    installed?.includes(plugin) === false && {
      id: 'plugin-not-installed',
      at,
      why: `names the plugin ${plugin}, which is not installed in this backend${didYouMean(plugin, installed)}`,
      write:
        'correct the id, or accept this finding if it is right, as for a plugin of another backend',
    }
  );
}

/** Returns a finding if a rule, or the entry of a token, has ended, or ends within a week. */
export function findEnd(
  { until = Infinity }: { until?: number },
  does: 'allows' | 'opens',
  at: string,
  facts: FindingFacts,
): Possible {
  const hasEnded = until <= +facts.now;
  const kind = does === 'allows' ? 'token' : 'rule';
  return (
    (hasEnded || endsSoon(until, facts)) && {
      id: `${kind}-${hasEnded ? 'ended' : 'ends-soon'}`,
      at,
      why: `${does} nothing from ${new Date(until).toISOString()}`,
      write:
        kind === 'rule'
          ? 'remove the rule, or write a later until'
          : 'renew the token and write a later until, or remove both',
    }
  );
}
