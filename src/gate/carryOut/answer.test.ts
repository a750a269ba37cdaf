import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import express, { type Response } from 'express';
import { createGateServices } from '../../__tests__/__testUtils__/createGateServices';
import type { CredentialKind } from '../Decision';
import type { Judgement } from '../judge/judge';
import { PAGE_PATH } from '../read/requestLine';
import { clearCookie, restrictAnswer, setAnswerHeaders } from './answer';
import { ExpressRequest } from '../read/GateRequest';

/** Returns the headers of an answer whose handler sets its own headers after the gate has decided. */
function answer(
  own: Record<string, string | string[]>,
  options: {
    /** The credential that authenticates a user; `none` on a public path. Default: a service. */
    credential?: CredentialKind;
    trust?: 'plugin' | 'operator';
    status?: number;
    destination?: string;
    method?: string;
    /** The plugin and the path, in place of those that `trust` says. */
    at?: [plugin: string, path: string];
    /** Collects other headers in the request. */
    prepare?: (request: ExpressRequest) => void;
  } = {},
) {
  const { credential, trust, status = 200, destination, prepare } = options;
  const { policy, services } = createGateServices();
  policy.trustedPaths = [{ plugin: 'hello', path: '/operator/x' }];
  const path = `/${trust === 'plugin' ? 'static' : trust}/x`;
  const [plugin, url] = options.at ?? ['hello', path];
  const req = Object.assign(new IncomingMessage(new Socket()), {
    method: options.method ?? 'GET',
    baseUrl: `/api/${plugin}`,
    originalUrl: `/api/${plugin}${url}`,
    url,
    params: { gatedPluginId: plugin },
  });
  if (destination) {
    req.headers['sec-fetch-dest'] = destination;
  }
  const res: Response = Object.setPrototypeOf(
    new ServerResponse(req),
    express.response,
  );
  const request = new ExpressRequest(req as never, res, services);
  const type = credential ? 'user' : 'service';
  restrictAnswer(
    request,
    (credential === 'none'
      ? { credential, reason: 'allow-rule' }
      : {
          credential: credential ?? 'bearer',
          reason: 'bearer',
          verified: { credentials: { principal: { type } } },
        }) as unknown as Judgement,
  );
  prepare?.(request);
  setAnswerHeaders(request);
  for (const [name, value] of Object.entries(own)) {
    res.setHeader(name, value);
  }
  res.writeHead(status);
  return { ...res.getHeaders() };
}

const HTML = { 'content-type': 'text/html' };
const POLICY = 'content-security-policy';

describe('[P17] an answer to a cookie', () => {
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
        'x-cache-control-by': '1',
        'x-accel-buffering': '1',
      },
      {
        'cache-control': 'private',
        'x-cache-control-by': '1',
        'x-accel-buffering': '1',
      },
    ],
  ])('turns %j into %j', (own, expected) => {
    const json = { 'content-type': 'application/json' };
    expect(
      answer({ ...json, ...own }, { credential: 'cookie', trust: 'operator' }),
    ).toEqual({ ...json, ...expected });
  });

  const cacheControlFor = (own: string) =>
    answer(
      { 'content-type': 'application/json', 'cache-control': own },
      { credential: 'cookie', trust: 'operator' },
    )['cache-control'];

  it.each([
    ['', 'private'],
    [' , ', 'private'],
    ['max-age=3600', 'private, max-age=3600'],
    ['public, max-age=3600', 'private, max-age=3600'],
    ['Public,S-MaxAge=60,max-age=3600', 'private, max-age=3600'],
    ['s-maxage="60", must-revalidate', 'private, must-revalidate'],
    ['s-maxage = 60, max-age=1', 'private, max-age=1'],
    ['no-cache', 'private, no-cache'],
    ['no-cache, no-transform', 'private, no-cache, no-transform'],
    ['private="Set-Cookie, X", max-age=1', 'private, max-age=1'],
    [
      'no-cache="a, public", max-age=1',
      'private, no-cache="a, public", max-age=1',
    ],
    ['x="no-store, private"', 'private, x="no-store, private"'],
    ['x="a\\", no-store"', 'private, x="a\\", no-store"'],
    ['x="unclosed, no-store', 'private, x="unclosed, no-store'],
    ['publicity=1, xprivate', 'private, publicity=1, xprivate'],
    ['private', 'private'],
    ['PRIVATE, max-age=0', 'PRIVATE, max-age=0'],
    ['no-store', 'no-store'],
    ['public, no-store', 'public, no-store'],
    ['max-age=1,private', 'max-age=1,private'],
  ])('turns the Cache-Control %j into %j', (own, expected) => {
    expect(cacheControlFor(own)).toBe(expected);
  });

  it.each([',', '"', '"\\', 'a,"', '"\\",'])(
    'reads 15 KB of %j in linear time',
    text => {
      const startedAt = performance.now();
      cacheControlFor(text.repeat(15_000 / text.length));
      expect(performance.now() - startedAt).toBeLessThan(200);
    },
  );
});

describe('[P46] an answer', () => {
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

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'])(
    'to %s varies by the kind of the request only if a cache may store the answer',
    method => {
      const { vary } = answer(PNG, { credential: 'bearer', method });
      expect(vary).toBe(method === 'HEAD' ? 'Sec-Fetch-Dest' : undefined);
    },
  );
});

