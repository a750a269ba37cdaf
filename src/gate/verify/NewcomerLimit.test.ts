import { NewcomerLimit } from './NewcomerLimit';

describe('[P13] NewcomerLimit', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** Returns a limit whose new ids of this minute are used up. */
  function used() {
    const limit = new NewcomerLimit(10);
    for (let i = 0; i < 10; i += 1) {
      expect(limit.admits(`id${i}`)).toBe(true);
    }
    return limit;
  }

  it('admits a number of new ids a minute', () => {
    const limit = used();
    expect(limit.admits('another')).toBe(false);
    jest.advanceTimersByTime(59_999);
    expect(limit.admits('a third')).toBe(false);
    jest.advanceTimersByTime(1);
    expect(limit.admits('a fourth')).toBe(true);
  });

  it('[P25] admits an id that comes back, despite a flood of ids that are used once', () => {
    const limit = used();
    expect(limit.admits('peer')).toBe(false);
    let others = 0;
    for (let i = 0; i < 1_000; i += 1) {
      jest.advanceTimersByTime(1);
      others += Number(limit.admits(`made-up-${i}`));
    }
    expect(others).toBe(0);
    expect(limit.admits('peer')).toBe(true);
    // The limit admits no more than that.
    expect(limit.admits('peer')).toBe(false);
  });

  it('does not admit an id that comes back immediately', () => {
    jest.advanceTimersByTime(10_000);
    const limit = used();
    for (let i = 0; i < 999; i += 1) {
      expect(limit.admits('hasty')).toBe(false);
      jest.advanceTimersByTime(1);
    }
    jest.advanceTimersByTime(1);
    expect(limit.admits('hasty')).toBe(true);
  });

  it('admits five ids a second of those that come back', () => {
    const limit = used();
    const ids = Array.from({ length: 100 }, (_, i) => `made-up-${i}`);
    const admitted = () => ids.filter(id => limit.admits(id)).length;
    expect(admitted()).toBe(0);
    jest.advanceTimersByTime(1_000);
    expect(admitted()).toBe(5);
    jest.advanceTimersByTime(999);
    expect(admitted()).toBe(0);
    jest.advanceTimersByTime(1);
    expect(admitted()).toBe(5);
  });

  it('remembers five thousand ids that were turned away', () => {
    const limit = used();
    for (let i = 0; i < 5_001; i += 1) {
      limit.admits(`made-up-${i}`);
    }
    jest.advanceTimersByTime(1_000);
    expect(limit.admits('made-up-0')).toBe(false);
    expect(limit.admits('made-up-5000')).toBe(true);
  });

  it('does not depend on the clock of the machine', () => {
    const limit = used();
    jest.setSystemTime(0);
    jest.advanceTimersByTime(60_000);
    expect(limit.admits('another')).toBe(true);
  });
});
