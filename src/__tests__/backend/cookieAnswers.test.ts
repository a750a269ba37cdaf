import proxyPlugin from '@backstage/plugin-proxy-backend';
import type { JsonObject } from '@backstage/types';
import type { Request, Response } from 'express';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  cookie,
  from,
  SAME_ORIGIN,
} from '../__testUtils__/requestParts';
import { SignedBackend, signedBackends } from '../__testUtils__/signedBackends';

const backends = signedBackends();

const SANDBOX = /(^|\n)sandbox$/;

/** Answers by its query: `type`, `cache` and `csp` are headers, `status` is the status, and `early` writes the head directly. */
function answer(req: Request, res: Response) {
  const { type, cache, csp, status, early, ...others } = req.query as Record<
    string,
    string | undefined
  >;
  const headers = {
    ...(type !== undefined && { 'Content-Type': type }),
    ...(cache !== undefined && { 'Cache-Control': cache }),
    ...(csp !== undefined && { 'Content-Security-Policy': csp }),
    ...others,
  };
  if (early) {
    res.writeHead(Number(status ?? 200), headers as Record<string, string>);
    res.end('<p>');
    return;
  }
  for (const [name, value] of Object.entries(headers)) {
    res.setHeader(name, value!);
  }
  res.statusCode = Number(status ?? 200);
  res.end(status === '304' ? undefined : '<p>');
}

