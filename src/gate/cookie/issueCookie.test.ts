import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { CookieIssuer, CookieIssuerContext } from './CookieIssuer';
import { wrapIssuer } from './issueCookie';

/** Runs an adopter's issuer on an answer that may have a header already. Returns its error, and the header then. */
async function run(
  issueCookie: (res: ServerResponse) => ReturnType<CookieIssuer['issueCookie']>,
  before?: string[],
) {
  const res = new ServerResponse(new IncomingMessage(new Socket()));
  if (before) {
    res.setHeader('Set-Cookie', before);
  }
  const issuer = wrapIssuer({
    issueCookie: context => issueCookie(context.res),
  });
  const outcome = await issuer
    .issueCookie({ res } as unknown as CookieIssuerContext, {} as never)
    .catch(error => error.message);
  return [outcome, res.getHeader('Set-Cookie')];
}

describe('wrapIssuer', () => {
  it('stops waiting for an issuer that never ends, and ignores its later failure', async () => {
    jest.useFakeTimers();
    let fail!: (error: Error) => void;
    const outcome = jest.fn();
    run(
      () =>
        new Promise<void>((_, reject) => {
          fail = reject;
        }),
    ).then(outcome);
    await jest.advanceTimersByTimeAsync(2_999);
    expect(outcome).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(outcome.mock.calls).toEqual([
      [['The cookie was not issued in time', undefined]],
    ]);
    // Jest would report an unhandled rejection.
    fail(new Error('too late'));
    await jest.advanceTimersByTimeAsync(1);
    jest.useRealTimers();
  });

  it.each([
    ['throws', false],
    ['rejects', true],
  ])('takes back the cookies of an issuer that %s', async (_, isAsync) => {
    for (const before of [undefined, ['a=1', 'b=2']]) {
      const failing = (res: ServerResponse) => {
        res.setHeader('Set-Cookie', [...(before ?? []), 'half=1']);
        if (isAsync) {
          return Promise.reject(new Error('failed'));
        }
        throw new Error('failed');
      };
      expect(await run(failing, before)).toEqual(['failed', before]);
    }
  });

  // Node adds to the array that the answer has.
  it('takes back a cookie that was appended to others', async () => {
    const failing = (res: ServerResponse) => {
      res.appendHeader('Set-Cookie', 'half=1');
      throw new Error('failed');
    };
    const [, kept] = await run(failing, ['a=1', 'b=2']);
    expect(kept).toEqual(['a=1', 'b=2']);
  });

  it('leaves headers that have been sent, which would throw another error', async () => {
    const [outcome] = await run(res => {
      res.writeHead(200);
      throw new Error('failed');
    });
    expect(outcome).toBe('failed');
  });

  it('keeps the cookies of an issuer that succeeds', async () => {
    const succeeding = (res: ServerResponse) => {
      res.setHeader('Set-Cookie', ['a=1', 'mine=1']);
    };
    const kept = [undefined, ['a=1', 'mine=1']];
    expect(await run(succeeding, ['a=1'])).toEqual(kept);
  });
});
