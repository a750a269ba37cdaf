import type { Pieces } from '../../operators/pieces';

/**
 * Returns how long the longest piece of work takes, in milliseconds of the processor. Whatever else the machine does makes some pieces longer,
 * and none shorter, so that each piece counts by its shortest time of several tries.
 */
export function longestPiece(create: () => Pieces<unknown>): number {
  const shortest: number[] = [];
  for (let i = 0; i < 25; i += 1) {
    const work = create();
    let isDone: boolean | undefined = false;
    for (let piece = 0; !isDone; piece += 1) {
      const begin = process.cpuUsage();
      isDone = work.next().done;
      const { system, user } = process.cpuUsage(begin);
      const took = (system + user) / 1000;
      shortest[piece] = Math.min(shortest[piece] ?? Infinity, took);
    }
  }
  return Math.max(...shortest);
}
