import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Response } from 'express';
import { restrictResponse } from './restrictResponse';

/** Returns the headers of an answer whose handler sets its own headers after the gate has decided. */
function answer(
  own: Record<string, string | string[]>,
  options: { isCookie?: boolean; isTrusted?: boolean; status?: number } = {},
) {
  const { isCookie = false, isTrusted = false, status = 200 } = options;
  const res = new ServerResponse(new IncomingMessage(new Socket())) as Response;
  const isTrustedPath = jest.fn(() => isTrusted);
  restrictResponse(res, isCookie, isTrustedPath);
  for (const [name, value] of Object.entries(own)) {
    res.setHeader(name, value);
  }
  res.writeHead(status);
  return { headers: { ...res.getHeaders() }, isTrustedPath };
}

const HTML = { 'content-type': 'text/html' };
const POLICY = 'content-security-policy';

describe('[P17] restrictResponse with a cookie', () => {
  it.each<[Record<string, string | string[]>, object]>([
    [{}, { 'cache-control': 'private' }],
    [{ 'cache-control': 'public' }, { 'cache-control': 'private' }],
    [
      { 'cache-control': ['max-age=1', 's-maxage=2'] },
      { 'cache-control': 'private, max-age=1' },
    ],
    [
      {
        'cdn-cache-control': 'max-age=1',
        'surrogate-control': 'max-age=1',
        'x-accel-expires': '1',
        'cloudflare-cdn-cache-control': 'max-age=1',
        'edge-control': 'max-age=1',
        'x-other': '1',
      },
      { 'cache-control': 'private', 'x-other': '1' },
    ],
  ])('turns %j into %j', (own, expected) => {
    const json = { 'content-type': 'application/json' };
    expect(answer({ ...json, ...own }, { isCookie: true }).headers).toEqual({
      ...json,
      ...expected,
    });
  });

  it('leaves the answer to a bearer token to its handler', () => {
    const own = { 'content-type': 'text/css', 'cache-control': 'public' };
    expect(answer(own).headers).toEqual(own);
  });
});

describe('[P16] restrictResponse', () => {
  it('sandboxes what can run script, and adds to other policies', () => {
    expect(answer(HTML).headers).toEqual({ ...HTML, [POLICY]: 'sandbox' });
    expect(answer({}).headers).toEqual({ [POLICY]: 'sandbox' });
    const own = { ...HTML, [POLICY]: "default-src 'self'" };
    expect(answer(own).headers[POLICY]).toEqual([
      "default-src 'self'",
      'sandbox',
    ]);
  });

  it('does not sandbox what can not run script, and does not ask for its path', () => {
    const own = { 'content-type': 'application/json' };
    const { headers, isTrustedPath } = answer(own);
    expect(headers).toEqual(own);
    expect(isTrustedPath).not.toHaveBeenCalled();
  });

  it('does not sandbox a trusted path, nor an answer without content', () => {
    expect(answer(HTML, { isTrusted: true }).headers).toEqual(HTML);
    expect(answer({}, { status: 204 }).headers).toEqual({});
  });

  it('removes the policy of a 304, so that the one that the browser has stored stays', () => {
    const own = { etag: 'x', [POLICY]: "default-src 'self'" };
    expect(answer(own, { status: 304 }).headers).toEqual({ etag: 'x' });
    // The type of a 304 may be another one than that of the stored response.
    const plain = { 'content-type': 'text/plain' };
    expect(answer({ ...own, ...plain }, { status: 304 }).headers).toEqual({
      ...plain,
      etag: 'x',
    });
    // A trusted answer was stored with its own policy.
    expect(answer(own, { status: 304, isTrusted: true }).headers).toEqual(own);
  });
});
