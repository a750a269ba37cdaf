/** The longest path that a report shows, and that a rule is proposed for. */
export const MAX_PATH_LENGTH = 200;

/**
 * Matches what is most probably a token: base64 of 24 bytes and more, escaped or not; the beginning of a JSON Web Token; and what GitHub,
 * GitLab, Slack and AWS begin their tokens with. The lookbehind makes the time linear: a run of characters is tried from its start
 * only.
 */
export const LIKE_A_TOKEN =
  /(?<![\w+%-])[\w+%-]{32}|\beyJ[\w-]*\.|(?:gh[oprsu]_|github_pat_|glpat-|xox[a-z]-)[\w-]{10}|A[KS]IA[A-Z0-9]{12}/;

// Generated secrets have digits and both cases, which few names of 16 characters do.
const MAY_BE_A_TOKEN =
  /(?<![\w+%-])(?=[\w+%-]*\d)(?=[\w+%-]*[a-z])(?=[\w+%-]*[A-Z])[\w+%-]{16}/;

/** Returns the product that `User-Agent` begins with, such as `curl/8.5`, as every log and report shows it: 40 characters at most. */
export function productOf(userAgent = ''): string | undefined {
  const [product] = /^[!-~]{1,200}/.exec(userAgent) ?? [];
  // Hidden before it is cut: a part of a token does not look like one.
  return product && hideTokens(product).slice(0, 40);
}

/**
 * Returns a path as every log and report shows it: of at most 200 characters, with an ellipsis in place of the rest and of each segment that
 * may be a token. A secret that is shorter, or of one case, stays visible: a name looks the same.
 */
export function hideTokens(path: string): string {
  // A part of a token does not look like one, so that a long path ends before the segment in which it would be cut.
  const isCut = path.length > MAX_PATH_LENGTH;
  const end = path.lastIndexOf('/', MAX_PATH_LENGTH - 2) + 1;
  const segments = (isCut ? path.slice(0, end) : path).split('/');
  const shown = segments.map(segment =>
    LIKE_A_TOKEN.test(segment) || MAY_BE_A_TOKEN.test(segment) ? '…' : segment,
  );
  // Joining copies the text. A part of it would keep the whole target in memory, with its query.
  return shown.join('/') + (isCut ? '…' : '');
}