describe('the answer to a request by cookie', () => {
  const hello = recordingPlugin('hello', {
    policies: [
      { path: '/static', allow: 'user-cookie' },
      { path: '/opened', allow: 'unauthenticated' },
    ],
    handle: answer,
  });
  const apiGate = {
    allow: [{ plugin: 'hello', path: '/public' }],
    cookie: {
      trustedPaths: [
        { plugin: 'hello', path: '/trusted/**' },
        { plugin: 'hello', path: '/report' },
        { plugin: 'proxy', path: '/target/trusted/**' },
      ],
    },
  };
  let backend: SignedBackend;
  let token: string;

  beforeAll(async () => {
    // The row is the answer of a server behind the proxy plugin, whose policies arrive late.
    const port = await backends.serve((req, res) => {
      res.setHeader('Content-Security-Policy', "script-src 'unsafe-inline'");
      if (!req.url!.endsWith('.csv')) {
        res.setHeader('Cache-Control', 'public, max-age=60');
      }
      res.setHeader('Vary', 'Accept');
      const type = req.url!.endsWith('.png') ? 'image/png' : 'text/html';
      res.setHeader('Content-Type', type);
      res.end('<p>');
    });
    backend = await backends.start({
      features: [hello.feature, proxyPlugin],
      apiGate,
      config: {
        proxy: {
          endpoints: {
            '/target': {
              target: `http://localhost:${port}`,
              allowedHeaders: ['Content-Security-Policy', 'Vary'],
            },
          },
        },
      },
    });
    token = await backend.sign();
  });
  afterAll(backends.stopAll);

  const get = (path: string, ...headerLines: string[]) =>
    backend.get(`/api${path}`, cookie(token), ...headerLines);
  const getBy = (headerLine: string, path: string, ...headerLines: string[]) =>
    backend.get(`/api${path}`, headerLine, ...headerLines);
  const cspOf = async (path: string, ...headerLines: string[]) => {
    const { headers } = await get(path, ...headerLines);
    return headers['content-security-policy'];
  };
  const query = (parameters: Record<string, string>) =>
    new URLSearchParams(parameters).toString();

  describe('that can run script', () => {
    it.each<Record<string, string>>([
      { type: 'text/html' },
      { type: 'image/svg+xml' },
      { type: 'application/xhtml+xml' },
      { type: 'text/plain, text/html' },
      {},
      { type: 'text/html', early: 'yes' },
      { type: 'text/html', status: '404' },
      { type: 'text/html', 'Content-Disposition': 'attachment' },
    ])('[P16] is sandboxed: %j', async parameters => {
      const csp = await cspOf(`/hello/x?${query(parameters)}`);
      // Backstage's own policy is present as well: browsers apply all of several policies.
      expect(csp).toContain("script-src 'self'");
      expect(csp).toMatch(SANDBOX);
    });

    it('[P16] is sandboxed and private where a handler answers what asks for an upgrade', async () => {
      const { status, headers } = await get(
        `/hello/x?${query({ type: 'text/html', cache: 'public' })}`,
        'Upgrade: websocket',
        from(backend.url),
      );
      expect([status, headers['cache-control']]).toEqual([200, 'private']);
      expect(headers['content-security-policy']).toMatch(SANDBOX);
    });

    it('[P16] is sandboxed where a proxy replaces the headers', async () => {
      expect(await cspOf('/proxy/target/page.html')).toBe(
        "script-src 'unsafe-inline'\nsandbox",
      );
      expect(await cspOf('/proxy/target/image.png')).toBe(
        "script-src 'unsafe-inline'",
      );
      expect(await cspOf('/proxy/target/trusted/page.html')).toBe(
        "script-src 'unsafe-inline'",
      );
    });

    // The browser sends the cookie with the requests of a public page, too.
    it('is sandboxed at a path that a rule makes public', async () => {
      expect(await cspOf('/hello/public?type=text/html')).toMatch(SANDBOX);
      expect(await cspOf('/hello/public?type=image/png')).not.toMatch(
        /sandbox/,
      );
    });
  });

  describe('[P17] is private to caches', () => {
    it('whatever headers a proxied server sends, and whatever other header a cache prefers', async () => {
      const { headers } = await get('/proxy/target/image.png');
      expect(headers['cache-control']).toBe('private, max-age=60');
      const other = await get(
        '/hello/x?CDN-Cache-Control=max-age%3D60&Surrogate-Control=x&X-Accel-Expires=9',
      );
      expect(Object.keys(other.headers)).not.toEqual(
        expect.arrayContaining([
          expect.stringMatching(/cdn|surrogate|x-accel/),
        ]),
      );
    });

    it('except on a public path', async () => {
      const { headers } = await get('/hello/public?cache=public');
      expect(headers['cache-control']).toBe('public');
    });
  });

  describe('[P46] is used from the browser’s cache for requests of the same kind only', () => {
    const varyOf = async (
      path: string,
      ...headerLines: [string, ...string[]]
    ) =>
      (await getBy(headerLines[0], path, ...headerLines.slice(1))).headers.vary;

    it('by cookie and by a bearer token, whatever proxied servers and the compression add', async () => {
      for (const credential of [cookie(token), bearer(token)]) {
        for (const [path, expected] of [
          ['/hello/x?type=image/png', 'Sec-Fetch-Dest'],
          ['/hello/x?type=image/png&status=304', 'Sec-Fetch-Dest'],
          ['/hello/x?type=image/png&Vary=Sec-Fetch-Dest', 'Sec-Fetch-Dest'],
          ['/hello/x?type=image/png&Vary=*', '*'],
          ['/hello/x?type=text/css', 'Sec-Fetch-Dest, Accept-Encoding'],
          ['/proxy/target/image.png', 'Accept, Sec-Fetch-Dest'],
          ['/nowhere/x', 'Sec-Fetch-Dest'],
        ]) {
          expect(
            await varyOf(path, credential, 'Accept-Encoding: gzip'),
          ).toEqual(expected);
        }
      }
    });
  });

  describe('[P47] is not stored by the browser if that shows it as a page', () => {
    const NAVIGATION = 'Accept: text/html,application/xhtml+xml,*/*;q=0.8';
    const cacheControlOf = async (path: string, ...headerLines: string[]) =>
      (await get(path, ...headerLines)).headers['cache-control'];

    it.each([
      'Sec-Fetch-Dest: document',
      'Sec-Fetch-Dest: iframe',
      'Sec-Fetch-Dest: object',
      NAVIGATION,
    ])('%s', async headerLine => {
      for (const path of [
        '/hello/x',
        '/hello/trusted/x',
        '/nowhere/x',
        // The proxy plugin removes Sec-Fetch-Dest from the request.
        '/proxy/target/table.csv',
      ]) {
        expect(await cacheControlOf(path, headerLine)).toBe('no-store');
      }
    });
  });

  describe('that would run as code', () => {
    it.each(['Sec-Fetch-Dest: script', 'Service-Worker: script'])(
      '[P16] is 403 for %s, and the cookie stays',
      async headerLine => {
        const before = hello.handled.length;
        const refused = await get('/hello/x', headerLine, SAME_ORIGIN);
        expect(refused.status).toBe(403);
        expect(refused.headers['set-cookie']).toBeUndefined();
        expect(JSON.parse(refused.body).error.message).toContain(
          'auth.apiGate.cookie.trustedPaths',
        );
        expect(hello.handled).toHaveLength(before);

        for (const path of [
          '/hello/static/x',
          '/hello/trusted/x',
          '/hello/public',
        ]) {
          const { status } = await get(path, headerLine, SAME_ORIGIN);
          expect(status).toBe(200);
        }
        const { status } = await getBy(bearer(token), '/hello/x', headerLine);
        expect(status).toBe(200);
      },
    );
  });
});

it('trusts paths as the configuration changes, without a restart', async () => {
  const hello = recordingPlugin('hello', { handle: answer });
  const trusting = (...trustedPaths: JsonObject[]) => ({
    apiGate: { cookie: { trustedPaths } },
  });
  const backend = await backends.start({
    features: [hello.feature],
    ...trusting(),
  });
  const token = await backend.sign();
  const look = async () => {
    const { headers, status } = await backend.get(
      '/api/hello/x?type=text/html',
      cookie(token),
      'Sec-Fetch-Dest: script',
    );
    return [status, headers['content-security-policy']!.includes('sandbox')];
  };
  expect(await look()).toEqual([403, false]);
  backend.change(trusting({ plugin: 'hello', path: '/x' }));
  expect(await look()).toEqual([200, false]);
  backend.change(trusting({ plugin: 'hello', path: '/*' }));
  expect(await look()).toEqual([200, false]);
  backend.change(trusting({ plugin: 'elsewhere', path: '/x' }));
  expect(await look()).toEqual([403, false]);
  expect(
    backend.logged(
      'auth.apiGate.cookie.trustedPaths[0] (/api/elsewhere/x): names the plugin elsewhere, which is not installed',
    ),
  ).not.toEqual([]);
});
