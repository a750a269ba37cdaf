import type { LoggerService } from '@backstage/backend-plugin-api';
import type { AllowRule } from '../config/AllowRule';
import { RuleEnds } from './RuleEnds';

const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;
const END = Date.parse('2026-06-20T00:00:00Z');

const rule = (path: string, until?: number): AllowRule => ({
  plugin: 'proxy',
  path,
  methods: ['GET'],
  ...(until !== undefined && { until }),
});

describe('RuleEnds', () => {
  let lines: string[];
  let waits: unknown[];
  let ends: RuleEnds;

  beforeEach(() => {
    jest.useFakeTimers();
    const { setTimeout } = globalThis;
    waits = [];
    jest.spyOn(globalThis, 'setTimeout').mockImplementation(((
      callback: () => void,
      ms: number,
    ) => {
      waits.push(ms);
      return setTimeout(callback, ms);
    }) as typeof setTimeout);
    lines = [];
    const warn = (line: string) => lines.push(line);
    ends = new RuleEnds({ warn } as unknown as LoggerService, Date.now);
  });
  afterEach(() => {
    ends.stop();
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  const startAt = (time: number, ...rules: AllowRule[]) => {
    jest.setSystemTime(time);
    ends.follow(rules);
  };
  const name = (line: string) =>
    line.match(/\[\d+\] (ends within (7 days|a day)|has ended)/)![0];

  it.each([
    ['an hour before the first notice', -7 * DAY - HOUR, HOUR],
    ['less than an hour before it', -7 * DAY - 5, 5],
    ['as it comes', -7 * DAY, HOUR],
    ['less than an hour before the second', -DAY - 7, 7],
    ['less than an hour before the end', -9, 9],
  ])('waits for the next notice from %s', (_, time, wait) => {
    startAt(END + time, rule('/a', END));
    expect(waits).toEqual([wait]);
  });

  const soon = (text: string) =>
    `auth.apiGate.allow[1] ends ${text}, at 2026-06-20T00:00:00.000Z: from then on /a of the plugin proxy is closed`;

  it.each([
    [7 * DAY + 1, []],
    [7 * DAY, [soon('within 7 days')]],
    [DAY + 1, [soon('within 7 days')]],
    [DAY, [soon('within a day')]],
    [1, [soon('within a day')]],
    ...[0, -DAY].map((before): [number, string[]] => [
      before,
      [
        'auth.apiGate.allow[1] has ended, at 2026-06-20T00:00:00.000Z, and /a of the plugin proxy is closed: remove the rule, or write a later until',
      ],
    ]),
  ])('logs %d ms before the end: %j', (before, expected) => {
    startAt(END - before, rule('/b'), rule('/a', END));
    expect(lines).toEqual(expected);
  });

  it('waits for the first of several notices, and for none of rules without an end', () => {
    startAt(END - 9, rule('/a', END + 5), rule('/b', END), rule('/c'));
    expect(waits).toEqual([9]);
  });

  it('waits for nothing once all rules have ended', () => {
    startAt(END, rule('/a', END), rule('/b'));
    expect(waits).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('logs each notice of each rule once', () => {
    const rules = [rule('/a', END - 6 * DAY), rule('/b', END), rule('/c')];
    startAt(END - 7 * DAY - 1, ...rules);
    const logged = (ms: number) => {
      jest.advanceTimersByTime(ms);
      return lines.splice(0).map(name);
    };
    expect(logged(0)).toEqual(['[0] ends within 7 days']);
    expect(logged(1)).toEqual([
      '[0] ends within a day',
      '[1] ends within 7 days',
    ]);
    expect(logged(DAY - 1)).toEqual([]);
    expect(logged(1)).toEqual(['[0] has ended']);
    expect(logged(5 * DAY)).toEqual(['[1] ends within a day']);
    expect(logged(2 * DAY)).toEqual(['[1] has ended']);
  });

  it('logs nothing again about a rule that stays, and follows another one from its start', () => {
    startAt(END - 1, rule('/a', END));
    ends.follow([rule('/b'), rule('/a', END)]);
    expect(lines.map(name)).toEqual(['[0] ends within a day']);
    ends.follow([{ ...rule('/a', END), methods: ['POST'] }]);
    ends.follow([]);
    ends.follow([rule('/a', END)]);
    expect(lines).toHaveLength(3);
    expect(jest.getTimerCount()).toBe(1);
    ends.stop();
    expect(jest.getTimerCount()).toBe(0);
  });
});
