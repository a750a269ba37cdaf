import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { setRequestHeader } from './setRequestHeader';

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
