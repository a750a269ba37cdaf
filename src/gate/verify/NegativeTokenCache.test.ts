import { Refusal } from '../Refusal';
import { NegativeTokenCache } from './NegativeTokenCache';

const refusal = Refusal.because('invalid-token', 'signature');

describe('NegativeTokenCache', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: new Date('2026-06-01T00:00:00Z') });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('remembers a failure for a second', () => {
    const failures = new NegativeTokenCache();
    expect(failures.size).toBe(0);
    failures.add('a', refusal);
    expect(failures.size).toBe(1);
    expect([failures.recall('a'), failures.recall('b')]).toEqual([
      refusal,
      undefined,
    ]);
    jest.advanceTimersByTime(999);
    expect(failures.recall('a')).toBe(refusal);
    jest.advanceTimersByTime(1);
    expect(failures.recall('a')).toBeUndefined();
  });

  it('forgets a failure in time if the clock is set back', () => {
    const failures = new NegativeTokenCache();
    failures.add('a', refusal);
    jest.setSystemTime(Date.now() - 3_600_000);
    expect(failures.recall('a')).toBe(refusal);
    jest.advanceTimersByTime(1_000);
    expect(failures.recall('a')).toBeUndefined();
  });

  it('is bounded', () => {
    const failures = new NegativeTokenCache();
    for (let i = 0; i < 2_000; i += 1) {
      failures.add(`${i}`, refusal);
    }
    expect([failures.recall('0'), failures.recall('1999')]).toEqual([
      undefined,
      refusal,
    ]);
  });

  it('is bounded for long keys', () => {
    const failures = new NegativeTokenCache();
    const long = (i: number) => `${i} ${'x'.repeat(10_000)}`;
    for (let i = 0; i < 100; i += 1) {
      failures.add(long(i), refusal);
    }
    expect([failures.recall(long(0)), failures.recall(long(99))]).toEqual([
      undefined,
      refusal,
    ]);
  });
});
