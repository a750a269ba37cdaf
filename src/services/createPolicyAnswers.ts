import { formatLocation } from '../config/locate';
import { CONFIG_KEY } from '../config/readApiGateConfig';
import { readExternalSubjects } from '../config/readExternalTokens';
import type { PolicyReport } from '../observability/describePolicy';
import {
  Explained,
  explainInWords,
  MAX_REQUEST_LENGTH,
  readRequest,
} from '../observability/explainInWords';
import type { Policy } from '../policy/Policy';
import { ComparedFiles, PolicyFiles } from '../policy/PolicyFiles';
import { ReportAnswers } from '../routes/ReportAnswers';
import { inPieces, mapInPieces, Pieces } from '../util/pieces';
import type { GateParts } from './createParts';

/**
 * A report is kept twenty times as long as it took to make, most of which were pauses. So the reports cost the users of Backstage a hundredth of the
 * processor, however many read them, and a small backend answers with what it has had a moment ago.
 */
const KEPT_TIMES = 20;
const MAX_KEPT_MS = 10_000;

/** A report, for those who ask before it is too old. */
interface SharedReport {
  policy: Policy;
  made: Promise<{ answers: ReportAnswers; places: ComparedFiles['places'] }>;
  keptUntil: number;
}

/** Describes the policy, with the files that are newer, and the place of each rule and token. */
function* describe(
  gate: GateParts,
  { newer, places }: ComparedFiles,
): Pieces<PolicyReport> {
  const report = yield* gate.describePolicy();
  const withPlaces = <T>(list: string, entries: T[]) =>
    mapInPieces(entries, (entry, i) => {
      const place = places.get(`${CONFIG_KEY}.${list}[${i}]`);
      const file = place && formatLocation({ file: place.file });
      return file ? { ...entry, at: { file, line: place.line } } : entry;
    });
  return {
    ...report,
    filesNewerThanPolicy: newer,
    allow: yield* withPlaces('allow', report.allow),
    tokens: yield* withPlaces('tokens', report.tokens),
  };
}

/** Returns a function that returns the report that others have got, unless it is too old or the policy has changed. */
function shareReport(gate: GateParts) {
  const { config, source } = gate;
  const files = new PolicyFiles(config, source);
  let shared: SharedReport | undefined;
  // Findings are about the settings of other plugins, too.
  config.subscribe?.(() => {
    shared = undefined;
  });

  const make = async (report: Pick<SharedReport, 'keptUntil'>) => {
    const compared = await files.compare();
    const begin = performance.now();
    const described = await inPieces(describe(gate, compared));
    const end = performance.now();
    report.keptUntil = end + Math.min((end - begin) * KEPT_TIMES, MAX_KEPT_MS);
    const answers = new ReportAnswers(described, gate.describeProcess);
    return { answers, places: compared.places };
  };

  return (): SharedReport => {
    if (
      shared?.policy !== source.current ||
      performance.now() >= shared.keptUntil
    ) {
      const report = { policy: source.current, keptUntil: Infinity };
      const made = make(report);
      made.catch(() => {
        report.keptUntil = 0;
      });
      shared = Object.assign(report, { made });
    }
    return shared;
  };
}

/** Creates the answers about the policy in force that have places in the configuration files. */
export function createPolicyAnswers(gate: GateParts) {
  const { config, plugins } = gate;
  // Backstage reads these at the start only.
  const externalSubjects = readExternalSubjects(config);
  const read = shareReport(gate);
  return {
    /** Returns the answers of a report that is shared with other readers. */
    read: async () => (await read().made).answers,

    /**
     * Explains what comes of a request, as the command `api-gate explain` does.
     *
     * @param subject - that of an external token; without one, the answer is about a request without a credential
     */
    async explain(text: string, subject?: string): Promise<Explained> {
      const request = readRequest(text);
      if (!request) {
        return {
          error: `Write one request of at most ${MAX_REQUEST_LENGTH} characters, such as GET /api/catalog/entities`,
        };
      }
      const { made, policy } = read();
      const { answers, places } = await made;
      return explainInWords(request, subject?.trim() || undefined, {
        policy,
        externalSubjects,
        closed: answers.report.closed,
        isInstalled: id => plugins.isInstalled(id),
        locate: entry => places.get(entry),
      });
    },
  };
}
