import { ServerResponse } from 'node:http';
import express, { Response } from 'express';
import { clearCookie } from './clearCookie';
import { GateCookie } from './GateCookie';

const gateCookie = new GateCookie(
  { enabled: true, name: 'token', attributes: {} } as never,
  '[::1]',
);
const clearing = (name: string) =>
  `${name}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT`;

/** Returns the headers of an answer whose handler sets its own headers after the gate has decided. */
function answer(header: string | undefined, cookie?: GateCookie) {
  const req = { headers: { cookie: header } } as never;
  const res: Response = Object.setPrototypeOf(
    new ServerResponse(req),
    express.response,
  );
  clearCookie(cookie, req, res);
  res.setHeader('Set-Cookie', ['own=1']);
  res.setHeader('Cache-Control', 'public');
  res.setHeader('CDN-Cache-Control', 'public');
  res.writeHead(401);
  return { ...res.getHeaders() };
}

describe('clearCookie', () => {
  const own = {
    'set-cookie': ['own=1'],
    'cache-control': 'public',
    'cdn-cache-control': 'public',
  };

  it.each([
    ['token=x', [clearing('token')]],
    ['a=1; token=x; token=y', [clearing('token')]],
    ['token.0=x; token.1=y', ['token.0', 'token.1'].map(clearing)],
  ])('adds to the headers of the handler for %s', (header, cleared) => {
    expect(answer(header, gateCookie)).toEqual({
      'set-cookie': ['own=1', ...cleared],
      'cache-control': 'no-store',
    });
  });

  it('leaves them for a request without the cookie, and where the gate has none', () => {
    expect(answer('a=1', gateCookie)).toEqual(own);
    expect(answer(undefined, gateCookie)).toEqual(own);
    expect(answer('token=x')).toEqual(own);
  });
});
