/**
 * Waits for a promise, for a number of milliseconds at most.
 *
 * @param failure - the message of the error
 * @throws Error if the promise takes longer
 */
export async function withTimeout<T>(
  answer: Promise<T>,
  milliseconds: number,
  failure: string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(failure)), milliseconds);
  });
  return Promise.race([answer, timeout]).finally(() => clearTimeout(timer));
}
