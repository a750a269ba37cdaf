import { isArray, isString, pick } from 'lodash';
import type { FindingFacts } from '../operators/findings/Finding';
import type { PolicyReport } from '../operators/reports/describePolicy';
import { CliError, Options } from './Command';
import { get, readUrl } from './get';
import { findUnscanned, readScans } from './scan/compareScans';

const MAX_LENGTH = 10 * 1024 * 1024;

const PARTS = [
  'closed',
  'installed',
  'openedInCode',
  'reportOnly',
  'unknown',
] as const;

/** The parts of a running backend's policy that its configuration does not have. */
export type DeclaredInCode = Pick<PolicyReport, (typeof PARTS)[number]> &
  Pick<FindingFacts, 'unscanned'>;

/** Fetches the policy of the running backend of `--policy`, if that is given, and finds what the scan of `--scan` lacks. */
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
  const headers = token ? { Authorization: `Bearer ${token}` } : undefined;
  const { status, body } = await get(url, MAX_LENGTH, headers);
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

/** Reads a report; `undefined` unless each text is one that later steps read as a text. */
function parse(body: string): DeclaredInCode | undefined {
  try {
    const report = pick(JSON.parse(body), PARTS);
    const { closed, installed, openedInCode, unknown } = report;
    const { reportOnly } = report;
    const texts = [
      ...installed,
      ...unknown,
      ...[...closed, ...openedInCode].flatMap(each => [
        each.plugin,
        ...each.paths,
      ]),
    ];
    if (reportOnly) {
      texts.push(reportOnly.since);
      for (const each of reportOnly.worked) {
        const { plugin, method, path = '', reason = '' } = each;
        texts.push(plugin, method, path, reason);
        texts.push(each.firstSeen, each.lastSeen);
      }
    }
    const areLists = isArray(installed) && isArray(unknown);
    return areLists && texts.every(isString) ? report : undefined;
  } catch {
    // The body is not JSON, or has something else in place of a list or an object.
    return undefined;
  }
}
