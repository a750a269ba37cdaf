import { ServerResponse } from 'node:http';
import type { Response } from 'express';
import { failClosed } from './failClosed';

const ID = /^[0-9a-f]{16}$/;

describe('failClosed', () => {
  const create = () => {
    const logger = { info: jest.fn(), error: jest.fn() };
    const res = new ServerResponse({} as never) as unknown as Response;
    const fail = () =>
      failClosed(new TypeError('secret'), res, logger as never);
    return { logger, res, fail };
  };

  it('refuses with the id that the log has, and without the text of the error', () => {
    const { logger, res, fail } = create();
    expect(String(fail())).toBe(
      'ServiceUnavailableError: Credentials can not be judged',
    );
    const decision = res.getHeader('api-gate-decision');
    expect(decision).toMatch(ID);
    expect(logger.error.mock.calls).toEqual([
      [
        'API gate refused a request',
        { reason: 'failed', decision, errorType: 'TypeError' },
      ],
    ]);
  });

  it('leaves an answer as it is that has begun', () => {
    const { res, fail } = create();
    res.writeHead(200);
    expect(String(fail())).toContain('Credentials can not be judged');
    expect(res.getHeaders()).toEqual({});
  });
});
