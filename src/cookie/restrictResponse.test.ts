import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import express, { type Response } from 'express';
import type { CredentialKind } from '../decision/Decision';
import { restrictResponse, Trust } from './restrictResponse';

/** Returns the headers of an answer whose handler sets its own headers after the gate has decided. */
function answer(
  own: Record<string, string | string[]>,
  options: {
    credential?: CredentialKind;
    trust?: Trust;
    status?: number;
    destination?: string;
  } = {},
) {
  const { credential = 'none', trust, status = 200, destination } = options;
  const req = new IncomingMessage(new Socket());
  if (destination) {
    req.headers['sec-fetch-dest'] = destination;
  }
  const res: Response = Object.setPrototypeOf(
    new ServerResponse(req),
    express.response,
  );
  restrictResponse(res, credential, () => trust);
  for (const [name, value] of Object.entries(own)) {
    res.setHeader(name, value);
  }
  res.writeHead(status);
  return { ...res.getHeaders() };
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
    expect(
      answer({ ...json, ...own }, { credential: 'cookie', trust: 'operator' }),
    ).toEqual({ ...json, ...expected });
  });

  it('leaves the answer to a bearer token to its handler', () => {
    const own = { 'content-type': 'text/css', 'cache-control': 'public' };
    expect(answer(own, { credential: 'bearer', trust: 'plugin' })).toEqual(own);
  });
});

describe('[P46] restrictResponse', () => {
  const PNG = { 'content-type': 'image/png' };
  const varyOf = (vary: string | string[], status = 200) =>
    answer({ ...PNG, vary }, { credential: 'bearer', status }).vary;

  it.each<CredentialKind>(['bearer', 'cookie', 'user-cookie'])(
    'binds the answer to a %s to the kind of the request',
    credential => {
      expect(answer(PNG, { credential }).vary).toBe('Sec-Fetch-Dest');
      expect(answer(PNG, { credential, status: 304 }).vary).toBe(
        'Sec-Fetch-Dest',
      );
      for (const trust of ['plugin', 'operator'] as const) {
        expect(answer(PNG, { credential, trust }).vary).toBeUndefined();
      }
    },
  );

  it('adds to the Vary of the handler, once, and not to *', () => {
    expect(varyOf('Origin')).toBe('Origin, Sec-Fetch-Dest');
    expect(varyOf(['Origin', 'Accept'])).toBe('Origin, Accept, Sec-Fetch-Dest');
    expect(varyOf('sec-fetch-dest, Origin')).toBe('sec-fetch-dest, Origin');
    expect(varyOf('*')).toBe('*');
  });

  it('leaves the answer on a public path to its handler', () => {
    expect(answer(PNG)).toEqual(PNG);
  });
});

describe('[P47] restrictResponse', () => {
  const PAGE = { credential: 'cookie', destination: 'document' } as const;
  const cacheOf = (own: object, options: object = {}) =>
    answer({ ...HTML, ...own }, { ...PAGE, ...options })['cache-control'];

  it('forbids to store what a browser shows as a page, if the handler does not set Cache-Control', () => {
    expect(cacheOf({})).toBe('no-store');
    expect(cacheOf({ 'cache-control': '' })).toBe('no-store');
    expect(cacheOf({}, { status: 304 })).toBe('no-store');
    expect(cacheOf({}, { trust: 'operator' })).toBe('no-store');
    expect(cacheOf({ 'cache-control': 'max-age=9' })).toBe(
      'private, max-age=9',
    );
  });

  it('lets the browser store what is no page, and where the plugin trusts the path', () => {
    expect(cacheOf({}, { destination: 'image' })).toBe('private');
    expect(cacheOf({}, { trust: 'plugin' })).toBe('private');
    expect(cacheOf({}, { credential: 'bearer' })).toBeUndefined();
    expect(cacheOf({}, { credential: 'none' })).toBeUndefined();
  });
});

describe('[P16] restrictResponse', () => {
  it('sandboxes what can run script, and adds to other policies', () => {
    expect(answer(HTML)).toEqual({ ...HTML, [POLICY]: 'sandbox' });
    expect(answer({})).toEqual({ [POLICY]: 'sandbox' });
    const own = { ...HTML, [POLICY]: "default-src 'self'" };
    expect(answer(own)[POLICY]).toEqual(["default-src 'self'", 'sandbox']);
  });

  it('does not sandbox what can not run script', () => {
    const own = { 'content-type': 'application/json' };
    expect(answer(own)).toEqual(own);
  });

  it('does not sandbox a trusted path, nor an answer without content', () => {
    expect(answer(HTML, { trust: 'operator' })).toEqual(HTML);
    expect(answer({}, { status: 204 })).toEqual({});
  });

  it('removes the policy of a 304, so that the one that the browser has stored stays', () => {
    const own = { etag: 'x', [POLICY]: "default-src 'self'" };
    expect(answer(own, { status: 304 })).toEqual({ etag: 'x' });
    // The type of a 304 may be another one than that of the stored response.
    const plain = { 'content-type': 'text/plain' };
    expect(answer({ ...own, ...plain }, { status: 304 })).toEqual({
      ...plain,
      etag: 'x',
    });
    // A trusted answer was stored with its own policy.
    expect(answer(own, { status: 304, trust: 'operator' })).toEqual(own);
  });
});
