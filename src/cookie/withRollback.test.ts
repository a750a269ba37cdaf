import type { Request, Response } from 'express';
import type { CookieIssuerContext } from './CookieIssuer';
import { withRollback } from './withRollback';

it('stops waiting for an issuer that never ends, and ignores its later failure', async () => {
  jest.useFakeTimers();
  let fail!: (error: Error) => void;
  const { issueCookie } = withRollback({
    issueCookie: () =>
      new Promise<void>((_, reject) => {
        fail = reject;
      }),
  });
  const context = {
    req: {} as Request,
    res: {
      getHeader: () => undefined,
      headersSent: true,
    } as unknown as Response,
  } as CookieIssuerContext;
  const outcome = jest.fn();
  Promise.resolve(issueCookie(context)).catch(outcome);
  await jest.advanceTimersByTimeAsync(2_999);
  expect(outcome).not.toHaveBeenCalled();
  await jest.advanceTimersByTimeAsync(1);
  expect(outcome).toHaveBeenCalledTimes(1);
  // Jest would report an unhandled rejection.
  fail(new Error('too late'));
  await jest.advanceTimersByTimeAsync(1);
  jest.useRealTimers();
});
