export const DAY_MS = 24 * 60 * 60 * 1000;

// Node fires a longer timeout immediately.
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * Calls a function once the clock of the machine has reached a time, in milliseconds since 1970. The time may be years ahead, and
 * the clock may be set back meanwhile. The timer does not keep the process alive.
 *
 * @returns a function that cancels the call
 */
export function callAt(time: number, callback: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = () => {
    timer = setTimeout(
      () => (Date.now() < time ? wait() : callback()),
      Math.min(time - Date.now(), MAX_TIMEOUT_MS),
    ).unref();
  };
  wait();
  return () => clearTimeout(timer);
}

/** Waits for a promise, and throws an Error with the message `failure` if it takes longer than a number of milliseconds. */
export async function withTimeout<T>(
  answer: Promise<T>,
  milliseconds: number,
  failure: string,
): Promise<T> {
  let timer: NodeJS.Timeout;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(failure)), milliseconds);
  });
  return Promise.race([answer, timeout]).finally(() => clearTimeout(timer));
}
