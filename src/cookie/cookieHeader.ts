import { parse } from 'cookie';

/** A cookie of a request. `conflicting`: the request has it more than once, with different values. */
export interface RequestCookie {
  value: string;
  conflicting: boolean;
}

/** Reads one cookie from a `Cookie` header (RFC 6265, section 4.2); `undefined` if there is none of that name. */
export function readCookie(
  header: string | undefined,
  name: string,
): RequestCookie | undefined {
  let found: RequestCookie | undefined;
  for (const pair of cookiePairs(header)) {
    // One pair at a time: over a whole header `parse` keeps the first of two cookies with one name and hides the other.
    const value = parse(pair)[name];
    if (value !== undefined) {
      found = {
        value,
        conflicting: found !== undefined && found.value !== value,
      };
      if (found.conflicting) {
        return found;
      }
    }
  }
  return found;
}

/** A `Cookie` header without the cookies of that name, the others byte for byte; `undefined` if none is left. */
export function withoutCookie(
  header: string | undefined,
  name: string,
): string | undefined {
  const kept = cookiePairs(header).filter(
    pair => parse(pair)[name] === undefined,
  );
  return kept.join(';').trimStart() || undefined;
}

function cookiePairs(header: string | undefined): string[] {
  return header ? header.split(';') : [];
}
