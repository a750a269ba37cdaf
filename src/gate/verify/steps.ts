/** The steps of a decision, which hand out each promise that they have to wait for. */
export type Steps<T> = Generator<PromiseLike<unknown>, T, any>;

/** Waits for a value if it is a promise. A service of the app's may have a kind of promise of its own. */
export function* awaited<T>(value: T): Steps<Awaited<T>> {
  const given: any = value;
  return typeof given?.then === 'function' ? yield given : given;
}

/**
 * Runs steps. Returns a value in place of a promise if none of them waits, as for most requests: a promise takes longer than most checks.
 */
export function run<T>(steps: Steps<T>): T | Promise<T> {
  const { done, value } = steps.next();
  return done ? value : resume(steps, value);
}

async function resume<T>(
  steps: Steps<T>,
  first: PromiseLike<unknown>,
): Promise<T> {
  let waiting = first;
  for (;;) {
    const { done, value } = await Promise.resolve(waiting).then(
      result => steps.next(result),
      error => steps.throw(error),
    );
    if (done) {
      return value;
    }
    waiting = value;
  }
}