describe('[P47] an answer to a cookie', () => {
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
});

describe('[P16] an answer', () => {
  const answerOn = (
    own: Record<string, string>,
    options: Parameters<typeof answer>[1] = {},
  ) => answer(own, { credential: 'none', ...options });

  it('sandboxes what can run script, and adds to other policies', () => {
    expect(answerOn(HTML)).toEqual({ ...HTML, [POLICY]: 'sandbox' });
    expect(answerOn({})).toEqual({ [POLICY]: 'sandbox' });
    const own = { ...HTML, [POLICY]: "default-src 'self'" };
    expect(answerOn(own)[POLICY]).toEqual(["default-src 'self'", 'sandbox']);
  });

  it('does not sandbox what can not run script', () => {
    const own = { 'content-type': 'application/json' };
    expect(answerOn(own)).toEqual(own);
  });

  it('does not sandbox a trusted path, nor an answer without content', () => {
    expect(answerOn(HTML, { trust: 'operator' })).toEqual(HTML);
    expect(answerOn({}, { status: 204 })).toEqual({});
  });

  it.each<[[plugin: string, path: string], number, string | undefined]>([
    [['auth', PAGE_PATH], 200, undefined],
    [['auth', PAGE_PATH], 500, 'sandbox'],
    [['auth', `${PAGE_PATH}x`], 200, 'sandbox'],
    [['hello', PAGE_PATH], 200, 'sandbox'],
  ])(
    'sandboxes all but the page of the policy, which has its own: %j, %i, %s',
    (at, status, expected) => {
      expect(answerOn(HTML, { at, status })[POLICY]).toBe(expected);
    },
  );

  it('removes the policy of a 304, so that the one that the browser has stored stays', () => {
    const own = { etag: 'x', [POLICY]: "default-src 'self'" };
    expect(answerOn(own, { status: 304 })).toEqual({ etag: 'x' });
    // The type of a 304 may be another one than that of the stored response.
    const plain = { 'content-type': 'text/plain' };
    expect(answerOn({ ...own, ...plain }, { status: 304 })).toEqual({
      ...plain,
      etag: 'x',
    });
    // A trusted answer was stored with its own policy.
    expect(answerOn(own, { status: 304, trust: 'operator' })).toEqual(own);
  });
});

describe('an answer', () => {
  const own = () => ({
    'set-cookie': ['own=1'],
    'cache-control': 'public',
    'cdn-cache-control': 'public',
  });
  const clearing = (name: string) =>
    `${name}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT`;
  const cleared = (header?: string, hasCookie = true) =>
    answer(own(), {
      status: 401,
      prepare: request => {
        request.req.headers.cookie = header;
        if (!hasCookie) {
          request.services.cookie = undefined;
        }
        clearCookie(request);
      },
    });

  it.each([
    ['token=x', ['token']],
    ['a=1; token=x; token=y', ['token']],
    ['token.0=x; token.1=y', ['token.0', 'token.1']],
  ])('clears the cookies of %s, and no cache stores it', (header, names) => {
    expect(cleared(header)).toEqual({
      'set-cookie': ['own=1', ...names.map(clearing)],
      'cache-control': 'no-store',
    });
  });

  it('keeps its headers without a cookie, and where the gate has none', () => {
    expect(cleared('a=1')).toEqual(own());
    expect(cleared()).toEqual(own());
    expect(cleared('token=x', false)).toEqual(own());
  });

  const issued = (
    status: number,
    {
      cacheControl = 'public',
      isRevoked = false,
      setCookies = ['token=new'],
      clearedFirst = [] as string[],
    } = {},
  ) => {
    const onSent = jest.fn();
    const headers = answer(
      { ...own(), 'cache-control': cacheControl },
      {
        status,
        prepare: request => {
          request.answer.cleared = clearedFirst;
          request.answer.issued = {
            setCookies,
            isIssued: true,
            isRevoked: () => isRevoked,
            onSent,
          };
        },
      },
    );
    return { headers, sent: onSent.mock.calls.length };
  };

  it.each([200, 204, 302, 399])('with %i sets the cookie', status => {
    expect(issued(status)).toEqual({
      headers: {
        'set-cookie': ['own=1', 'token=new'],
        'cache-control': 'no-store',
      },
      sent: 1,
    });
  });

  it.each([
    [304, {}],
    [400, {}],
    [503, {}],
    // The session was revoked while the handler ran.
    [200, { isRevoked: true }],
    [200, { setCookies: [] }],
  ])('with %i and %j sets none', (status, options) => {
    expect(issued(status, options)).toEqual({ headers: own(), sent: 0 });
  });

  // A handler may set the same array each time: the answer to another user would have the cookie too.
  it('leaves the array of its handler as it was', () => {
    const headers = own();
    answer(headers, {
      prepare: request => {
        request.answer.cleared = ['token='];
      },
    });
    expect(headers).toEqual(own());
  });

  it('to an event stream keeps no-transform beside the cookie', () => {
    const { headers } = issued(200, { cacheControl: 'no-cache, No-Transform' });
    expect(headers['cache-control']).toBe('no-store, no-transform');
  });

  it('clears cookies before it sets one, which may have the same name', () => {
    const { headers } = issued(200, { clearedFirst: ['token='] });
    expect(headers['set-cookie']).toEqual(['own=1', 'token=', 'token=new']);
  });
});
