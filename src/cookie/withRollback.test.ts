import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
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
  expect(outcome).toHaveBeenCalledWith(
    new Error('The cookie was not issued in time'),
  );
  // Jest would report an unhandled rejection.
  fail(new Error('too late'));
  await jest.advanceTimersByTimeAsync(1);
  jest.useRealTimers();
});

describe('the Set-Cookie headers of an issuer that fails', () => {
  /** Runs an issuer on an answer that has headers already, and returns those that it has then. */
  async function setCookiesAfter(
    issueCookie: (res: ServerResponse) => void | Promise<void>,
    before?: string[],
  ) {
    const res = new ServerResponse(new IncomingMessage(new Socket()));
    if (before) {
      res.setHeader('Set-Cookie', before);
    }
    const issuer = withRollback({
      issueCookie: context => issueCookie(context.res),
    });
    const failed = await Promise.resolve(
      issuer.issueCookie({ res } as unknown as CookieIssuerContext),
    ).then(
      () => undefined,
      error => error.message,
    );
    return { failed, setCookies: res.getHeader('Set-Cookie') };
  }

  const failing = (res: ServerResponse) => {
    res.appendHeader('Set-Cookie', 'half=1');
    throw new Error('failed');
  };

  it('are removed, and those from before it stay', async () => {
    for (const before of [undefined, ['a=1', 'b=2']]) {
      expect(await setCookiesAfter(failing, before)).toEqual({
        failed: 'failed',
        setCookies: before,
      });
    }
  });

  it('stay where they have been sent already', async () => {
    const { failed } = await setCookiesAfter(async res => {
      res.writeHead(200);
      throw new Error('failed');
    });
    // Changing them now would throw another error.
    expect(failed).toBe('failed');
  });

  it('are kept if it succeeds', async () => {
    const succeeding = (res: ServerResponse) => {
      res.setHeader('Set-Cookie', ['a=1', 'mine=1']);
    };
    expect(await setCookiesAfter(succeeding, ['a=1'])).toEqual({
      failed: undefined,
      setCookies: ['a=1', 'mine=1'],
    });
  });
});
