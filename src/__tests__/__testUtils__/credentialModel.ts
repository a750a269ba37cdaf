/**
 * Models which requests a credential lets through to a plugin, as the design defines it. The model is a second implementation to
 * compare the product with, and shares no code with it.
 */

/** A header line, or a cookie, from which a test builds a request. */
export type HeaderLine =
  | { kind: 'authorization'; name: string; value: string }
  | { kind: 'cookie'; pairs: CookiePair[] }
  | { kind: 'other'; name: string; value: string };

/** A cookie as it is written, and its value after quotes and escapes are read. */
export interface CookiePair {
  name: string;
  written: string;
  value: string;
}

/** The tokens of a test's backend, by their outcome. */
export interface KnownTokens {
  /** The user of each full user token. */
  users: ReadonlyMap<string, string>;
  /** Services and external callers that the plugin accepts. */
  services: ReadonlySet<string>;
  /** External callers whose access restrictions exclude the plugin. */
  restricted: ReadonlySet<string>;
}

/** The expected outcome of a request: the principal that the handler sees, or the status of the refusal. */
export type Verdict =
  | { passesAs: string | 'a service'; token: string }
  | { refusedWith: 400 | 401 | 403 };

export function judge(
  method: string,
  lines: HeaderLine[],
  known: KnownTokens,
  trustedOrigins: string[],
): Verdict {
  const authorizations = lines.filter(({ kind }) => kind === 'authorization');
  if (authorizations.length > 1) {
    return { refusedWith: 400 };
  }
  const [authorization] = valuesOf(lines, 'authorization');
  if (authorization) {
    return judgeBearer(authorization, known);
  }
  const token = gateCookieOf(lines);
  if (typeof token !== 'string') {
    return { refusedWith: 401 };
  }
  if (isCrossSite(method, lines, trustedOrigins)) {
    return { refusedWith: 403 };
  }
  const user = known.users.get(token);
  return user ? { passesAs: user, token } : { refusedWith: 401 };
}

function judgeBearer(authorization: string, known: KnownTokens): Verdict {
  const [scheme, ...rest] = authorization.split(' ');
  const token = rest.join(' ').trimStart();
  if (scheme.toLowerCase() !== 'bearer') {
    return { refusedWith: 401 };
  }
  if (known.restricted.has(token)) {
    return { refusedWith: 403 };
  }
  const caller =
    known.users.get(token) ??
    (known.services.has(token) ? 'a service' : undefined);
  return caller ? { passesAs: caller, token } : { refusedWith: 401 };
}

/**
 * Returns the one token that the cookies named `token`, or `token.0` and so on, hold; `undefined` for none, `null` for an
 * inconsistent set.
 */
function gateCookieOf(lines: HeaderLine[]): string | undefined | null {
  const pairs = lines
    .flatMap(line => (line.kind === 'cookie' ? line.pairs : []))
    .filter(({ name, value }) => /^token(\.[0-3])?$/.test(name) && value);
  const names = [...new Set(pairs.map(({ name }) => name))].sort();
  const values = names.map(name => [
    ...new Set(pairs.filter(pair => pair.name === name).map(p => p.value)),
  ]);
  if (names.length === 0) {
    return undefined;
  }
  const isSet =
    names.join() === 'token' ||
    names.join() === names.map((_, i) => `token.${i}`).join();
  return isSet && values.every(({ length }) => length === 1)
    ? values.flat().join('')
    : null;
}

function isCrossSite(
  method: string,
  lines: HeaderLine[],
  trustedOrigins: string[],
): boolean {
  const sites = valuesOf(lines, 'sec-fetch-site');
  const origins = valuesOf(lines, 'origin');
  if (sites.length === 1 && sites[0] === 'same-origin') {
    return false;
  }
  if (sites.length === 1 && sites[0] === 'none' && origins.length === 0) {
    return false;
  }
  if (origins.length === 1 && trustedOrigins.includes(origins[0])) {
    return false;
  }
  const isSafe = ['GET', 'HEAD', 'OPTIONS'].includes(method);
  return origins.length > 0 || (sites.length > 0 && !isSafe);
}

function valuesOf(lines: HeaderLine[], name: string): string[] {
  return lines.flatMap(line =>
    line.kind !== 'cookie' && line.name.toLowerCase() === name
      ? [line.value.replace(/^[ \t]+|[ \t]+$/g, '')]
      : [],
  );
}
