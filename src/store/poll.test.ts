import { poll, PollOptions } from './poll';

let lines: unknown[][];
let stopping: AbortController;

beforeEach(() => {
  jest.useFakeTimers();
  lines = [];
  stopping = new AbortController();
});
afterEach(() => {
  stopping.abort();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

/** @param run - is called with the number of runs before it */
function start(
  run: (index: number) => unknown,
  options: Partial<PollOptions> = {},
) {
  const runs: number[] = [];
  const startedAt = Date.now();
  const first = poll(
    () => {
      runs.push(Date.now() - startedAt);
      return run(runs.length - 1);
    },
    {
      intervalMs: () => 100,
      signal: stopping.signal,
      log: {
        logger: {
          info: (...line: unknown[]) => lines.push(['info', ...line]),
          warn: (...line: unknown[]) => lines.push(['warn', ...line]),
        } as never,
        failing: 'It fails',
        again: 'It works again',
      },
      ...options,
    },
  );
  return { first, runs };
}

/** Fails after so many milliseconds. */
const failAfter = (milliseconds: number) =>
  new Promise((_, reject) => {
    setTimeout(() => reject(new Error('No answer')), milliseconds);
  });

describe('poll', () => {
  it('runs at once, and again after each interval', async () => {
    let intervalMs = 100;
    const { runs } = start(() => {}, { intervalMs: () => intervalMs });
    expect(runs).toEqual([0]);
    await jest.advanceTimersByTimeAsync(150);
    intervalMs = 500;
    await jest.advanceTimersByTimeAsync(1_000);
    expect(runs).toEqual([0, 100, 200, 700]);
  });

  it('has one run at a time, and resolves after the first one', async () => {
    const { first, runs } = start(
      () => new Promise(resolve => setTimeout(resolve, 1_000)),
    );
    const resolved = jest.fn();
    first.then(resolved);
    await jest.advanceTimersByTimeAsync(999);
    expect(resolved).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1_201);
    expect(resolved).toHaveBeenCalled();
    expect(runs).toEqual([0, 1_100, 2_200]);
  });

  it('goes on after a failure, of the first run too', async () => {
    const { first, runs } = start(() => {
      throw new Error('gone');
    });
    await first;
    await jest.advanceTimersByTimeAsync(200);
    expect(runs).toEqual([0, 100, 200]);
  });

  it.each([
    ['between two runs', () => {}],
    ['during a run', () => failAfter(50)],
  ])('runs no more once it is stopped %s', async (_, run) => {
    const { runs } = start(run);
    await jest.advanceTimersByTimeAsync(20);
    stopping.abort();
    await jest.advanceTimersByTimeAsync(1_000);
    expect(runs).toEqual([0]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('does not keep the process alive', async () => {
    jest.useRealTimers();
    const setTimer = jest.spyOn(global, 'setTimeout');
    await start(() => {}).first;
    expect(setTimer.mock.results[0].value.hasRef()).toBe(false);
  });

  it.each([
    [0, [1_400, 2_800, 5_600, 5_600]],
    [0.999_999, [1_800, 3_600, 7_200, 7_200]],
  ])(
    '[P43] waits longer after each time-out, and eight seconds never: random %d',
    async (random, waits) => {
      jest.spyOn(Math, 'random').mockReturnValue(random);
      const { runs } = start(() => failAfter(1_000));
      await jest.advanceTimersByTimeAsync(25_000);
      const waited = runs.slice(1, 5).map((at, i) => at - runs[i] - 1_000);
      // Timers have whole milliseconds.
      expect(waited.map(wait => 10 * Math.round(wait / 10))).toEqual(waits);
    },
  );

  it('[P43] does not wait after a success, nor longer after a failure that came at once', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    const durations = [999, 6_000, 1, 0, 6_000, 0];
    const { runs } = start(i => durations[i] && failAfter(durations[i]));
    await jest.advanceTimersByTimeAsync(17_450);
    const waits = runs.slice(1).map((at, i) => at - runs[i] - durations[i]);
    expect(waits).toEqual([100, 1_400, 1_400, 100, 1_400]);
  });

  it('waits for an interval that is longer than the one after time-outs', async () => {
    const { runs } = start(() => failAfter(1_000), {
      intervalMs: () => 10_000,
    });
    await jest.advanceTimersByTimeAsync(22_000);
    expect(runs).toEqual([0, 11_000, 22_000]);
  });

  it('logs the third failure, and once that it works again', async () => {
    const error = Object.assign(new RangeError('secret'), { code: '42P01' });
    const failing = [
      'warn',
      'It fails',
      { errorType: 'RangeError', code: '42P01' },
    ];
    // Two failures, then three, then four.
    const outcomes = 'ff-fff--ffff-';
    start(i => outcomes[i] === 'f' && Promise.reject(error));
    await jest.advanceTimersByTimeAsync(450);
    expect(lines).toEqual([]);
    await jest.advanceTimersByTimeAsync(100);
    expect(lines).toEqual([failing]);
    await jest.advanceTimersByTimeAsync(200);
    expect(lines.splice(0)).toEqual([failing, ['info', 'It works again']]);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(lines).toEqual([failing, ['info', 'It works again']]);
  });

  it.each([
    ['text', { errorType: 'string' }],
    [undefined, { errorType: 'undefined' }],
    [null, { errorType: 'object' }],
    [
      Object.assign(new TypeError('secret'), { code: 42 }),
      { errorType: 'TypeError' },
    ],
  ])('logs of %p only %j', async (error, logged) => {
    const { runs } = start(() => Promise.reject(error));
    await jest.advanceTimersByTimeAsync(300);
    expect(lines).toEqual([['warn', 'It fails', logged]]);
    expect(runs).toHaveLength(4);
  });

  it('logs nothing without a log', async () => {
    const { runs } = start(() => Promise.reject(new Error('gone')), {
      log: undefined,
    });
    await jest.advanceTimersByTimeAsync(300);
    expect(runs).toHaveLength(4);
    expect(lines).toEqual([]);
  });
});

it('goes on without a log, after failures too', async () => {
  const { runs } = start(
    index => {
      if (index < 5) {
        throw new Error('fails');
      }
    },
    { log: undefined },
  );
  await jest.advanceTimersByTimeAsync(10_000);
  expect(runs.length).toBeGreaterThan(20);
});
