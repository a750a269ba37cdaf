import { NegativeTokenCache } from './NegativeTokenCache';

describe('NegativeTokenCache', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: new Date('2026-06-01T00:00:00Z') });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('remembers a failure for a second', () => {
    const failures = new NegativeTokenCache();
    expect(failures.isEmpty).toBe(true);
    failures.add('a');
    expect(failures.isEmpty).toBe(false);
    expect([failures.has('a'), failures.has('b')]).toEqual([true, false]);
    jest.advanceTimersByTime(999);
    expect(failures.has('a')).toBe(true);
    jest.advanceTimersByTime(1);
    expect(failures.has('a')).toBe(false);
  });

  it('forgets a failure in time if the clock is set back', () => {
    const failures = new NegativeTokenCache();
    failures.add('a');
    jest.setSystemTime(Date.now() - 3_600_000);
    expect(failures.has('a')).toBe(true);
    jest.advanceTimersByTime(1_000);
    expect(failures.has('a')).toBe(false);
  });

  it('is bounded', () => {
    const failures = new NegativeTokenCache();
    for (let i = 0; i < 2_000; i += 1) {
      failures.add(`${i}`);
    }
    expect([failures.has('0'), failures.has('1999')]).toEqual([false, true]);
  });

  it('is bounded for long keys', () => {
    const failures = new NegativeTokenCache();
    const long = (i: number) => `${i} ${'x'.repeat(10_000)}`;
    for (let i = 0; i < 100; i += 1) {
      failures.add(long(i));
    }
    expect([failures.has(long(0)), failures.has(long(99))]).toEqual([
      false,
      true,
    ]);
  });
});
