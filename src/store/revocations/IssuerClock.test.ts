import { IssuerClock } from './IssuerClock';

const HOUR = 3_600;
const DAY = 24 * HOUR;

describe('[P20] IssuerClock', () => {
  const NOON = Date.parse('2026-11-25T12:00:00Z');
  const noon = NOON / 1000;

  beforeEach(() => jest.useFakeTimers({ now: NOON + 900 }));
  afterEach(() => jest.useRealTimers());

  /** Makes a clock that has seen tokens, each of an hour. */
  const clockOf = (...iats: (number | undefined)[]) => {
    const clock = new IssuerClock();
    for (const iat of iats) {
      clock.observe({ iat, exp: (iat ?? noon) + HOUR });
    }
    return clock;
  };

  it.each([
    [[], 0],
    [[undefined], 0],
    [[noon - 10], 0],
    [[noon], 0],
    [[noon + 60, noon + 20], 60],
    [[noon + 20, noon + 60], 60],
    [[noon + DAY], 300],
  ])('has seen %j, and is ahead by %d s', (iats, lead) => {
    const clock = clockOf(...iats);
    expect(clock.now()).toBe(noon + lead);
    jest.setSystemTime(NOON + 30_000);
    expect(clock.now()).toBe(noon + 30 + lead);
  });

  it('forgets a lead once the last token that has shown it has expired', () => {
    const clock = clockOf(noon + 60);
    jest.setSystemTime(NOON + (HOUR / 2) * 1000);
    clock.observe({ iat: noon + HOUR / 2 + 60, exp: noon + HOUR * 1.5 });
    // A smaller one changes nothing meanwhile.
    jest.setSystemTime(NOON + HOUR * 1_500);
    clock.observe({ iat: noon + HOUR * 1.5 + 6, exp: noon + HOUR * 2 });
    expect(clock.now()).toBe(noon + HOUR * 1.5 + 60);
    jest.setSystemTime(NOON + (HOUR * 1.5 + 1) * 1000);
    expect(clock.now()).toBe(noon + HOUR * 1.5 + 1);
    clock.observe({ iat: noon + HOUR * 1.5 + 7, exp: noon + HOUR * 2 });
    expect(clock.now()).toBe(noon + HOUR * 1.5 + 7);
  });

  it('forgets a lead after a day, and keeps none of a token without an end', () => {
    const clock = new IssuerClock();
    clock.observe({ iat: noon + 60 });
    expect(clock.now()).toBe(noon);
    clock.observe({ iat: noon + 60, exp: noon + 2 * DAY });
    jest.setSystemTime(NOON + (DAY + 1) * 1000);
    expect(clock.now()).toBe(noon + DAY + 1);
  });
});
