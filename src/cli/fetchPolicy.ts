import type { ClosedPath, PolicyReport } from '../observability/describePolicy';
import { CliError } from './CliError';
import { get, readUrl } from './get';

const MAX_REPORT_BYTES = 10 * 1024 * 1024;

/** The parts of a running backend's policy that its configuration does not have. */
export type DeclaredInCode = Pick<
  PolicyReport,
  'closed' | 'unknown' | 'usage'
> &
  Partial<Pick<PolicyReport, 'installed'>>;

/**
 * Fetches from a running backend the paths that its plugins open in code and the gate closes.
 *
 * @param tokenVariable - the name of an environment variable with a token that may read the policy
 * @throws CliError
 */
export async function fetchPolicy(
  address: string,
  tokenVariable: string | undefined,
): Promise<DeclaredInCode> {
  const url = readUrl(address);
  const token = tokenVariable && process.env[tokenVariable];
  if (tokenVariable && !token) {
    throw new CliError(
      `The variable ${tokenVariable} that --token-env names is not set`,
    );
  }
  const { status, body } = await get(url, {
    headers: token ? { Authorization: `Bearer ${token}` } : {},
    maxBytes: MAX_REPORT_BYTES,
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
  return report;
}

function parse(body: string): DeclaredInCode | undefined {
  try {
    const { closed, installed, unknown, usage } = JSON.parse(body);
    const isReport =
      Array.isArray(closed) &&
      closed.every(isClosedPath) &&
      // A gate before 0.3 does not list the installed plugins.
      [unknown, installed ?? []].every(isListOfTexts) &&
      (usage === undefined || isUsage(usage));
    return isReport ? { closed, installed, unknown, usage } : undefined;
  } catch {
    return undefined;
  }
}

function isListOfTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(item => typeof item === 'string');
}

function isClosedPath(value: Partial<ClosedPath> | null): boolean {
  return (
    typeof value?.plugin === 'string' &&
    typeof value.path === 'string' &&
    typeof value.yaml === 'string'
  );
}

function isUsage(value: { [list: string]: unknown } | null): boolean {
  return [value?.rules, value?.externalTokens].every(
    list =>
      Array.isArray(list) &&
      list.every(
        item =>
          typeof item === 'object' &&
          item !== null &&
          ['string', 'undefined'].includes(typeof item.yaml),
      ),
  );
}
