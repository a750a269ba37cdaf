import type { Decision } from '../../gate/Decision';
import { REFUSALS, RefusalReason } from '../../gate/Refusal';
import { Refusals } from './Refusals';

const request = { method: 'GET', reportedPath: '/x?y=1' };

const decisionOf = (decision: Partial<Decision> = {}): Decision => ({
  plugin: 'hello',
  outcome: 'refused',
  reason: 'missing-credentials',
  credential: 'none',
  id: '0123456789abcdef',
  ...decision,
});

describe('[P86] the last refusals of a process', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: Date.parse('2026-11-28T12:00:30Z') });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('stay as they were described, and have their answers later', () => {
    const refusals = new Refusals();
    const refusal = refusals.add('hello', request, decisionOf());
    const before = refusals.describe().refusals;
    refusal.answer = 'worked';
    expect(before.last).toMatchObject([{ id: refusal.id }]);
    expect(before.last[0].answer).toBeUndefined();
    expect(refusals.describe().refusals.last[0].answer).toBe('worked');
  });

  it('have what the log has, the newest first', () => {
    const refusals = new Refusals();
    refusals.add('hello', request, decisionOf({ id: undefined }));
    jest.setSystemTime(Date.parse('2026-11-28T12:00:31.5Z'));
    refusals.add(
      'other',
      { method: 'POST', reportedPath: '/y', userAgent: 'curl/8.5.0 (x)' },
      decisionOf({
        outcome: 'would-refuse',
        reason: 'invalid-token',
        detail: 'expired',
        id: 'f',
        subject: 'user:default/jane',
        clientAddress: '203.0.113.9',
      }),
    );
    expect(refusals.describe().refusals.last).toEqual([
      {
        id: 'f',
        time: '2026-11-28T12:00:31.500Z',
        outcome: 'would-refuse',
        reason: 'invalid-token',
        detail: 'expired',
        plugin: 'other',
        method: 'POST',
        path: '/y',
        subject: 'user:default/jane',
        address: '203.0.113.9',
        userAgent: 'curl/8.5.0',
      },
      {
        id: '',
        time: '2026-11-28T12:00:30.000Z',
        outcome: 'refused',
        reason: 'missing-credentials',
        plugin: 'hello',
        method: 'GET',
        path: '/x',
      },
    ]);
  });

  it('are the latest 200, of any number', () => {
    const refusals = new Refusals();
    const ids = Array.from({ length: 450 }, (_, i) => String(i));
    for (const [i, id] of ids.entries()) {
      refusals.add('hello', request, decisionOf({ id }));
      const kept = refusals.describe().refusals.last.map(each => each.id);
      expect(kept).toEqual(ids.slice(Math.max(0, i - 199), i + 1).reverse());
    }
  });

  it('are counted by reason in each minute of an hour, the current one included', () => {
    const refusals = new Refusals();
    const add = (time: string, reason: RefusalReason) => {
      jest.setSystemTime(Date.parse(`2026-11-28T${time}Z`));
      refusals.add('hello', request, decisionOf({ reason }));
    };
    add('12:00:59.999', 'revoked');
    add('12:01:00.000', 'revoked');
    add('12:01:59.000', 'revoked');
    add('12:01:59.000', 'restricted');
    add('12:59:59.999', 'failed');
    const minutes = [
      { minute: '2026-11-28T12:00:00.000Z', reasons: { revoked: 1 } },
      {
        minute: '2026-11-28T12:01:00.000Z',
        reasons: { revoked: 2, restricted: 1 },
      },
      { minute: '2026-11-28T12:59:00.000Z', reasons: { failed: 1 } },
    ];
    expect(refusals.describe().refusals).toMatchObject({
      since: '2026-11-28T12:00:30.000Z',
      minutes,
    });
    // A minute later, the first one is over.
    jest.setSystemTime(Date.parse('2026-11-28T13:00:00Z'));
    expect(refusals.describe().refusals).toMatchObject({
      since: '2026-11-28T12:01:00.000Z',
      minutes: minutes.slice(1),
    });
    add('13:01:30', 'restricted');
    expect(refusals.describe().refusals.minutes).toEqual([
      minutes[2],
      { minute: '2026-11-28T13:01:00.000Z', reasons: { restricted: 1 } },
    ]);
    jest.setSystemTime(Date.parse('2026-11-29T12:00:00Z'));
    expect(refusals.describe().refusals).toMatchObject({
      since: '2026-11-29T11:01:00.000Z',
      minutes: [],
    });
    expect(refusals.describe().refusals.last).toHaveLength(6);
  });

  it('have at most 60 minutes in order, though the clock is set back', () => {
    const refusals = new Refusals();
    const start = Date.now();
    for (const shift of [0, 90, -90, 17]) {
      for (let i = 0; i < 100; i += 1) {
        jest.setSystemTime(start + (shift + i) * 60_000);
        refusals.add('hello', request, decisionOf());
      }
    }
    const { minutes } = refusals.describe().refusals;
    expect(minutes).toHaveLength(60);
    const times = minutes.map(({ minute }) => minute);
    expect(times).toEqual([...new Set(times)].sort());
  });

  it('are bounded in a flood of 20,000 with all that clients choose', () => {
    const refusals = new Refusals();
    const reasons = Object.keys(REFUSALS) as RefusalReason[];
    for (let i = 0; i < 20_000; i += 1) {
      jest.setSystemTime(Date.now() + 487);
      refusals.add(
        'hello',
        {
          method: 'GET',
          reportedPath: `/scan${i}${'/\xff"'.repeat(3_000)}`,
        },
        decisionOf({
          outcome: 'would-refuse',
          reason: reasons[i % reasons.length],
          subject: `user:default/${'ö'.repeat(5_000)}${i}`,
          clientAddress: `not an address ${'x'.repeat(5_000)}${i}`,
        }),
      );
    }
    const report = refusals.describe();
    expect(report.refusals.last).toHaveLength(200);
    expect(report.refusals.minutes).toHaveLength(60);
    expect(JSON.stringify(report)).not.toContain('not an address');
    expect(JSON.stringify(report).length).toBeLessThan(500_000);
  });
});
