import type { IncomingMessage } from 'node:http';
import { replaceCookies } from './replaceCookies';

const request = (cookie: string | undefined) => {
  const headers = cookie === undefined ? {} : { cookie };
  return {
    headers,
    headersDistinct: {},
    rawHeaders: Object.entries(headers).flat(),
  } as IncomingMessage;
};

describe('replaceCookies', () => {
  it.each([
    ['a=1; b=2', 'b=2', 'b=2'],
    ['a=1', undefined, undefined],
    ['a=1', 'a=1', 'a=1'],
    [undefined, undefined, undefined],
    [undefined, 'a=1', undefined],
  ])('of %s by %s leaves %s', (present, cookies, expected) => {
    const req = request(present);
    replaceCookies(req, cookies);
    expect(req.headers.cookie).toBe(expected);
    expect(req.rawHeaders).toEqual(expected ? ['cookie', expected] : []);
  });

  it('leaves a request alone that has these very ones', () => {
    const req = request('a=1');
    const { rawHeaders } = req;
    replaceCookies(req, 'a=1');
    expect(req.rawHeaders).toBe(rawHeaders);
  });
});
