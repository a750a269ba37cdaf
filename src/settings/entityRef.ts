const MAX_SUB_LENGTH = 1_000;

/**
 * Returns whether every store can keep the subject of a token: PostgreSQL stores no NUL in text, no encoding has a lone surrogate,
 * and the size of a row is limited.
 */
export function isStorableSub(sub: string): boolean {
  return sub.length <= MAX_SUB_LENGTH && /^[^\p{Cc}\p{Cs}]+$/u.test(sub);
}

/** Returns whether a value is a full entity reference, such as `user:default/jane`, that every store can keep. */
export function isFullEntityRef(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    isStorableSub(value) &&
    /^[^\s:/]+:[^\s:/]+\/[^\s/]+$/u.test(value)
  );
}
