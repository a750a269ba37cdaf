/** The longest timeout, in milliseconds: Node fires a longer one immediately. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;
