import fc from 'fast-check';

/** Generates a usual value, and sometimes an odd one, so that usually only one part of a request is odd. */
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
