/** Waits until a condition holds, for ten seconds at most unless another limit is given. */
export async function until(
  condition: () => Promise<boolean> | boolean,
  limitMs = 10_000,
): Promise<void> {
  const giveUpAt = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > giveUpAt) {
      throw new Error('It did not come to that');
    }
    await new Promise(resolve => setTimeout(resolve, 25));
  }
}
