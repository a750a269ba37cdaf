import { createForwardClock } from './forwardClock';

describe('createForwardClock', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: 1_000 });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('stands still until a clock that was set back is there again', () => {
    const clock = createForwardClock();
    expect(clock()).toBe(1_000);
    jest.setSystemTime(2_000);
    expect(clock()).toBe(2_000);
    jest.setSystemTime(500);
    expect(clock()).toBe(2_000);
    jest.setSystemTime(2_001);
    expect(clock()).toBe(2_001);
  });
});
