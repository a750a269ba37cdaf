import { createHmac } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import cookieParser from 'cookie-parser';
import type { Request, Response } from 'express';
import { createCookieNames } from '../read/cookieHeader';
import { removeCookies, setRequestHeader } from './forward';

/** Makes a request as Node's parser does, which derives the other properties from the raw headers when they are read. */
function requestWith(...rawHeaders: string[]): IncomingMessage {
  const req = new IncomingMessage(new Socket());
  const parsed = req as unknown as {
    _addHeaderLines(lines: string[], count: number): void;
  };
  parsed._addHeaderLines(rawHeaders, rawHeaders.length);
  req.rawHeaders = rawHeaders;
  return req;
}

const all = ({ headers, headersDistinct, rawHeaders }: IncomingMessage) => ({
  headers: { ...headers },
  headersDistinct: { ...headersDistinct },
  rawHeaders,
});

describe('setRequestHeader', () => {
  it('replaces each line of a header, whatever its letter case, in all places', () => {
    const req = requestWith(
      ...['Host', 'a'],
      ...['Cookie', 'x=1'],
      ...['Accept', 'cookie'],
      ...['COOKIE', 'x=2'],
      ...['Accept-X', 'b'],
    );
    setRequestHeader(req, 'cookie', 'y=1');
    expect(all(req)).toEqual({
      headers: { host: 'a', accept: 'cookie', 'accept-x': 'b', cookie: 'y=1' },
      headersDistinct: {
        host: ['a'],
        accept: ['cookie'],
        'accept-x': ['b'],
        cookie: ['y=1'],
      },
      rawHeaders: [
        ...['Host', 'a'],
        ...['Accept', 'cookie'],
        ...['Accept-X', 'b'],
        ...['cookie', 'y=1'],
      ],
    });
  });

  it('removes a header from all places', () => {
    const req = requestWith('Host', 'a', 'Cookie', 'x=1');
    setRequestHeader(req, 'cookie', undefined);
    expect(all(req)).toEqual({
      headers: { host: 'a' },
      headersDistinct: { host: ['a'] },
      rawHeaders: ['Host', 'a'],
    });
  });
});

const NAMES = createCookieNames(['token', 'token.0']);

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
