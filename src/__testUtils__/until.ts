/** Waits until a condition holds, for ten seconds at most. */
export async function until(
  condition: () => Promise<boolean> | boolean,
): Promise<void> {
  const giveUpAt = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > giveUpAt) {
      throw new Error('It did not come to that');
    }
    await new Promise(resolve => setTimeout(resolve, 25));
  }
}
