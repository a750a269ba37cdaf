import { IssuerClock } from './IssuerClock';

const DAY = 86_400;

describe('[P20] IssuerClock', () => {
  const NOON = Date.parse('2026-11-25T12:00:00Z');
  const noon = NOON / 1000;

  beforeEach(() => jest.useFakeTimers({ now: NOON + 900 }));
  afterEach(() => jest.useRealTimers());

  it('is the clock of this replica while no token is from the future', () => {
    const clock = new IssuerClock();
    for (const iat of [undefined, noon - 10, noon]) {
      clock.observe(iat);
      expect(clock.now()).toBe(noon);
    }
  });

  it('is ahead by as much as the fastest issuer was', () => {
    const clock = new IssuerClock();
    clock.observe(noon + 60);
    clock.observe(noon + 20);
    expect(clock.now()).toBe(noon + 60);
    jest.setSystemTime(NOON + 30_000);
    expect(clock.now()).toBe(noon + 90);
  });

  it('follows an issuer that is further ahead', () => {
    const clock = new IssuerClock();
    clock.observe(noon + 20);
    clock.observe(noon + 60);
    expect(clock.now()).toBe(noon + 60);
  });

  it('keeps a lead for a day after the last token that has shown it', () => {
    const clock = new IssuerClock();
    clock.observe(noon + 60);
    jest.setSystemTime(NOON + (DAY * 1000) / 2);
    clock.observe(noon + DAY / 2 + 60);
    jest.setSystemTime(NOON + DAY * 1500);
    clock.observe(noon + DAY * 1.5 + 6);
    expect(clock.now()).toBe(noon + DAY * 1.5 + 60);
    jest.setSystemTime(NOON + (DAY * 1.5 + 1) * 1000);
    expect(clock.now()).toBe(noon + DAY * 1.5 + 1);
  });

  it('accepts a lead of at most five minutes', () => {
    const clock = new IssuerClock();
    clock.observe(noon + DAY);
    expect(clock.now()).toBe(noon + 300);
  });

  it('forgets a lead that no token has shown for a day', () => {
    const clock = new IssuerClock();
    clock.observe(noon + 60);
    jest.setSystemTime(NOON + DAY * 1000);
    expect(clock.now()).toBe(noon + DAY + 60);
    jest.setSystemTime(NOON + (DAY + 1) * 1000);
    expect(clock.now()).toBe(noon + DAY + 1);
    clock.observe(noon + DAY + 6);
    expect(clock.now()).toBe(noon + DAY + 6);
  });
});
