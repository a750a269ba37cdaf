/** The counter of `dev/jest/countVerifications.js`. */
const verifications = (globalThis as any)[
  Symbol.for('api-gate.verifications')
] as { count: number };

/** Returns the number of signatures that this process verifies while `run` is pending. */
export async function verificationsDuring(
  run: () => Promise<void>,
): Promise<number> {
  const before = verifications.count;
  await run();
  return verifications.count - before;
}
