import { setTimeout } from 'node:timers/promises';

/** The longest piece of work, and the pause after it, in which the process has time for the requests of users. */
const PIECE_MS = 1;
const PAUSE_MS = 6;

/** Work that may pause at each `yield`. */
export type Pieces<T> = Generator<void, T, void>;

export type Result<Work> = Work extends Pieces<infer T> ? T : never;

export function atOnce<T>(work: Pieces<T>): T {
  let step = work.next();
  while (!step.done) {
    step = work.next();
  }
  return step.value;
}

/**
 * Does the work in pieces of a millisecond, or as long as the work goes on without a `yield`. A request has several turns of the event
 * loop, and would wait for a piece in each of them if the pieces had no pauses between them.
 */
export async function inPieces<T>(work: Pieces<T>): Promise<T> {
  let end = performance.now() + PIECE_MS;
  let step = work.next();
  while (!step.done) {
    if (performance.now() >= end) {
      await setTimeout(PAUSE_MS);
      end = performance.now() + PIECE_MS;
    }
    step = work.next();
  }
  return step.value;
}

/** Does what `map` does, and may pause after each item. */
export function* mapInPieces<T, R>(
  items: readonly T[],
  callback: (item: T, index: number) => R,
): Pieces<R[]> {
  const results: R[] = [];
  for (const [i, item] of items.entries()) {
    results.push(callback(item, i));
    yield;
  }
  return results;
}
