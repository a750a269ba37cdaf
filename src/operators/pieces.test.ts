import { atOnce, inPieces, mapInPieces, Pieces } from './pieces';

/** Works for a number of milliseconds of the clock, and may pause after each. */
function* work(milliseconds: number): Pieces<string> {
  for (let i = 0; i < milliseconds; i += 1) {
    const end = performance.now() + 1;
    while (performance.now() < end) {
      // Busy.
    }
    yield;
  }
  return 'done';
}

describe('inPieces', () => {
  it('lets other work of the process run every few milliseconds', async () => {
    let turns = 0;
    let isOver = false;
    const turn = () => {
      turns += 1;
      if (!isOver) {
        setImmediate(turn);
      }
    };
    setImmediate(turn);
    expect(await inPieces(work(40))).toBe('done');
    isOver = true;
    // Each piece has two milliseconds of work, or one that took longer.
    expect(turns).toBeGreaterThanOrEqual(10);
  });

  it('does short work without a pause', async () => {
    let isPaused = false;
    setImmediate(() => {
      isPaused = true;
    });
    expect(await inPieces(work(0))).toBe('done');
    expect(isPaused).toBe(false);
  });

  it('rejects with the error of the work', async () => {
    function* failing(): Pieces<void> {
      yield;
      throw new Error('no');
    }
    await expect(inPieces(failing())).rejects.toThrow('no');
    expect(() => atOnce(failing())).toThrow('no');
  });
});

it('mapInPieces does what map does', () => {
  const items = ['a', 'b'];
  const callback = (item: string, i: number) => item + i;
  expect(atOnce(mapInPieces(items, callback))).toEqual(items.map(callback));
});
