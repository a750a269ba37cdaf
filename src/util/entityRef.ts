/** The longest reference that the gate accepts, in characters. */
const MAX_REF_LENGTH = 1000;

// Control characters and lone surrogates are excluded: a database may not store them.
const FULL_ENTITY_REF =
  /^[^\s:/\p{Cc}\p{Cs}]+:[^\s:/\p{Cc}\p{Cs}]+\/[^\s/\p{Cc}\p{Cs}]+$/u;

/** Returns whether a value is a full entity reference, such as `user:default/jane`. */
export function isFullEntityRef(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= MAX_REF_LENGTH &&
    FULL_ENTITY_REF.test(value)
  );
}
