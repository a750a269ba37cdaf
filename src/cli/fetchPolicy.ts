import { isString, pick } from 'lodash';
import type { FindingFacts } from '../operators/findings/Finding';
import type { PolicyReport } from '../operators/reports/describePolicy';
import type { WorkedRequests } from '../operators/reports/describeReportOnly';
import { CliError, Options } from './Command';
import { get, readUrl } from './get';
import { findUnscanned, readScans } from './scan/compareScans';

const MAX_REPORT_BYTES = 10 * 1024 * 1024;

const DAY = /^\d{4}-\d{2}-\d{2}$/;

const PARTS = [
  'allow',
  'closed',
  'installed',
  'openedInCode',
  'reportOnly',
  'unknown',
  'usage',
] as const;

/** The parts of a running backend's policy that its configuration does not have. */
export type DeclaredInCode = Pick<PolicyReport, (typeof PARTS)[number]> &
  Pick<FindingFacts, 'unscanned'>;

/**
 * Fetches from the running backend of `--policy`, if that is given, its policy, and finds what the scan of `--scan` lacks.
 *
 * @throws CliError
 */
export async function fetchPolicy({
  policy,
  scan,
  'token-env': variable,
}: Options): Promise<DeclaredInCode | undefined> {
  if (policy === undefined) {
    if (scan !== undefined) {
      throw new CliError(
        'A scan is compared with a running backend: give --policy with --scan',
      );
    }
    return undefined;
  }
  const scans = scan === undefined ? undefined : readScans(scan);
  const url = readUrl(policy);
  const token = variable && process.env[variable];
  if (variable && !token) {
    throw new CliError(
      `The variable ${variable} that --token-env names is not set: set it to the token, or name another one`,
    );
  }
  const { status, body } = await get(url, {
    maxBytes: MAX_REPORT_BYTES,
    headers: token ? { Authorization: `Bearer ${token}` } : {},
  });
  if (status === 401 || status === 403) {
    throw new CliError(
      `${url.origin} answers ${status}: name with --token-env a variable with a token that may read the policy (auth.api-gate.read)`,
    );
  }
  const report = status === 200 ? parse(body) : undefined;
  if (!report) {
    throw new CliError(
      `${url.origin} answers ${status} and no policy: write the address of GET …/api/auth/api-gate/v1/policy`,
    );
  }
  return {
    ...report,
    unscanned: scans ? findUnscanned(scans, report.openedInCode) : [],
  };
}

function parse(body: string): DeclaredInCode | undefined {
  try {
    const answer = JSON.parse(body);
    const report = pick(
      { allow: [], openedInCode: answer.closed, ...answer },
      PARTS,
    );
    const { allow, closed, installed, reportOnly, unknown, usage } = report;
    const isReport =
      [...closed, ...report.openedInCode].every(({ plugin, path }: any) =>
        [plugin, path].every(isString),
      ) &&
      allow.every(({ requires = '' }: any) => isString(requires)) &&
      [installed, unknown].every(names => names.every(isString)) &&
      (usage === undefined ||
        [usage.rules, usage.externalTokens].every(list => list.every(isUse))) &&
      (reportOnly === undefined ||
        ([reportOnly.enforce, reportOnly.because].every(isString) &&
          (reportOnly.worked ?? []).every(isWorked)));
    return isReport ? report : undefined;
  } catch {
    // The body is not JSON, or has something else in place of a list or an object.
    return undefined;
  }
}

function isUse(value: { yaml?: unknown; only?: unknown }): boolean {
  const { yaml = '', only = '' } = value;
  return typeof value === 'object' && [yaml, only].every(isString);
}

function isWorked(value: { [key in keyof WorkedRequests]?: unknown }): boolean {
  const { plugin, method, path = '', status = 0, requests } = value;
  const { reason = '', subject = '', userAgent = '' } = value;
  return (
    [plugin, method, path, reason, subject, userAgent].every(isString) &&
    [status, requests].every(Number.isFinite) &&
    [value.firstSeen, value.lastSeen].every(day => DAY.test(String(day)))
  );
}
