import { RateLimit } from './RateLimit';

beforeEach(() => {
  jest.useFakeTimers({ now: Date.parse('2026-11-25T12:00:00Z') });
});
afterEach(() => jest.useRealTimers());

describe('RateLimit', () => {
  it('allows so many uses within any interval, and returns how long to wait', () => {
    const limit = new RateLimit({ max: 2, intervalMs: 1000 });
    expect(limit.take()).toBe(0);
    jest.advanceTimersByTime(600);
    expect(limit.take()).toBe(0);
    expect(limit.take()).toBe(400);
    jest.advanceTimersByTime(399);
    expect(limit.take()).toBe(1);
    jest.advanceTimersByTime(1);
    expect(limit.take()).toBe(0);
    // The second use is 400 ms old: no burst at the interval's edge.
    expect(limit.take()).toBe(600);
  });

  it('counts each key by itself', () => {
    const limit = new RateLimit({ max: 1, intervalMs: 1000 });
    expect(limit.take('a')).toBe(0);
    expect(limit.take('b')).toBe(0);
    expect(limit.take('a')).toBe(1000);
  });

  it('is not moved by a step of the system clock', () => {
    const limit = new RateLimit({ max: 1, intervalMs: 1000 });
    limit.take();
    jest.setSystemTime(Date.parse('2027-11-25T12:00:00Z'));
    expect(limit.take()).toBe(1000);
    jest.setSystemTime(Date.parse('2020-11-25T12:00:00Z'));
    jest.advanceTimersByTime(1000);
    expect(limit.take()).toBe(0);
  });

  it('remembers so many keys, and forgets the one used least recently', () => {
    const limit = new RateLimit({ max: 1, intervalMs: 1000 });
    limit.take('a');
    limit.take('b');
    for (let i = 2; i < 1000; i += 1) {
      limit.take(`${i}`);
    }
    limit.take('a');
    limit.take('c');
    expect(limit.take('a')).toBe(1000);
    expect(limit.take('b')).toBe(0);
  });
});
