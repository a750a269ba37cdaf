/**
 * Waits for a promise, for a number of milliseconds at most.
 *
 * @param failure - the message of the error
 * @throws Error if the promise takes longer
 */
export function withTimeout<T>(
  answer: Promise<T>,
  milliseconds: number,
  failure: string,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(failure)), milliseconds);
    answer.then(
      value => {
        clearTimeout(timer);
        resolve(value);
      },
      error => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
