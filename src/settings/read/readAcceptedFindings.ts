import { check, checkOneOf, readList, readObject } from './values';

/** The ids of findings. An id stays the same over releases, because `auth.apiGate.findings.accept` names it. */
export const FINDING_IDS = [
  'anyone-may-sign-in',
  'external-tokens-unlimited',
  'misspelt-setting',
  'no-barrier-behind',
  'open-proxy-with-secret',
  'open-webhook-without-secret',
  'plugin-not-installed',
  'report-only-ends',
  'rule-changes-data',
  'rule-ends-soon',
  'rule-opens-plugin',
  'scripts-act-as-user',
  'token-ends-soon',
  'token-leaves-house',
  'unrestricted-external-token',
] as const;

export type FindingId = (typeof FINDING_IDS)[number];

/** An entry of `auth.apiGate.findings.accept`, checked: it silences a finding at one place. */
export type AcceptedFinding = ReturnType<typeof readAcceptedFindings>[number];

export function readAcceptedFindings(value: unknown, configPath: string) {
  const { accept } = readObject(value ?? {}, configPath, ['accept']);
  return readList(
    accept,
    `${configPath}.accept`,
    'a list of objects, each with an id, a place (at) and a reason',
    (item, path) => {
      const keys = ['id', 'at', 'reason'] as const;
      const { id, at, reason } = readObject(item, path, keys);
      checkOneOf(id, `${path}.id`, FINDING_IDS);
      check(
        typeof at === 'string' && at !== '',
        `${path}.at must be the place that the finding names, such as auth.apiGate.allow[0] (GET /api/catalog/entities)`,
      );
      check(
        typeof reason === 'string' && reason !== '',
        `${path}.reason must be text that says why this is meant so`,
      );
      return { id, at, reason };
    },
  );
}
