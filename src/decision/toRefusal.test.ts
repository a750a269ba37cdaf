import { ServiceUnavailableError } from '@backstage/errors';
import { Refusal } from './Refusal';
import { toRefusal } from './toRefusal';

describe('toRefusal', () => {
  const error = jest.fn();
  const logger = { error } as never;
  beforeEach(() => error.mockReset());

  it('returns a refusal as it is, and logs nothing', () => {
    expect(toRefusal(Refusal.crossSite, logger)).toBe(Refusal.crossSite);
    expect(error).not.toHaveBeenCalled();
  });

  it('returns the refusal of a backend that starts, in its words', () => {
    const refusal = toRefusal(new ServiceUnavailableError('wait'), logger);
    expect([refusal.reason, refusal.error.message]).toEqual([
      'starting',
      'wait',
    ]);
    expect(error).not.toHaveBeenCalled();
  });

  it.each([
    new TypeError('unexpected'),
    // This is no error, though it has the name of one.
    { name: 'ServiceUnavailableError' },
    undefined,
  ])('logs %p, and returns the refusal of a failure', thrown => {
    expect(toRefusal(thrown, logger)).toBe(Refusal.failed);
    expect(error.mock.calls).toEqual([
      ['API gate failed to judge a request', thrown],
    ]);
  });
});
