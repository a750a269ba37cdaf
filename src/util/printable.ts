/**
 * Replaces what a terminal or the log of a CI job does not take for text. Control characters could move the cursor or begin a new
 * line. GitHub's runner executes a line that begins with `::`, after white space too, or that has `##[` anywhere. Other
 * CI systems do so for `##vso[` or `##teamcity[`.
 */
export function printable(line: string): string {
  return line
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
    .replace(/^(\s*:)(?=:)/, '$1 ')
    .replace(/#(?=#\w*\[)/g, '# ');
}
