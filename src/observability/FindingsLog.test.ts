import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Finding } from '../findings/Finding';
import { FindingsLog } from './FindingsLog';

const HOUR_MS = 60 * 60 * 1000;

const unused = (days: number): Finding => ({
  id: 'rule-unused',
  at: 'auth.apiGate.allow[0] (GET /api/a/x)',
  why: `has been used by no request for ${days} days`,
  write: 'remove the rule',
});

describe('FindingsLog', () => {
  let found: Finding[];
  let lines: [level: string, message: string][];
  let log: FindingsLog;

  beforeEach(() => {
    jest.useFakeTimers();
    lines = [];
    const record = (level: string) => (message: string) =>
      lines.push([level, message.split('\n')[0]]);
    log = new FindingsLog(
      {
        info: record('info'),
        warn: record('warn'),
      } as unknown as LoggerService,
      () => found,
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

  it('logs nothing once it has stopped', () => {
    found = [];
    log.start();
    log.stop();
    found = [unused(30)];
    jest.advanceTimersByTime(HOUR_MS);
    expect(lines).toEqual([['info', 'API gate: 0 findings, 0 accepted']]);
  });
});
