import { parse } from 'cookie';

/** Names which of the cookies in a `Cookie` header are looked for. */
export interface CookieNames {
  /** The text that each of the names begins with: it ends there, or goes on with a dot. */
  prefix: string;
  isRelevant: (name: string) => boolean;
}

// A name goes on after the prefix with the number of a part, or ends.
const AFTER_PREFIX: ReadonlySet<string | undefined> = new Set('=. \t');

/** A pair of a `Cookie` header (RFC 6265, section 4.2). */
interface CookiePair {
  name: string;
  /** The value as it stands in the header. */
  raw: string;
  /** From the end of the pair before, or its semicolon, to the pair's own end. */
  start: number;
  end: number;
}

/**
 * Finds the relevant cookies of a `Cookie` header as text, in one pass. A header may hold thousands of other cookies, which
 * are not split, parsed or decoded: each would cost, on every request, before anybody is authenticated.
 */
function findPairs(header: string, names: CookieNames): CookiePair[] {
  const { prefix, isRelevant } = names;
  const pairs: CookiePair[] = [];
  let at = header.indexOf(prefix);
  while (at !== -1) {
    let next = at + prefix.length;
    // Names that only begin like a relevant one are common, or made up to cost time: they are left before anything is copied.
    const start = AFTER_PREFIX.has(header[next])
      ? pairStart(header, at)
      : undefined;
    if (start !== undefined) {
      const semicolon = header.indexOf(';', at);
      const end = semicolon === -1 ? header.length : semicolon;
      const pair = header.slice(at, end);
      const equals = pair.indexOf('=');
      const name = trim(pair.slice(0, equals));
      if (equals !== -1 && isRelevant(name)) {
        pairs.push({ name, raw: trim(pair.slice(equals + 1)), start, end });
      }
      next = end;
    }
    at = header.indexOf(prefix, next);
  }
  return pairs;
}

/** Returns where the pair begins whose name is at a position; `undefined` if no name begins there. */
function pairStart(header: string, at: number): number | undefined {
  let start = at;
  while (start > 0 && isWhitespace(header[start - 1])) {
    start -= 1;
  }
  return start === 0 || header[start - 1] === ';' ? start : undefined;
}

/**
 * Returns the relevant cookies of a `Cookie` header by name; `undefined` if one of them has several values. Equal duplicates
 * are one, and an empty cookie is none.
 */
export function readCookies(
  header: string | undefined,
  names: CookieNames,
): Map<string, string> | undefined {
  const lastRaw = new Map<string, string>();
  const values = new Map<string, string>();
  for (const { name, raw } of header ? findPairs(header, names) : []) {
    // Repeated values are decoded once: each wrong escape makes the decoder throw, which is slow.
    if (raw !== lastRaw.get(name)) {
      lastRaw.set(name, raw);
      const value = parse(`_=${raw}`)._;
      if (value && value !== (values.get(name) ?? value)) {
        return undefined;
      }
      if (value) {
        values.set(name, value);
      }
    }
  }
  return values;
}

/** Returns the names of the relevant cookies of a `Cookie` header, each once. */
export function readCookieNames(
  header: string | undefined,
  names: CookieNames,
): string[] {
  const pairs = header ? findPairs(header, names) : [];
  return [...new Set(pairs.map(({ name }) => name))];
}

/**
 * Returns a `Cookie` header without the relevant cookies, the others byte for byte; `undefined` if none is left. A header
 * without relevant cookies is returned as it is.
 */
export function withoutCookies(
  header: string | undefined,
  names: CookieNames,
): string | undefined {
  const pairs = header ? findPairs(header, names) : [];
  if (!header || pairs.length === 0) {
    return header;
  }
  let others = '';
  let from = 0;
  for (const { start, end } of pairs) {
    others += header.slice(from, start);
    from = end + 1;
  }
  // Without the semicolon in front of the last pair, if that one is removed.
  others =
    from > header.length ? others.slice(0, -1) : others + header.slice(from);
  return others.replace(/^[ \t]+/, '') || undefined;
}

/** Removes spaces and tabs at both ends. A regular expression would take quadratic time for spaces in the middle. */
function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isWhitespace(text[start])) {
    start += 1;
  }
  while (end > start && isWhitespace(text[end - 1])) {
    end -= 1;
  }
  return text.slice(start, end);
}

function isWhitespace(character: string): boolean {
  return character === ' ' || character === '\t';
}
