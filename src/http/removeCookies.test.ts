import { createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import cookieParser from 'cookie-parser';
import type { Request, Response } from 'express';
import { createCookieNames } from './cookieHeader';
import { removeCookies } from './removeCookies';

const NAMES = createCookieNames(
  'token',
  name => name === 'token' || name === 'token.0',
);

const request = (cookie: string | undefined) => {
  const headers = cookie === undefined ? {} : { cookie };
  return {
    headers,
    headersDistinct: {},
    rawHeaders: Object.entries(headers).flat(),
  } as IncomingMessage & { cookies?: object; signedCookies?: object };
};

describe('removeCookies', () => {
  it.each([
    ['token=1; b=2', 'b=2'],
    ['token=1', undefined],
    ['a=1', 'a=1'],
    ['', ''],
    [undefined, undefined],
  ])('of %s leaves %s', (present, expected) => {
    const req = request(present);
    removeCookies(req, NAMES);
    expect(req.headers.cookie).toBe(expected);
    expect(req.rawHeaders).toEqual(
      expected === undefined ? [] : ['cookie', expected],
    );
    expect(req.cookies).toBeUndefined();
    expect(req.signedCookies).toBeUndefined();
  });

  it('does not change a request without such cookies', () => {
    const req = request('a=1');
    const { rawHeaders } = req;
    removeCookies(req, NAMES);
    expect(req.rawHeaders).toBe(rawHeaders);
  });

  it('removes what cookie-parser has parsed, signed or not, and nothing else', () => {
    const parse = cookieParser('secret');
    const signature = createHmac('sha256', 'secret')
      .update('1')
      .digest('base64');
    const signed = encodeURIComponent(`s:1.${signature.replace(/=+$/, '')}`);
    const req = request(`token=1; token.0=${signed}; a=1; b=${signed}`);
    parse(req as Request, {} as Response, () => {});
    expect(Object.keys({ ...req.cookies, ...req.signedCookies })).toEqual([
      'token',
      'a',
      'token.0',
      'b',
    ]);
    removeCookies(req, NAMES);
    expect({ ...req.cookies }).toEqual({ a: '1' });
    expect({ ...req.signedCookies }).toEqual({ b: '1' });
  });
});
