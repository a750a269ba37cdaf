/**
 * The bytes that the message and the fields of a line of the log may have as JSON. With what a logger adds, the line stays below
 * 8 KB. Docker and CRI cut lines of 16 KB, so that they are no JSON any more.
 */
export const MAX_LINE_BYTES = 7_000;

export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** Returns a text that has at most that many bytes as JSON; for a longer one its beginning, with an ellipsis. */
export function shorten(text: string, maxBytes: number): string {
  let kept = text.slice(0, maxBytes);
  while (jsonBytes(kept) > maxBytes) {
    kept = kept.slice(0, Math.floor(kept.length * 0.9));
  }
  return kept === text ? text : `${kept}…`;
}

/** Splits items into groups of at most {@link MAX_LINE_BYTES}. */
export function groupBySize<T>(
  items: readonly T[],
  bytesOf: (item: T) => number,
): T[][] {
  const groups: T[][] = [[]];
  let bytes = 0;
  for (const item of items) {
    const itemBytes = bytesOf(item);
    if (bytes > 0 && bytes + itemBytes > MAX_LINE_BYTES) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(item);
    bytes += itemBytes;
  }
  return groups;
}

// Control characters and marks without a width could move the cursor, begin a new line, or change the order of what follows.
export const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]+/gu;

/** Returns whether a text is all on one line, and hides nothing. */
export function isPrintable(text: string): boolean {
  return text.search(UNPRINTABLE) === -1;
}

/**
 * Replaces what a terminal or the log of a CI job does not take for text. GitHub's runner executes a line that begins with `::`, after
 * white space too, or that has `##[` anywhere. Other CI systems do so for `##vso[` or `##teamcity[`.
 */
export function printable(line: string): string {
  return line
    .replace(UNPRINTABLE, ' ')
    .replace(/^(\s*:)(?=:)/, '$1 ')
    .replace(/#(?=#\w*\[)/g, '# ');
}
