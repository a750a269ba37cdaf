import { formatLocation } from '../config/locate';
import { CONFIG_KEY } from '../config/readApiGateConfig';
import { readExternalSubjects } from '../config/readExternalTokens';
import { listClosed, PolicyReport } from '../observability/describePolicy';
import {
  Explained,
  explainInWords,
  MAX_REQUEST_LENGTH,
  readRequest,
} from '../observability/explainInWords';
import { AllowList } from '../policy/AllowList';
import { PolicyFiles } from '../policy/PolicyFiles';
import type { GateParts } from './createParts';

/** Creates the answers about the policy in force that have places in the configuration files. */
export function createPolicyAnswers(gate: GateParts) {
  const { config, plugins, policies, source } = gate;
  const files = new PolicyFiles(config, source);
  // Backstage reads these at the start only.
  const externalSubjects = readExternalSubjects(config);
  return {
    /** Describes the policy, with the files that are newer, and the place of each rule and token. */
    async describe(): Promise<PolicyReport> {
      const { newer, places } = await files.compare();
      const report = gate.describePolicy();
      const withPlaces = <T>(list: string, entries: T[]) =>
        entries.map((entry, i) => {
          const place = places.get(`${CONFIG_KEY}.${list}[${i}]`);
          const file = place && formatLocation({ file: place.file });
          return file ? { ...entry, at: { file, line: place.line } } : entry;
        });
      return {
        ...report,
        filesNewerThanPolicy: newer,
        allow: withPlaces('allow', report.allow),
        tokens: withPlaces('tokens', report.tokens),
      };
    },

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
      const { places } = await files.compare();
      const policy = source.current;
      return explainInWords(request, subject?.trim() || undefined, {
        policy,
        externalSubjects,
        closed: listClosed(policies, new AllowList(policy.openRules)),
        isInstalled: id => plugins.isInstalled(id),
        locate: entry => places.get(entry),
      });
    },
  };
}
