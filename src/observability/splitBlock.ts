import { jsonBytes, MAX_LINE_BYTES, shorten } from '../util/logLine';

// A part may begin with a long heading and a long line below it.
const MAX_ENTRY_BYTES = 2_000;

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
