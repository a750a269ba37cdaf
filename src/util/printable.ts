/**
 * Replaces control characters. A value of the configuration or of an answer could otherwise move the cursor of a terminal, or
 * begin a new line, which GitHub may interpret as a workflow command.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
}
