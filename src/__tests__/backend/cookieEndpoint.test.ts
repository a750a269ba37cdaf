import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import cookieParser from 'cookie-parser';
import type { Request } from 'express';
import type { RawResponse } from '../__testUtils__/rawRequest';
import { openPlugin, recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  cookie,
  COOKIE_ENDPOINT,
  from,
  now,
} from '../__testUtils__/requestParts';
import { SignedBackend, signedBackends } from '../__testUtils__/signedBackends';

const backends = signedBackends();
const FRONTEND = 'http://localhost:3000';

describe('where the cookie is issued', () => {
  const parsed: unknown[] = [];
  const hello = recordingPlugin('hello', {
    handle: (req, res) => {
      const { cookies, signedCookies } = req as Request;
      parsed.push({ ...cookies, ...signedCookies });
      res.json({});
    },
  });
  // The frontend's plugin opens all its paths, and the root router serves it at `/` too.
  const app = openPlugin('app');
  let backend: SignedBackend;
  let issuedAt = now() - 1000;

  beforeAll(async () => {
    backend = await backends.start({
      features: [
        hello.feature,
        app.feature,
        rootHttpRouterServiceFactory({
          configure({ app: express, applyDefaults }) {
            express.use(cookieParser('secret'));
            applyDefaults();
          },
        }),
      ],
      config: { backend: { cors: { origin: FRONTEND, credentials: true } } },
      apiGate: { allow: [{ plugin: 'hello', path: '/open' }] },
    });
  });

  const send = (method: string, target: string, ...headerLines: string[]) =>
    backend.request(method, target, headerLines);
  const get = (target: string, ...headerLines: string[]) =>
    backend.get(target, ...headerLines);
  /** Signs a token of a new session. */
  const sign = () => {
    issuedAt += 1;
    return backend.sign({ iat: issuedAt });
  };
  const signOut = (token: string) =>
    send('DELETE', `/api/hello${COOKIE_ENDPOINT}`, cookie(token));
  const namesSet = ({ headers }: RawResponse) =>
    (headers['set-cookie']?.split('\n') ?? [])
      .filter(text => !text.includes('Expires=Thu, 01 Jan 1970'))
      .map(text => text.split('=')[0]);

  describe("at the root's own cookie endpoint", () => {
    const spellings = [
      COOKIE_ENDPOINT,
      '/.Backstage/auth/v1/COOKIE',
      `${COOKIE_ENDPOINT}/`,
      `${COOKIE_ENDPOINT}?x=1`,
      `${COOKIE_ENDPOINT}\\#`,
    ];

    it.each(spellings)(
      '[P10] %s gives a revoked session no cookie',
      async target => {
        const token = await sign();
        await signOut(token);
        for (const headerLine of [bearer(token), cookie(token)]) {
          const response = await get(target, headerLine);
          expect(response.status).toBe(401);
          expect(namesSet(response)).toEqual([]);
        }
      },
    );

    it('answers a valid bearer token as a stock backend does, and sets the cookie', async () => {
      const response = await get(COOKIE_ENDPOINT, bearer(await sign()));
      expect(response.status).toBe(200);
      expect(JSON.parse(response.body).expiresAt).toBeDefined();
      expect(namesSet(response)).toEqual(['backstage-auth', 'token']);
    });

    it('ends a session by DELETE as elsewhere', async () => {
      const token = await sign();
      const refused = await send(
        'DELETE',
        COOKIE_ENDPOINT,
        cookie(token),
        from('https://evil.example.com'),
      );
      expect(refused.status).toBe(403);
      expect(await backend.statusOf('/api/hello/x', bearer(token))).toBe(200);
      const response = await send('DELETE', COOKIE_ENDPOINT, cookie(token));
      expect(response.status).toBe(204);
      expect(response.headers['set-cookie']).toContain('token=;');
      expect(await backend.statusOf('/api/hello/x', bearer(token))).toBe(401);
      expect((await send('DELETE', COOKIE_ENDPOINT)).status).toBe(204);
    });
  });

  describe('to another origin', () => {
    const other = from(FRONTEND);

    it('is at the cookie endpoint, whose answer the frontend gets with credentials', async () => {
      for (const headerLines of [
        [other],
        [other, 'Sec-Fetch-Site: same-site'],
        [other, 'Sec-Fetch-Site: cross-site'],
      ]) {
        const target = `/api/hello${COOKIE_ENDPOINT}`;
        const token = bearer(await sign());
        const endpoint = await get(target, token, ...headerLines);
        expect(namesSet(endpoint)).toContain('token');
        expect(endpoint.headers).toMatchObject({
          'cache-control': 'no-store',
          'access-control-allow-origin': FRONTEND,
          'access-control-allow-credentials': 'true',
        });
      }
    });
  });

  describe('[P9] with cookie-parser in front of the gate', () => {
    it('no plugin finds the cookie in what it has parsed', async () => {
      const token = await sign();
      const cookies = `Cookie: mine=1; token=${token}; token.3=x; mine2=2`;
      const wholly = `Cookie: mine=1; token=${token}; mine2=2`;
      for (const [target, ...headerLines] of [
        ['/api/hello/x', wholly],
        ['/api/hello/x', bearer(token), cookies],
        ['/api/hello/open', cookies],
      ]) {
        parsed.length = 0;
        expect((await get(target, ...headerLines)).status).toBe(200);
        expect(parsed).toEqual([{ mine: '1', mine2: '2' }]);
        expect(hello.handled.at(-1)?.headers.cookie ?? '').not.toContain(token);
      }
    });
  });
});
