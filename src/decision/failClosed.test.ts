import { ServiceUnavailableError } from '@backstage/errors';
import { refuseUndecided, toRefusal } from './failClosed';
import { Refusal } from './Refusal';

describe('toRefusal', () => {
  const error = jest.fn();
  const logger = { error } as never;
  beforeEach(() => error.mockReset());

  it('returns a refusal as it is, and logs nothing', () => {
    expect(toRefusal(Refusal.because('cross-site'), logger)).toBe(
      Refusal.because('cross-site'),
    );
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
    expect(toRefusal(thrown, logger)).toBe(Refusal.because('failed'));
    expect(error.mock.calls).toEqual([
      ['API gate failed to decide about a request', thrown],
    ]);
  });
});

describe('refuseUndecided', () => {
  const logger = { info: jest.fn(), error: jest.fn() };
  beforeEach(() => jest.resetAllMocks());

  it('logs the id that it returns, with the reason', () => {
    const decision = refuseUndecided(
      Refusal.because('starting'),
      logger as never,
    );
    expect(decision).toMatch(/^[0-9a-f]{16}$/);
    expect(logger.info.mock.calls).toEqual([
      ['API gate refused a request', { reason: 'starting', decision }],
    ]);
    expect(logger.error).not.toHaveBeenCalled();
  });

  it('logs the type of an error and not its text, which may hold anything', () => {
    const error = new TypeError('secret');
    const decision = refuseUndecided(
      Refusal.because('failed'),
      logger as never,
      error,
    );
    const fields = { reason: 'failed', decision, errorType: 'TypeError' };
    expect(logger.error.mock.calls).toEqual([
      ['API gate refused a request', fields],
    ]);
  });

  it('returns an id if the log fails', () => {
    logger.info.mockImplementation(() => {
      throw new Error('The disk is full');
    });
    expect(
      refuseUndecided(Refusal.because('starting'), logger as never),
    ).toHaveLength(16);
  });
});
