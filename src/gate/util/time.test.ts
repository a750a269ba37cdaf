import { callAt, DAY_MS, withTimeout } from './time';

beforeEach(() => jest.useFakeTimers({ now: 1_000 }));
afterEach(() => jest.useRealTimers());

describe('callAt', () => {
  const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

  it('calls back once at a time that is a year ahead', () => {
    const callback = jest.fn();
    callAt(1_000 + YEAR_MS, callback);
    jest.advanceTimersByTime(YEAR_MS - 1);
    expect(callback).not.toHaveBeenCalled();
    jest.advanceTimersByTime(YEAR_MS);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it('waits for a clock that was set back', () => {
    const callback = jest.fn();
    callAt(3_000, callback);
    jest.setSystemTime(500);
    jest.advanceTimersByTime(2_499);
    expect(callback).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it('calls back soon for a time that has passed, and not once it was cancelled', () => {
    const [callback, cancelled] = [jest.fn(), jest.fn()];
    callAt(0, callback);
    callAt(0, cancelled)();
    jest.advanceTimersByTime(1);
    expect(callback).toHaveBeenCalledTimes(1);
    expect(cancelled).not.toHaveBeenCalled();
  });
});

describe('withTimeout', () => {
  const answer = (milliseconds: number, end: () => unknown) =>
    new Promise(resolve => setTimeout(resolve, milliseconds)).then(end);
  const fail = () => {
    throw new Error('gone');
  };

  it.each([
    ['resolves', 99, () => 'here', 'here'],
    ['rejects', 99, fail, 'gone'],
    ['resolves late', 101, () => 'here', 'No answer'],
    ['rejects late', 101, fail, 'No answer'],
  ])('with a promise that %s', async (_, milliseconds, end, expected) => {
    const outcome = withTimeout(answer(milliseconds, end), 100, 'No answer');
    const settled = outcome.catch(({ message }) => message);
    await jest.advanceTimersByTimeAsync(200);
    expect(await settled).toBe(expected);
  });

  it('leaves no timer behind', async () => {
    await withTimeout(Promise.resolve(), 100, 'No answer');
    expect(jest.getTimerCount()).toBe(0);
  });
});

it('a day has as many milliseconds as between two dates', () => {
  expect(Date.UTC(2026, 0, 2) - Date.UTC(2026, 0, 1)).toBe(DAY_MS);
});
