/** A value, or a promise of it where it is not there yet. */
export type MaybePromise<T> = T | Promise<T>;

export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return typeof (value as Partial<Promise<T>> | undefined)?.then === 'function';
}

/**
 * Calls a function with a value, at once if the value is there. A chain of these makes no promise unless one of its steps returns
 * one: on the way of a request, each promise takes longer than most checks.
 *
 * @throws the errors of `next` if the value is there, and otherwise returns a promise that rejects
 */
export function then<T, R>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<R>,
): MaybePromise<R> {
  return isPromise(value) ? value.then(next) : next(value);
}
