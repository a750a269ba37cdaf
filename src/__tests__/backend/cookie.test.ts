import type { RawResponse } from '../__testUtils__/rawRequest';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, cookie, from } from '../__testUtils__/requestParts';
import { SignedBackend, signedBackends } from '../__testUtils__/signedBackends';
import { MAX_TOKEN_BYTES } from '../../gate/cookie/GateCookie';

const backends = signedBackends();
const EVIL = from('https://evil.example.com');
const TRUSTED = 'https://portal.example.com';

describe("the gate's cookie in a backend", () => {
  const plugin = recordingPlugin('hello', {
    handle: (req, res) => {
      if (req.path.startsWith('/public')) {
        res.setHeader('Cache-Control', 'public, max-age=3600');
      }
      res.cookie('mine', '1');
      res.status(Number(req.query.status ?? 200)).json({});
    },
  });
  let backend: SignedBackend;

  beforeAll(async () => {
    backend = await backends.start({
      features: [plugin.feature],
      apiGate: {
        allow: [{ plugin: 'hello', path: '/open' }],
        cookie: { trustedOrigins: [TRUSTED] },
      },
    });
  });

  const get = (target: string, ...headerLines: string[]) =>
    backend.get(target, ...headerLines);
  const sign: SignedBackend['sign'] = claims => backend.sign(claims);
  /** Signs a token of a number of bytes, or a few less: base64 has no text of every length. */
  async function signOfSize(bytes: number) {
    const empty = await sign({ ent: [''] });
    for (let size = Math.ceil(((bytes - empty.length) * 3) / 4); ; size -= 1) {
      const token = await sign({ ent: ['x'.repeat(size)] });
      if (token.length <= bytes) {
        return token;
      }
    }
  }
  const setCookies = ({ headers }: RawResponse) =>
    headers['set-cookie']?.split('\n') ?? [];

  it.each([500, 4096, MAX_TOKEN_BYTES])(
    'of a token of about %i bytes works alone, and never reaches the handler',
    async size => {
      const token = await signOfSize(size);
      expect(Math.abs(token.length - size)).toBeLessThan(10);
      expect(token.length).toBeLessThanOrEqual(MAX_TOKEN_BYTES);
      const response = await get('/api/hello/x', bearer(token));
      expect(response.status).toBe(200);
      const pairs = setCookies(response).map(text => text.split(';')[0]);
      const header = `Cookie: ${pairs.join('; ')}`;
      const answer = await get('/api/hello/x', header);
      expect(answer.status).toBe(200);
      expect(plugin.handled.at(-1)!.headers).toMatchObject({
        authorization: `Bearer ${token}`,
        cookie: 'mine=1',
      });
      // A frontend sends bearer token and cookie together: the cookie is up to date, and is not set again.
      const both = await get('/api/hello/x', bearer(token), header);
      expect(both.status).toBe(200);
      expect(setCookies(both)).toEqual(['mine=1; Path=/']);
      await get('/api/hello/open', header);
      expect(plugin.handled.at(-1)!.headers.cookie).toBe('mine=1');
      expect(plugin.handled.at(-1)!.headers.authorization).toBeUndefined();
    },
  );

  it('[P9] is sent with no-store in place of the handler’s Cache-Control, and not with an error', async () => {
    const token = await sign();
    const response = await get('/api/hello/public', bearer(token));
    expect(response.headers['cache-control']).toBe('no-store');
    expect(setCookies(response)[1]).toMatch(/^token=/);
    const later = await get('/api/hello/public', bearer(token), cookie(token));
    expect(later.headers['cache-control']).toBe('public, max-age=3600');
    for (const status of [304, 400, 404, 500]) {
      const failed = await get(
        `/api/hello/public?status=${status}`,
        bearer(token),
      );
      expect(failed.status).toBe(status);
      expect(setCookies(failed)).toEqual(['mine=1; Path=/']);
      expect(failed.headers['cache-control']).toBe('public, max-age=3600');
    }
  });

  describe('[P8] used by another site', () => {
    it.each([
      ['POST', 'Sec-Fetch-Site: cross-site', 403],
      ['POST', `Origin: ${TRUSTED}\r\nOrigin: ${TRUSTED}`, 403],
      ['POST', `Origin: ${TRUSTED}`, 200],
      ['HEAD', EVIL, 403],
    ])('%s with %s: %i', async (method, headerLine, expected) => {
      const token = await sign();
      const before = plugin.handled.length;
      const response = await backend.request(method, '/api/hello/x', [
        cookie(token),
        headerLine,
      ]);
      expect(response.status).toBe(expected);
      expect(plugin.handled.length - before).toBe(expected === 200 ? 1 : 0);
      expect(
        setCookies(response).filter(text => text.startsWith('token')),
      ).toEqual([]);
      const refusals = response.body.match(
        /NotAllowedError.*auth\.apiGate\.cookie\.trustedOrigins/s,
      );
      expect(Boolean(refusals)).toBe(expected === 403 && method !== 'HEAD');
    });
  });
});
