import { Backoff } from './Backoff';

describe('Backoff', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it.each([
    [0, [1_400, 2_800, 5_600, 5_600]],
    [0.999_999, [1_800, 3_600, 7_200, 7_200]],
  ])(
    '[P43] waits longer after each time-out, and eight seconds never: random %d',
    (random, waits) => {
      jest.spyOn(Math, 'random').mockReturnValue(random);
      const backoff = new Backoff();
      expect(backoff.waitMs()).toBe(0);
      for (const wait of waits) {
        backoff.failedAfter(1_000);
        expect(Math.round(backoff.waitMs())).toBe(wait);
      }
    },
  );

  it('[P43] does not wait after a success, nor longer after a failure that came at once', () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    const backoff = new Backoff();
    backoff.failedAfter(999);
    expect(backoff.waitMs()).toBe(0);
    backoff.failedAfter(6_000);
    backoff.failedAfter(1);
    expect(backoff.waitMs()).toBe(1_400);
    backoff.succeeded();
    expect(backoff.waitMs()).toBe(0);
    backoff.failedAfter(6_000);
    expect(backoff.waitMs()).toBe(1_400);
  });
});
