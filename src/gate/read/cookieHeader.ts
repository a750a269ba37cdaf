import { parse } from 'cookie';
import { escapeRegExp } from 'lodash';

/** The cookies that a search in a `Cookie` header finds. */
export interface CookieNames {
  all: ReadonlySet<string>;
  /** Matches one of the names at the beginning of a pair, and its equals sign. */
  pattern: RegExp;
}

export function createCookieNames(names: string[]): CookieNames {
  const anyName = names.map(escapeRegExp).join('|');
  const pattern = new RegExp(`(?:^|;)[ \\t]*(${anyName})(?:[ \\t]\\s*)?=`, 'g');
  return { all: new Set(names), pattern };
}

/** A pair of a `Cookie` header (RFC 6265, section 4.2). */
interface CookiePair {
  name: string;
  /** The value as it stands in the header. */
  raw: string;
  /** The index after the semicolon in front of the pair, if there is one. */
  start: number;
  end: number;
}

/**
 * Finds the relevant cookies of a `Cookie` header as text, in one pass. The header may hold thousands of other cookies, which are
 * not split, parsed or decoded: that would take time on every request, before authentication.
 */
function findPairs(header = '', { pattern }: CookieNames): CookiePair[] {
  const pairs: CookiePair[] = [];
  pattern.lastIndex = 0;
  for (let found = pattern.exec(header); found; found = pattern.exec(header)) {
    const [text, name] = found;
    const start = found.index + (text.startsWith(';') ? 1 : 0);
    const semicolon = header.indexOf(';', pattern.lastIndex);
    const end = semicolon === -1 ? header.length : semicolon;
    const raw = header.slice(pattern.lastIndex, end);
    pairs.push({ name, raw, start, end });
    pattern.lastIndex = end;
  }
  return pairs;
}

/**
 * Returns the relevant cookies of a `Cookie` header by name; `undefined` if one of them has several values. Equal duplicates are
 * merged, and empty cookies are ignored.
 */
export function readCookies(
  header: string | undefined,
  names: CookieNames,
): Map<string, string> | undefined {
  const values = new Map<string, string>();
  for (const { name, raw } of distinct(findPairs(header, names))) {
    const value = decode(raw);
    if (value && value !== (values.get(name) ?? value)) {
      return undefined;
    }
    if (value) {
      values.set(name, value);
    }
  }
  return values;
}

/** Returns the values of one relevant cookie of a `Cookie` header, each once, and no empty one. */
export function readCookieValues(
  header: string | undefined,
  names: CookieNames,
  name: string,
): string[] {
  const pairs = findPairs(header, names).filter(pair => pair.name === name);
  const values = [...distinct(pairs)].map(({ raw }) => decode(raw));
  return [...new Set(values)].filter(value => value !== '');
}

/** Decodes a cookie's value as Backstage does. A token has only characters that stand for themselves, which need no decoding. */
function decode(raw: string): string {
  return /^[\w.-]*$/.test(raw) ? raw : parse(`_=${raw}`)._;
}

/** Returns each spelling of a cookie once: an invalid escape makes the decoder throw, which is slow. */
function distinct(pairs: CookiePair[]): Iterable<CookiePair> {
  return pairs.length < 2
    ? pairs
    : new Map(pairs.map(pair => [`${pair.name}=${pair.raw}`, pair])).values();
}

/** Returns the names of the relevant cookies of a `Cookie` header, as often as it has them. */
export function readCookieNames(
  header: string | undefined,
  names: CookieNames,
): string[] {
  return findPairs(header, names).map(({ name }) => name);
}

/**
 * Returns a `Cookie` header without the relevant cookies, the others byte for byte; `undefined` if none is left. A header without
 * relevant cookies is returned unchanged.
 */
export function withoutCookies(
  header: string | undefined,
  names: CookieNames,
): string | undefined {
  const pairs = findPairs(header, names);
  if (!header || pairs.length === 0) {
    return header;
  }
  let others = '';
  let from = 0;
  for (const { start, end } of pairs) {
    others += header.slice(from, start);
    from = end + 1;
  }
  // Remove the semicolon in front of the last pair too, if that pair is removed.
  others =
    from > header.length ? others.slice(0, -1) : others + header.slice(from);
  return others.replace(/^[ \t]+/, '') || undefined;
}
