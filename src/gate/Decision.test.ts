import { Decision, Decisions } from './Decision';

const req = () => ({}) as never;
const decision = (
  outcome: Decision['outcome'],
  plugin = 'hello',
): Decision => ({ outcome, plugin, reason: 'bearer', credential: 'bearer' });

describe('Decisions', () => {
  it('has passed a request to the plugin that it was judged for, in any letter case, and to no other', () => {
    const decisions = new Decisions();
    const passed = req();
    decisions.set(passed, decision('passed'));
    expect(decisions.hasPassed(passed, 'Hello')).toBe(true);
    expect(decisions.hasPassed(passed, 'other')).toBe(false);
    expect(decisions.hasPassed(req(), 'hello')).toBe(false);
  });

  it('has not passed a request that report-only lets through', () => {
    const decisions = new Decisions();
    const reported = req();
    decisions.set(reported, decision('would-refuse'));
    expect(decisions.hasPassed(reported, 'hello')).toBe(false);
    expect(decisions.get(reported)?.outcome).toBe('would-refuse');
  });

  it('has not passed a request that was passed before, and then refused', () => {
    const decisions = new Decisions();
    const judgedTwice = req();
    decisions.set(judgedTwice, decision('passed'));
    decisions.set(judgedTwice, decision('refused'));
    expect(decisions.hasPassed(judgedTwice, 'hello')).toBe(false);
    expect(decisions.get(judgedTwice)?.outcome).toBe('refused');
  });
});
