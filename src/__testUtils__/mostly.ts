import fc from 'fast-check';

/** Generates a usual value, and now and then an odd one, so that usually only one thing is odd at a time. */
export function mostly<T>(
  usual: readonly T[],
  odd: readonly T[],
  weight: number,
): fc.Arbitrary<T> {
  return fc.oneof(
    { weight, arbitrary: fc.constantFrom(...usual) },
    { weight: 1, arbitrary: fc.constantFrom(...odd) },
  );
}
