import { jsonBytes, MAX_LINE_BYTES, shorten } from '../../settings/logLine';
import { PAGE_PATH } from '../../gate/read/requestLine';
import type { ConfiguredPolicy } from '../../settings/ConfiguredPolicy';
import { Fact, formatFacts } from '../facts/Fact';
import { formatUntil } from '../facts/format';

// A part may begin with a long heading and a long line below it.
const MAX_ENTRY_BYTES = 2_000;

/** Returns the address of the page of the policy, at the backend with the `auth` plugin. */
export function pageAddressOf(baseUrl: string): string {
  return `${baseUrl.replace(/\/$/, '')}/api/auth${PAGE_PATH}`;
}

/** Formats the facts as one block of text, for the log of the start. */
export function formatStart(
  { config, isEnforced }: ConfiguredPolicy,
  facts: readonly Fact[],
  page?: string,
): string {
  const until = formatUntil(config.until);
  const mode = isEnforced
    ? 'enforce'
    : `report-only${until ? ` until ${until}` : ''}, only ended sessions are refused`;
  const lines = [
    ...formatFacts(facts),
    ...(page ? [`As a page, for operators: ${page}`] : []),
  ];
  return [`API gate: ${mode}`, ...lines.map(line => `  ${line}`)].join('\n');
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
