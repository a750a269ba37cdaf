/**
 * Repeats the design's definition of public requests, slowly and character by character, as a model to test the product against.
 * The model shares no code with the product.
 */

/** A rule as an operator writes it. */
export interface WrittenRule {
  plugin: string;
  path: string;
  methods?: string[];
  until?: string;
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const UNRESERVED = `${LETTERS}0123456789-._~`;
// RFC 3986's sub-delims without the semicolon.
const SUB_DELIMS = "!$&'()*+,=";
const COOKIE_ENDPOINT = ['.backstage', 'auth', 'v1', 'cookie'];
const KEYS = ['.backstage', 'auth', 'v1', 'jwks.json'];

/**
 * Returns the segments of a raw target that may use the allowlist, `undefined` for any other target: origin-form, no `#` or `\`,
 * and a path without `%`, empty or dot segments and special characters.
 */
function segmentsOf(target: string): string[] | undefined {
  let path = '';
  let isQuery = false;
  for (const character of target) {
    const code = character.charCodeAt(0);
    if (code <= 0x20 || code >= 0x7f || '#\\'.includes(character)) {
      return undefined;
    }
    isQuery ||= character === '?';
    if (!isQuery) {
      if (!`${UNRESERVED}${SUB_DELIMS}:@/`.includes(character)) {
        return undefined;
      }
      path += character;
    }
  }
  const [beforeFirstSlash, ...segments] = path.split('/');
  if (beforeFirstSlash !== '' || segments.length === 0) {
    return undefined;
  }
  return segments.some(segment => ['', '.', '..'].includes(segment))
    ? undefined
    : segments;
}

function sameWords(a: string[], b: string[]): boolean {
  return a.length === b.length && a.every((word, i) => word === b[i]);
}

/** Returns whether each word is that of a rule, in which `*` stands for any one word. */
function fits(words: string[], ruled: string[]): boolean {
  return (
    words.length === ruled.length &&
    ruled.every((word, i) => word === '*' || word === words[i])
  );
}

function lowerCase(words: string[]): string[] {
  return words.map(word => word.toLowerCase());
}

/** Returns whether a rule names a request. */
export function isNamedBy(
  rule: WrittenRule,
  method: string,
  target: string,
): boolean {
  const methods = rule.methods ?? ['GET'];
  if (
    !methods.includes(method) &&
    !(method === 'HEAD' && methods.includes('GET'))
  ) {
    return false;
  }
  if (rule.until !== undefined && Date.parse(rule.until) <= Date.now()) {
    return false;
  }
  const [api, plugin, ...below] = segmentsOf(target) ?? [];
  if (api !== 'api' || plugin !== rule.plugin) {
    return false;
  }
  if (sameWords(lowerCase(below), COOKIE_ENDPOINT)) {
    return false;
  }
  const words = rule.path.split('/').filter(word => word !== '');
  if (words.at(-1) !== '**') {
    return fits(below, words);
  }
  words.pop();
  const isBelow = below.length > words.length || words.length === 0;
  return isBelow && fits(below.slice(0, words.length), words);
}

/** Returns whether a request is public without a rule, in a backend whose plugin ids are in lower case. */
export function isPublicWithoutRule(method: string, target: string): boolean {
  const [api, plugin, ...below] = segmentsOf(target) ?? [];
  const reads = method === 'GET' || method === 'HEAD';
  if (api !== 'api' || plugin === undefined) {
    return false;
  }
  if (sameWords(lowerCase(below), COOKIE_ENDPOINT)) {
    return method === 'DELETE';
  }
  return (
    (reads && sameWords(below, KEYS)) ||
    (reads && plugin === 'app') ||
    (plugin === 'auth' && below[0]?.toLowerCase() !== 'api-gate')
  );
}
