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
    const before = refusals.list();
    refusal.answer = 'worked';
    expect(before).toMatchObject([{ id: refusal.id }]);
    expect(before[0].answer).toBeUndefined();
    expect(refusals.list()[0].answer).toBe('worked');
  });

  it('have what is known of each, the newest first', () => {
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
    expect(refusals.list()).toEqual([
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
      const kept = refusals.list().map(each => each.id);
      expect(kept).toEqual(ids.slice(Math.max(0, i - 199), i + 1).reverse());
    }
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
    const report = refusals.list();
    expect(report).toHaveLength(200);
    expect(JSON.stringify(report)).not.toContain('not an address');
    expect(JSON.stringify(report).length).toBeLessThan(500_000);
  });
});
