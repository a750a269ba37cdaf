import { AllowRule, formatRule } from '../config/AllowRule';
import { formatListSource } from '../config/configFiles';
import type { DeclaredPolicy } from '../plugins/DeclaredPolicies';
import { PAGE_PATH } from '../http/requestLine';
import { hideTokens } from '../util/hideTokens';
import { jsonBytes, MAX_LINE_BYTES, shorten } from '../util/logLine';
import type { PolicyReport, ReportedToken } from './describePolicy';
import { formatWorked, WorkedRequests } from './describeReportOnly';
import { formatUsage } from './describeUsage';

// A part may begin with a long heading and a long line below it.
const MAX_ENTRY_BYTES = 2_000;

/** Returns the address of the page of the policy, at the backend with the `auth` plugin. */
export function pageAddressOf(baseUrl: string): string {
  return `${baseUrl.replace(/\/$/, '')}/api/auth${PAGE_PATH}`;
}

/**
 * Formats a report as one block of text, for the log of the start.
 *
 * @param page - the address of the page of the policy, in a backend that has it
 */
export function formatPolicyReport(
  report: PolicyReport,
  page?: string,
): string {
  const { allow, builtIn, closed, lists, unknown, opensBeyondPlugins } = report;
  const { reportOnly, usage } = report;
  const mode = report.enforced
    ? 'enforce'
    : `report-only${report.until ? ` until ${report.until}` : ''}, only locked users and ended sessions are refused`;
  const lines = [
    ...section(
      'Public by rule',
      allow.map(
        rule =>
          `${formatRule(rule)}${rule.reason ? `  (${rule.reason})` : ''}${rule.until ? `  (${rule.ended ? 'ended, and closed since' : 'until'} ${rule.until})` : ''}${formatRequirement(rule)}${rule.installed ? '' : '  (not installed in this backend: a misspelling, or a plugin of another one)'}`,
      ),
    ),
    ...(allow.length ? [] : ['No allow rules.']),
    ...section(
      `Limits of external tokens${report.enforced ? '' : ', not in force'}`,
      report.tokens.map(formatToken),
    ),
    ...section('Public without a rule', builtIn.map(formatBuiltIn)),
    ...section('Lists, by file', lists.map(formatListSource)),
    ...section(
      'Newly public once it is enforced',
      report.enforced ? [] : opensBeyondPlugins.map(formatRule),
    ),
    ...section(
      titleOfClosed(
        report.enforced ? 'closed by the gate' : 'closed once you enforce',
      ),
      closed.map(formatClosed),
    ),
    ...(reportOnly
      ? [`Enforce: ${reportOnly.enforce}, since ${reportOnly.because}`]
      : []),
    ...section(
      `Worked, and will be refused once you enforce; ${reportOnly?.note ?? 'to keep a request public, paste its rule and remove the first #'}`,
      reportOnly?.worked?.map(each => formatWorked(hideToken(each))) ?? [],
    ),
    ...section('Not known what these open themselves', unknown),
    ...section('Use, at this backend', usage ? formatUsage(usage) : []),
    ...(page ? [`As a page, for operators and readers: ${page}`] : []),
  ];
  return [`API gate: ${mode}`, ...lines.map(line => `  ${line}`)].join('\n');
}

/** Removes a path that may hold a token, and the rule with it: more people read the log than operate the gate. */
function hideToken(worked: WorkedRequests): WorkedRequests {
  const { path = '', yaml, ...others } = worked;
  const shown = hideTokens(path);
  return shown === path
    ? worked
    : { ...others, path: shown, why: 'the page shows the path to operators' };
}

/** Formats what a rule requires, and whether it is closed without it. */
export function formatRequirement({
  requires,
  unmet,
}: Pick<AllowRule, 'requires' | 'unmet'>): string {
  if (!requires) {
    return '';
  }
  return unmet
    ? `  (closed: ${requires} was not set when the process started, or is not set now)`
    : `  (requires ${requires})`;
}

/** Formats an entry of `auth.apiGate.tokens` as one line. */
export function formatToken(token: ReportedToken): string {
  const { ended, only, reason, subject, until } = token;
  const requests =
    only?.map(formatRule).join('; ') ?? 'what accessRestrictions allow';
  const end = `  (${ended ? 'ended, and refused since' : 'until'} ${until})`;
  return `${subject}: ${requests}${reason ? `  (${reason})` : ''}${until ? end : ''}`;
}

export function formatBuiltIn(rule: AllowRule): string {
  return `${formatRule(rule)}  (${rule.reason})`;
}

/** Returns the title of the list of paths that plugins have opened in code. */
export function titleOfClosed(
  state: 'closed by the gate' | 'closed once you enforce',
): string {
  return `Opened by plugins in code, and ${state}, except for what your rules name`;
}

/** Returns a title with lines below it, or nothing if there are none. */
export function section(title: string, lines: string[]): string[] {
  return lines.length ? [`${title}:`, ...lines.map(line => `  ${line}`)] : [];
}

/**
 * Formats a path that a plugin has opened in code. One that Backstage's own cookie opens needs no rule, which would make it public.
 */
export function formatClosed(closed: DeclaredPolicy): string {
  const { plugin, path, allow, isWebSocket } = closed;
  const name = `${plugin} ${path}${isWebSocket ? ' (WebSocket)' : ''}`;
  return allow === 'user-cookie'
    ? `${name}, to Backstage's own cookie, which still opens it`
    : `${name}, to everybody`;
}

/**
 * Splits a block of text into parts that each fit one line of the log. Each part has the title, and the headings under which its
 * first line is indented.
 */
export function splitBlock(text: string): string[] {
  const [title, ...lines] = text.split('\n');
  const parts: string[][] = [[]];
  let bytes = 0;
  let headings: string[] = [];
  for (const line of lines.map(each => shorten(each, MAX_ENTRY_BYTES))) {
    headings = headings.filter(each => indentOf(each) < indentOf(line));
    if (bytes + jsonBytes(line) > MAX_LINE_BYTES) {
      parts.push([...headings]);
      bytes = jsonBytes(headings);
    }
    parts.at(-1)!.push(line);
    bytes += jsonBytes(line);
    headings.push(line);
  }
  return parts.map((part, i) =>
    [titleOfPart(title, i, parts.length), ...part].join('\n'),
  );
}

/** Returns the title of one part of a block. */
export function titleOfPart(title: string, i: number, parts: number): string {
  return parts === 1 ? title : `${title}, part ${i + 1} of ${parts}`;
}

function indentOf(line: string): number {
  return line.search(/\S|$/);
}
