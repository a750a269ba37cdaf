import { Refusal } from './Refusal';
import { refuseUndecided } from './refuseUndecided';

const ID = /^[0-9a-f]{16}$/;

describe('refuseUndecided', () => {
  it('logs the id that the answer has, with the reason', () => {
    const logger = { info: jest.fn(), error: jest.fn() };
    const headers = refuseUndecided(Refusal.starting(), logger as never);
    expect(headers).toEqual({
      'Retry-After': '5',
      'Api-Gate-Decision': expect.stringMatching(ID),
    });
    expect(logger.info.mock.calls).toEqual([
      [
        'API gate refused a request',
        { reason: 'starting', decision: headers['Api-Gate-Decision'] },
      ],
    ]);
    expect(logger.error).not.toHaveBeenCalled();
  });

  it('logs the type of an error and not its text, which may hold anything', () => {
    const logger = { info: jest.fn(), error: jest.fn() };
    const error = new TypeError('secret');
    refuseUndecided(Refusal.failed, logger as never, error);
    expect(logger.error.mock.calls).toEqual([
      [
        'API gate refused a request',
        {
          reason: 'failed',
          decision: expect.stringMatching(ID),
          errorType: 'TypeError',
        },
      ],
    ]);
  });

  it('answers if the log fails', () => {
    const info = () => {
      throw new Error('The disk is full');
    };
    expect(
      refuseUndecided(Refusal.starting(), { info } as never),
    ).toHaveProperty('Api-Gate-Decision');
  });
});
