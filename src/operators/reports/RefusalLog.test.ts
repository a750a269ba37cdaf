import { RefusalLog } from './RefusalLog';
import type { ReportedRefusal } from './Refusals';

const error = new TypeError('refused');

function create() {
  const info = jest.fn();
  const refused = jest.fn();
  const refusalLog = new RefusalLog({
    logger: { info } as never,
    audit: { refused } as never,
  });
  return {
    info,
    refused,
    refusalLog,
    add: (plugin: string, id: string, refusal: Partial<ReportedRefusal> = {}) =>
      refusalLog.add(
        {
          id,
          time: '2026-11-28T12:00:30.000Z',
          outcome: 'refused',
          reason: 'revoked',
          plugin,
          method: 'GET',
          path: '/x',
          ...refusal,
        },
        error,
      ),
    /** Returns the ids of the new lines, each with the number of refusals and of ids that it has in place of lines. */
    take: () =>
      info.mock.calls
        .splice(0)
        .map(
          ([, { decision, refusals, omitted = 0, omittedDecisions = [] }]) =>
            refusals
              ? [refusals, omittedDecisions.length]
              : [decision, omitted, omittedDecisions.length],
        ),
  };
}

describe('[P26] the log of refusals', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('[P116] says what to write for an external token without an entry, and for no other', () => {
    const { add, info } = create();
    const restricted = { reason: 'restricted', subject: 'ci' } as const;
    add('a', '1', { ...restricted, detail: 'no-entry' });
    add('a', '2', { ...restricted, detail: 'only' });
    const [[, line], [, other]] = info.mock.calls;
    expect(line).toMatchObject({ detail: 'no-entry', subject: 'ci' });
    expect(line.remedy).toBe(
      'add an entry with this subject, and with this request in only, to auth.apiGate.tokens',
    );
    expect(other).not.toHaveProperty('remedy');
  });

  it('has the first of each plugin, outcome, reason and detail at once', () => {
    const { add, refused, take } = create();
    add('a', '1');
    add('b', '2');
    add('a', '3', { outcome: 'would-refuse' });
    add('a', '4', { reason: 'restricted' });
    add('a', '5', { detail: 'expired' });
    add('a', '6', { method: 'POST', path: '/y' });
    expect(take().map(([id]) => id)).toEqual(['1', '2', '3', '4', '5']);
    // Report-only has refused nothing.
    const audited = refused.mock.calls.map(([, event]) => event.decision);
    expect(audited).toEqual(['1', '2', '4', '5']);
  });

  it('has the latest of each second, with the number and the ids of those left out before it', () => {
    const { add, info, refused, take } = create();
    for (let i = 0; i < 25; i += 1) {
      add('a', `${i}`);
      jest.advanceTimersByTime(100);
    }
    const meta = { plugin: 'a', reason: 'revoked', method: 'GET' };
    const line = { ...meta, path: '/x', errorType: 'TypeError' };
    const omittedDecisions = ['1', '2', '3', '4', '5', '6', '7', '8'];
    const [[, first], [, second]] = info.mock.calls;
    expect(first).toStrictEqual({ ...line, decision: '0' });
    expect(second).toStrictEqual({
      ...line,
      ...{ decision: '9', omitted: 8, omittedDecisions },
    });
    const event = { ...meta, decision: '9', omitted: 8 };
    expect(refused.mock.calls[1]).toEqual(['a', event]);
    expect(take()).toEqual([
      ['0', 0, 0],
      ['9', 8, 8],
      ['19', 9, 9],
    ]);
  });

  it('loses none when a flood ends, and none when the process does', () => {
    const { add, refusalLog, take } = create();
    ['1', '2', '3'].forEach(id => add('a', id));
    take();
    jest.advanceTimersByTime(1_000);
    expect(take()).toEqual([['3', 1, 1]]);
    add('a', '4');
    add('b', '5');
    refusalLog.stop();
    expect(take().map(([id]) => id)).toEqual(['5', '4']);
    add('a', '6');
    add('a', '7');
    expect(take().map(([id]) => id)).toEqual(['6', '7']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('has a refusal at once again after a second without any', () => {
    const { add, take } = create();
    add('a', '1');
    jest.advanceTimersByTime(1_000);
    expect(jest.getTimerCount()).toBe(0);
    add('a', '2');
    expect(take().map(([id]) => id)).toEqual(['1', '2']);
  });

  it('has a line a second also where the timer is late', () => {
    const { add, take } = create();
    add('a', '1');
    add('a', '2');
    jest.setSystemTime(Date.now() + 1_000);
    add('a', '3');
    expect(take().map(([id]) => id)).toEqual(['1', '2']);
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(1_000);
    expect(take()).toEqual([['3', 0, 0]]);
  });

  it('has one line for all kinds beyond a hundred, whose ids have their kind', () => {
    const { add, info, take } = create();
    for (let i = 0; i < 5_000; i += 1) {
      add(`plugin${i}`, `${i}`);
    }
    const lines = take();
    expect(lines.slice(0, 101).map(([id]) => id)).toEqual(
      Array.from({ length: 101 }, (_, i) => `${i}`),
    );
    expect(new Set(lines.slice(101).map(([kind]) => kind))).toEqual(
      new Set(['…']),
    );
    expect(jest.getTimerCount()).toBe(101);
    add('plugin0', 'again');
    jest.advanceTimersByTime(1_000);
    const ids = info.mock.calls.map(([, meta]) => meta.omittedDecisions);
    expect(ids.flat()).toContain('4998 plugin4998 refused revoked');
    expect(take().map(([id]) => id)).toEqual(['again', '4999']);
  });

  it('has the ids of a flood in lines of about 4,000 bytes', () => {
    const { add, info, take } = create();
    for (let i = 0; i < 100_000; i += 1) {
      add('a', `${i}`);
    }
    jest.advanceTimersByTime(1_000);
    const metas = info.mock.calls.map(([, meta]) => meta);
    const [last, ...groups] = metas.slice(1).reverse();
    expect(last).toMatchObject({ decision: '99999', omitted: 99_998 });
    for (const { omittedDecisions } of groups) {
      const { length } = JSON.stringify(omittedDecisions);
      expect(length).toBeGreaterThan(4_000);
      expect(length).toBeLessThan(4_050);
    }
    const ids = metas.flatMap(({ omittedDecisions = [] }) => omittedDecisions);
    expect(ids).toEqual(Array.from({ length: 99_998 }, (_, i) => `${i + 1}`));
    expect(take().at(-2)![0]).toBe('a refused revoked');
  });

  it('goes on after a line that could not be logged', () => {
    const { add, info, take } = create();
    add('a', '1');
    add('a', '2');
    info.mockImplementationOnce(() => {
      throw new Error('The log is full');
    });
    jest.advanceTimersByTime(1_000);
    add('a', '3');
    jest.advanceTimersByTime(1_000);
    expect(take().map(([id]) => id)).toEqual(['1', '2', '3']);
  });
});
