import { isEqual, pick } from 'lodash';
import { readExternalSubjects } from '../settings/read/readExternalTokens';
import {
  Explained,
  explainInWords,
  MAX_REQUEST_LENGTH,
  readRequest,
} from '../operators/reports/explainInWords';
import { ReportAnswers } from '../operators/routes/ReportAnswers';
import { inPieces } from '../operators/pieces';
import type { GateParts } from './createParts';

/**
 * A report is kept twenty times as long as it took to make, most of which were pauses, or longer if it has many rules. So the reports cost the users of
 * Backstage a hundredth of the processor, however many read them, and a small backend answers with what it has had a moment ago.
 */
const KEPT_TIMES = 20;
const KEPT_MS_PER_RULE = 60;
const MAX_KEPT_MS = 60_000;

interface SharedReport {
  state: unknown;
  answers: Promise<ReportAnswers>;
  keptUntil: number;
}

/** Makes the answers about the policy. Readers share a report, unless it is too old or the policy has changed. */
export function createPolicyAnswers(gate: GateParts) {
  const { config, files, plugins, source } = gate;
  // Backstage reads these at the start only.
  const externalSubjects = readExternalSubjects(config);
  let shared: SharedReport | undefined;
  // Findings are about the settings of other plugins, too.
  config.subscribe?.(() => {
    shared = undefined;
  });

  const make = async (report: Pick<SharedReport, 'keptUntil'>) => {
    const filesNewerThanPolicy = await files.findNewer();
    const begin = performance.now();
    const described = await inPieces(gate.describePolicy());
    const end = performance.now();
    const keptMs = Math.max(
      (end - begin) * KEPT_TIMES,
      described.allow.length * KEPT_MS_PER_RULE,
    );
    report.keptUntil = end + Math.min(keptMs, MAX_KEPT_MS);
    return new ReportAnswers(
      { ...described, filesNewerThanPolicy },
      gate.describeProcess,
    );
  };

  const read = () => {
    const state = stateOf(gate);
    const isOld = performance.now() >= (shared?.keptUntil ?? 0);
    if (isOld || !isEqual(shared?.state, state)) {
      const report = { state, keptUntil: Infinity };
      const answers = make(report);
      answers.catch(() => {
        report.keptUntil = 0;
      });
      shared = Object.assign(report, { answers });
    }
    return shared!.answers;
  };

  return {
    read,
    /** Explains what comes of a request, without a credential or with an external token of a subject, as `api-gate explain` does. */
    async explain(text: string, subject?: string): Promise<Explained> {
      const request = readRequest(text);
      if (!request) {
        const error = `Write one request of at most ${MAX_REQUEST_LENGTH} characters, such as GET /api/catalog/entities`;
        return { error };
      }
      const { report } = await read();
      return explainInWords(request, subject?.trim() || undefined, {
        policy: source.current,
        externalSubjects,
        closed: report.closed,
        installed: plugins.installedIds(),
      });
    },
  };
}

/** Returns what may change soon after a start or a change of the configuration: readers see that at once. */
function stateOf({ policies, revocations, source }: GateParts) {
  return [
    pick(source, 'current', 'lists', 'needsRestart', 'problem'),
    pick(revocations, 'isLoaded', 'missing'),
    policies.all().length,
  ];
}
