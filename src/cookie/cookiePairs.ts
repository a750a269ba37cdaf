import { parse } from 'cookie';

// Each escape that is wrong makes the decoder throw, inside: thousands of them would hold up all other requests. So a value
// is decoded where it counts, and once.
const NOT_DECODED = { decode: String };

/** The pairs of a `Cookie` header as they stand in it (RFC 6265, section 4.2). */
export function cookiePairs(header: string | undefined): string[] {
  return header ? header.split(';') : [];
}

/** The name of one pair; `undefined` if it has none. */
export function nameOf(pair: string): string | undefined {
  return Object.keys(parse(pair, NOT_DECODED))[0];
}

/**
 * The cookies of a `Cookie` header whose names count, by name; `undefined` if one of them has several values. Equal
 * duplicates are one, and an empty cookie is none.
 */
export function readCookies(
  header: string | undefined,
  counts: (name: string) => boolean,
): Map<string, string> | undefined {
  const undecoded = new Map<string, string>();
  const values = new Map<string, string>();
  // One pair at a time: over a whole header `parse` keeps the first of two cookies with one name and hides the other.
  for (const pair of cookiePairs(header)) {
    const [[name, raw] = []] = Object.entries(parse(pair, NOT_DECODED));
    if (name && raw && counts(name) && raw !== undecoded.get(name)) {
      undecoded.set(name, raw);
      const value = parse(pair)[name]!;
      if (value !== (values.get(name) ?? value)) {
        return undefined;
      }
      values.set(name, value);
    }
  }
  return values;
}

/** A `Cookie` header without some of its pairs, the others byte for byte; `undefined` if none is left. */
export function withoutPairs(
  header: string | undefined,
  isRemoved: (pair: string) => boolean,
): string | undefined {
  const others = cookiePairs(header).filter(pair => !isRemoved(pair));
  return others.join(';').trimStart() || undefined;
}
