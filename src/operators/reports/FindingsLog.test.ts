import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Finding } from '../findings/Finding';
import { FindingsLog } from './FindingsLog';

const HOUR_MS = 60 * 60 * 1000;

const unused = (days: number): Finding => ({
  id: 'rule-ends-soon',
  severity: 'low',
  at: 'auth.apiGate.allow[0] (GET /api/a/x)',
  why: `has been used by no request for ${days} days`,
  write: 'remove the rule',
  page: 'docs/findings.md#the-ids',
});

describe('FindingsLog', () => {
  let found: Finding[];
  let lines: [level: string, message: string][];
  let logged: { message: string; meta: object }[];
  let searches: number;
  let log: FindingsLog;

  beforeEach(() => {
    jest.useFakeTimers();
    [lines, logged, searches] = [[], [], 0];
    const record = (level: string) => (message: string, meta: object) => {
      lines.push([level, message.split('\n')[0]]);
      logged.push({ message, meta });
    };
    log = new FindingsLog(
      {
        info: record('info'),
        warn: record('warn'),
      } as unknown as LoggerService,
      () => {
        searches += 1;
        return found;
      },
    );
  });
  afterEach(() => {
    log.stop();
    jest.useRealTimers();
  });

  it('logs a finding once, though its number of days grows', () => {
    found = [unused(30)];
    log.start();
    found = [unused(31)];
    jest.advanceTimersByTime(48 * HOUR_MS);
    expect(lines).toEqual([['warn', 'API gate: 1 finding, 0 accepted']]);
    expect(searches).toBe(48 * 6 + 1);
  });

  it('logs a finding again within an hour of the end of its acceptance', () => {
    found = [{ ...unused(30), accepted: { reason: 'rare' } }];
    log.start();
    expect(lines).toEqual([['info', 'API gate: 0 findings, 1 accepted']]);
    found = [unused(30)];
    jest.advanceTimersByTime(HOUR_MS);
    expect(lines.slice(1)).toEqual([
      ['warn', 'API gate: 1 finding, 0 accepted'],
    ]);
  });

  it('logs each finding as a line and as data', () => {
    found = [unused(30), { ...unused(31), accepted: { reason: 'rare' } }];
    log.start();
    expect(logged).toEqual([
      {
        message: [
          'API gate: 1 finding, 1 accepted',
          'auth.apiGate.allow[0] (GET /api/a/x): has been used by no request for 30 days: remove the rule [rule-ends-soon]',
          'auth.apiGate.allow[0] (GET /api/a/x): has been used by no request for 31 days: remove the rule [rule-ends-soon], accepted (rare)',
        ].join('\n  '),
        meta: { findings: found },
      },
    ]);
  });

  it('splits many findings into lines that logs keep whole, and shortens long texts', () => {
    found = Array.from({ length: 50 }, (_, i) => ({
      ...unused(i),
      why: 'ü'.repeat(2_000),
    }));
    log.start();
    expect(logged.length).toBeGreaterThan(5);
    for (const { message, meta } of logged) {
      expect(JSON.stringify({ message, meta }).length).toBeLessThan(7_500);
      expect(message).toMatch(/üüü…/);
    }
  });

  it('names the page, in a backend that has it', () => {
    const info = jest.fn();
    const logger = { info } as unknown as LoggerService;
    new FindingsLog(logger, () => [], 'https://a.example/').update();
    expect(info).toHaveBeenCalledWith(expect.anything(), {
      findings: [],
      page: 'https://a.example/#findings',
    });
  });

  it('logs nothing once it has stopped', () => {
    found = [];
    log.start();
    log.stop();
    found = [unused(30)];
    jest.advanceTimersByTime(HOUR_MS);
    expect(lines).toEqual([['info', 'API gate: 0 findings, 0 accepted']]);
  });
});
