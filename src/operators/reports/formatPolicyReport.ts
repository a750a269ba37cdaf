import { compact } from 'lodash';
import { formatRule } from '../../settings/read/readAllowRules';
import { formatListSource } from '../../settings/files/configFiles';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import { DeclaredOpening, formatPaths } from '../../settings/declaredOpen';
import { PAGE_PATH, WEBSOCKET } from '../../gate/read/requestLine';
import { jsonBytes, MAX_LINE_BYTES, shorten } from '../../settings/logLine';
import type {
  PolicyReport,
  ReportedRule,
  ReportedToken,
} from './describePolicy';
import { formatWorked } from './describeReportOnly';

/** The limits of external tokens by an entry for all requests, or without `auth.apiGate.tokens`. */
export const WHATEVER_BACKSTAGE_ALLOWS = 'what accessRestrictions allow';

const OTHER_TOKENS = 'any other: nothing';

// A part may begin with a long heading and a long line below it.
const MAX_ENTRY_BYTES = 2_000;

/** Returns the address of the page of the policy, at the backend with the `auth` plugin. */
export function pageAddressOf(baseUrl: string): string {
  return `${baseUrl.replace(/\/$/, '')}/api/auth${PAGE_PATH}`;
}

/** A report, of which the command has the parts that are in configuration files. */
export type TextReport = Partial<PolicyReport> &
  Pick<PolicyReport, 'allow' | 'enforced'>;

/** Formats a report as one block of text, for the log of the start. */
export function formatPolicyReport(
  report: PolicyReport,
  page?: string,
): string {
  const mode = report.enforced
    ? 'enforce'
    : `report-only${report.until ? ` until ${report.until}` : ''}, only ended sessions are refused`;
  const lines = [
    ...formatReport(report),
    ...(page ? [`As a page, for operators: ${page}`] : []),
  ];
  return [`API gate: ${mode}`, ...lines.map(line => `  ${line}`)].join('\n');
}

/** Formats a report as lines of text. `placeOf` returns what stands in front of the entry of a list with a config path. */
export function formatReport(
  report: TextReport,
  placeOf = (_entry: string) => '',
): string[] {
  const { allow, enforced, reportOnly, tokens } = report;
  const withPlaces = (list: string, lines: string[]) =>
    lines.map((line, i) => `${placeOf(`${CONFIG_KEY}.${list}[${i}]`)}${line}`);
  const sections = {
    'Public by rule': withPlaces('allow', allow.map(formatOpening)),
    [`Limits of external tokens${enforced ? '' : ' once you enforce'}`]: tokens
      ? [...withPlaces('tokens', tokens.map(formatToken)), OTHER_TOKENS]
      : [],
    ...listBesideRules(report),
    [titleOfWorked(report)]: (reportOnly?.worked ?? []).map(formatWorked),
  };
  return [
    ...(allow.length ? [] : ['No allow rules.']),
    ...Object.entries(sections).flatMap(([title, lines]) =>
      lines.length ? [`${title}:`, ...lines.map(line => `  ${line}`)] : [],
    ),
  ];
}

/** Returns what is open, or declared open, beside the allow rules, by the title of each list. */
export function listBesideRules(report: TextReport): Record<string, string[]> {
  const { builtIn = [], closed = [], enforced } = report;
  const { lists = [], opensBeyondPlugins = [], unknown = [] } = report;
  return {
    'Public without a rule': builtIn.map(formatOpening),
    'Lists, by file': lists.map(formatListSource),
    'Newly public once it is enforced': enforced
      ? []
      : opensBeyondPlugins.map(formatRule),
    [`Declared open by plugins, and closed ${enforced ? 'by the gate' : 'once you enforce'}, except for what your rules name`]:
      closed.map(formatClosed),
    'Not known what these open themselves': unknown,
  };
}

export function titleOfWorked({ reportOnly, until }: TextReport): string {
  const since = reportOnly ? ` at this replica since ${reportOnly.since}` : '';
  return `Worked${since}, and will be refused ${until ? `from ${until} on` : 'once you enforce'}; ${reportOnly?.note ?? 'to keep a request public, paste its rule and remove the first #'}`;
}

export function formatOpening(rule: ReportedRule): string {
  return `${formatRule(rule)}${inBrackets([rule.reason, ...notesOf(rule)])}`;
}

/** Returns when a rule ends, and whether its plugin is installed. */
export function notesOf(rule: ReportedRule): string[] {
  return compact([
    formatEnd(rule, 'ended, and closed since'),
    rule.installed === false &&
      'not installed in this backend: a misspelling, or a plugin of another one',
  ]);
}

export function formatToken(token: ReportedToken): string {
  return `${token.subject}: ${formatLimits(token)}`;
}

export function formatLimits(token: ReportedToken): string {
  const { only } = token;
  const requests = Array.isArray(only)
    ? only.map(formatRule).join('; ') || 'nothing'
    : WHATEVER_BACKSTAGE_ALLOWS;
  return `${requests}${inBrackets([token.reason, formatEnd(token, 'ended at')])}`;
}

export function formatEnd(
  { ended, until }: Pick<ReportedToken, 'ended' | 'until'>,
  past: string,
): string | undefined {
  return until && `${ended ? past : 'until'} ${until}`;
}

export function inBrackets(notes: (string | undefined)[]): string {
  return compact(notes)
    .map(note => `  (${note})`)
    .join('');
}

/** Formats what a plugin has declared open. Backstage's own cookie needs no rule, which would open the paths to everybody. */
function formatClosed(closed: DeclaredOpening): string {
  const methods = closed.isWebSocket ? WEBSOCKET : 'any method';
  const who =
    closed.allow === 'user-cookie'
      ? "to Backstage's own cookie, which still opens it"
      : 'to everybody';
  return `${closed.plugin} ${formatPaths(closed)}, ${methods}, ${who}`;
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

export function titleOfPart(title: string, i: number, parts: number): string {
  return parts === 1 ? title : `${title}, part ${i + 1} of ${parts}`;
}

function indentOf(line: string): number {
  return line.search(/\S|$/);
}
