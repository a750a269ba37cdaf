import proxyPlugin from '@backstage/plugin-proxy-backend';
import type { JsonObject } from '@backstage/types';
import type { Request, Response } from 'express';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, cookie } from '../__testUtils__/requestParts';
import { SignedBackend, signedBackends } from '../__testUtils__/signedBackends';

const backends = signedBackends();

/** Answers with the headers of its query. */
function answer({ query: { type, ...others } }: Request, res: Response) {
  if (type !== undefined) {
    res.setHeader('Content-Type', String(type));
  }
  for (const [name, value] of Object.entries(others)) {
    res.setHeader(name, String(value));
  }
  res.end('<p>');
}

// The proof and answer.test.ts have all headers. Here is what a real proxy, the compression and other plugins do to them.
describe('the answer to a request by cookie', () => {
  const hello = recordingPlugin('hello', { handle: answer });
  let backend: SignedBackend;
  let token: string;

  beforeAll(async () => {
    // The answer of a server behind the proxy plugin, whose policies arrive late.
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
    const endpoint = {
      target: `http://localhost:${port}`,
      allowedHeaders: ['Content-Security-Policy', 'Vary'],
    };
    backend = await backends.start({
      features: [hello.feature, proxyPlugin],
      apiGate: {
        cookie: {
          trustedPaths: [{ plugin: 'proxy', path: '/target/trusted/**' }],
        },
      },
      config: { proxy: { endpoints: { '/target': endpoint } } },
    });
    token = await backend.sign();
  });
  afterAll(backends.stopAll);

  const headersOf = async (path: string, ...headerLines: string[]) =>
    (await backend.get(`/api${path}`, cookie(token), ...headerLines)).headers;

  it('[P16] is sandboxed beside the policies of Backstage, and of a server behind the proxy', async () => {
    const ofHello = await headersOf('/hello/x?type=text/html');
    // Browsers apply all of several policies.
    expect(ofHello['content-security-policy']).toMatch(
      /script-src 'self'.*\nsandbox$/s,
    );
    const inline = "script-src 'unsafe-inline'";
    for (const [path, expected] of [
      ['page.html', `${inline}\nsandbox`],
      ['image.png', inline],
      ['trusted/page.html', inline],
    ]) {
      const headers = await headersOf(`/proxy/target/${path}`);
      expect(headers['content-security-policy']).toBe(expected);
    }
  });

  it('[P17] is private to caches, whatever headers a proxied server sends, and whatever other header a cache prefers', async () => {
    const proxied = await headersOf('/proxy/target/image.png');
    expect(proxied['cache-control']).toBe('private, max-age=60');
    const other = await headersOf(
      '/hello/x?CDN-Cache-Control=max-age%3D60&Surrogate-Control=x&X-Accel-Expires=9',
    );
    expect(Object.keys(other).join()).not.toMatch(/cdn|surrogate|x-accel/);
  });

  it.each([
    ['/hello/x?type=image/png', 'Sec-Fetch-Dest'],
    ['/hello/x?type=text/css', 'Sec-Fetch-Dest, Accept-Encoding'],
    ['/proxy/target/image.png', 'Accept, Sec-Fetch-Dest'],
    ['/nowhere/x', 'Sec-Fetch-Dest'],
  ])(
    '[P46] is used from the browser’s cache for requests of the same kind only: %s',
    async (path, expected) => {
      const { vary } = await headersOf(path, 'Accept-Encoding: gzip');
      expect(vary).toBe(expected);
      const byBearer = await backend.get(
        `/api${path}`,
        bearer(token),
        'Accept-Encoding: gzip',
      );
      expect(byBearer.headers.vary).toBe(expected);
    },
  );

  it.each(['/hello/x', '/nowhere/x', '/proxy/target/table.csv'])(
    '[P47] is not stored by the browser if that shows it as a page, which the proxy does not see: %s',
    async path => {
      const headers = await headersOf(path, 'Sec-Fetch-Dest: document');
      expect(headers['cache-control']).toBe('no-store');
    },
  );
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
