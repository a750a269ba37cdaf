import { Refusal } from '../Refusal';
import { NegativeTokenCache } from './explainFailure';

const refusal = Refusal.because('invalid-token', 'signature');

describe('NegativeTokenCache', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: new Date('2026-06-01T00:00:00Z') });
    jest.advanceTimersByTime(1);
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('remembers a failure for a second', () => {
    const failures = new NegativeTokenCache();
    expect(failures.size).toBe(0);
    failures.set('a', refusal);
    expect(failures.size).toBe(1);
    expect([failures.get('a'), failures.get('b')]).toEqual([
      refusal,
      undefined,
    ]);
    jest.advanceTimersByTime(999);
    expect(failures.get('a')).toBe(refusal);
    jest.advanceTimersByTime(2);
    expect(failures.get('a')).toBeUndefined();
  });

  it('forgets a failure in time if the clock is set back', () => {
    const failures = new NegativeTokenCache();
    failures.set('a', refusal);
    jest.setSystemTime(Date.now() - 3_600_000);
    expect(failures.get('a')).toBe(refusal);
    jest.advanceTimersByTime(1_001);
    expect(failures.get('a')).toBeUndefined();
  });

  it('is bounded', () => {
    const failures = new NegativeTokenCache();
    for (let i = 0; i < 2_000; i += 1) {
      failures.set(`${i}`, refusal);
    }
    expect([failures.get('0'), failures.get('1999')]).toEqual([
      undefined,
      refusal,
    ]);
  });

  it('is bounded for long keys', () => {
    const failures = new NegativeTokenCache();
    const long = (i: number) => `${i} ${'x'.repeat(10_000)}`;
    for (let i = 0; i < 100; i += 1) {
      failures.set(long(i), refusal);
    }
    expect([failures.get(long(0)), failures.get(long(99))]).toEqual([
      undefined,
      refusal,
    ]);
  });
});
