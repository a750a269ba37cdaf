import path from 'node:path';
import catalogPlugin from '@backstage/plugin-catalog-backend';
import proxyPlugin from '@backstage/plugin-proxy-backend';
import techdocsPlugin from '@backstage/plugin-techdocs-backend';
import { base64url } from 'jose';
import { staticToken } from '../__testUtils__/externalAccess';
import type { RawResponse } from '../__testUtils__/rawRequest';
import { openPlugin, recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  claimsOf,
  cookie,
  COOKIE_ENDPOINT,
  forge,
  from,
  KEYS,
  now,
  SAME_ORIGIN,
} from '../__testUtils__/requestParts';
import { SignedBackend, signedBackends } from '../__testUtils__/signedBackends';
import { createSigningKey } from '../__testUtils__/signingKey';
import { until } from '../__testUtils__/until';

const CHALLENGE = 'Bearer realm="Backstage"';
const INVALID = `${CHALLENGE}, error="invalid_token"`;
const CLEARING = [
  'token=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
  'token=; Domain=localhost; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
].join('\n');
const RESTRICTED_TOKEN = 'restricted-static-token';
const UNRESTRICTED_TOKEN = 'unrestricted-static-token';
const APP_ORIGIN = 'http://localhost:3000';
const IMAGE = '/api/techdocs/static/docs/default/component/example/image.png';

const backends = signedBackends();

describe('a backend with the gate', () => {
  const hello = openPlugin('hello');
  const closed = recordingPlugin('closed');
  let echoed: string[][] = [];
  let backend: SignedBackend;
  let guestToken: string;

  const get = (target: string, ...headerLines: string[]) =>
    backend.get(target, ...headerLines);
  const statusOf = (target: string, ...headerLines: string[]) =>
    backend.statusOf(target, ...headerLines);
  const statusBy = async (method: string, target: string) =>
    (await backend.request(method, target)).status;
  const signUser: SignedBackend['sign'] = claims => backend.sign(claims);
  const handledCount = () =>
    hello.handled.length + closed.handled.length + echoed.length;

  async function expectRefused(
    response: Promise<RawResponse>,
    challenge = CHALLENGE,
    { clearsCookie = false } = {},
  ) {
    const before = handledCount();
    const { status, headers, body } = await response;
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toBe(challenge);
    expect(headers['set-cookie']).toBe(clearsCookie ? CLEARING : undefined);
    expect(headers['cache-control']).toBe(
      clearsCookie ? 'no-store' : undefined,
    );
    expect(JSON.parse(body).error.name).toBe('AuthenticationError');
    expect(handledCount()).toBe(before);
  }

  beforeAll(async () => {
    const echoPort = await backends.serve((req, res) => {
      echoed.push(req.rawHeaders);
      res.end('{}');
    });
    backend = await backends.start({
      features: [
        catalogPlugin,
        proxyPlugin,
        techdocsPlugin,
        hello.feature,
        closed.feature,
      ],
      apiGate: {
        cookie: { maxAge: '24h' },
        allow: [
          { plugin: 'closed', path: '/health' },
          { plugin: 'closed', path: '/static/**' },
          { plugin: 'closed', path: '/hook', methods: ['POST'] },
          { plugin: 'nosuchplugin', path: '/health' },
        ],
      },
      config: {
        backend: {
          cors: { origin: APP_ORIGIN, credentials: true },
          auth: {
            externalAccess: [
              staticToken(
                RESTRICTED_TOKEN,
                'restricted',
                'catalog',
                'elsewhere',
              ),
              staticToken(UNRESTRICTED_TOKEN, 'unrestricted'),
            ],
          },
        },
        catalog: {
          locations: [
            {
              type: 'file',
              target: path.resolve(__dirname, '../../../dev/entities.yaml'),
              rules: [{ allow: ['Component', 'User', 'Group'] }],
            },
          ],
        },
        proxy: {
          endpoints: {
            '/echo': {
              target: `http://localhost:${echoPort}`,
              credentials: 'dangerously-allow-unauthenticated',
            },
          },
        },
        techdocs: {
          builder: 'external',
          publisher: {
            type: 'local',
            local: {
              publishDirectory: path.resolve(__dirname, '../../../dev/docs'),
            },
          },
        },
      },
    });
    guestToken = await backend.guest();
    // TechDocs queries the catalog, which takes a moment to process its locations.
    const entity = '/api/catalog/entities/by-name/component/default/example';
    await until(
      async () => (await statusOf(entity, bearer(guestToken))) === 200,
    );
  });

  describe.each([
    ['/api/catalog/entities', 200],
    ['/api/hello/data', 200],
    ['/api/proxy/echo', 200],
    ['/api/nosuchplugin/x', 404],
  ])('%s', (target, statusWithCredential) => {
    it('[P1] is refused without a credential', async () => {
      await expectRefused(get(target));
    });

    it.each(['POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PROPFIND'])(
      'is refused by %s without a credential',
      async method => {
        const before = handledCount();
        expect(await statusBy(method, target)).toBe(401);
        expect(handledCount()).toBe(before);
      },
    );

    it('answers a user', async () => {
      expect(await statusOf(target, bearer(guestToken))).toBe(
        statusWithCredential,
      );
    });

    it('answers the cookie alone', async () => {
      const { status, headers } = await get(target, cookie(guestToken));
      expect(status).toBe(statusWithCredential);
      expect(headers['set-cookie']).toBeUndefined();
    });
  });

  it('gives the same answer for every plugin, installed or not', async () => {
    const bodies = await Promise.all(
      [
        '/api/catalog/x',
        '/api/hello/x',
        '/api/proxy/x',
        '/api/nosuchplugin/x',
      ].map(async target => (await get(target)).body),
    );
    expect(new Set(bodies).size).toBe(1);
  });

  it('signs a guest in without a credential', async () => {
    for (const method of ['GET', 'POST']) {
      const target = '/api/auth/guest/refresh';
      const { status, body } = await backend.request(method, target);
      expect(status).toBe(200);
      const { token } = JSON.parse(body).backstageIdentity;
      expect(token).toMatch(/^\S+\.\S+\.\S+$/);
    }
  });

  it('serves keys without a credential', async () => {
    for (const plugin of ['auth', 'catalog', 'hello', 'proxy', 'techdocs']) {
      expect(await statusBy('GET', `/api/${plugin}${KEYS}`)).toBe(200);
      expect(await statusBy('HEAD', `/api/${plugin}${KEYS}`)).toBe(200);
    }
    expect(await statusOf('/api/auth/.well-known/jwks.json')).toBe(200);
    expect(await statusOf(`/api/nosuchplugin${KEYS}`)).toBe(404);
    expect(await statusBy('POST', `/api/catalog${KEYS}`)).toBe(401);
    expect(await statusOf(`/api/catalog${KEYS}/x`)).toBe(401);
    expect(await statusOf(`/api/catalog${KEYS.toUpperCase()}`)).toBe(401);
  });

  it('guards its own routes, and those of the cookie endpoints', async () => {
    for (const target of [
      '/api/auth/api-gate/v1/policy',
      '/api/auth/API-GATE/v1/policy',
      '/api/auth/api-gate/v1/revocations',
      '/api/auth/api-gate',
      '/api/auth//api-gate/v1/policy',
      '/api/auth/api%2Dgate/v1/policy',
      `/api/auth${COOKIE_ENDPOINT}`,
      `/api/catalog${COOKIE_ENDPOINT}`,
      `/api/auth${COOKIE_ENDPOINT}/`,
      `/api/hello${COOKIE_ENDPOINT.toUpperCase()}`,
    ]) {
      await expectRefused(get(target));
    }
  });

  describe('CORS', () => {
    const origin = from(APP_ORIGIN);

    it('answers a preflight of a configured origin', async () => {
      const { status, headers } = await backend.request(
        'OPTIONS',
        '/api/catalog/entities',
        [origin, 'Access-Control-Request-Method: GET'],
      );
      expect(status).toBe(204);
      expect(headers['access-control-allow-origin']).toBe(APP_ORIGIN);
    });

    it('lets a page of a configured origin read a 401', async () => {
      const { status, headers } = await get('/api/catalog/entities', origin);
      expect(status).toBe(401);
      expect(headers['access-control-allow-origin']).toBe(APP_ORIGIN);
      expect(headers['access-control-allow-credentials']).toBe('true');
    });
  });

  describe('[P2] allow rules', () => {
    it.each([
      ['GET', '/api/closed/health'],
      ['HEAD', '/api/closed/health'],
      ['GET', '/api/closed/health?x=1&y=%23'],
      ['GET', '/api/closed/static/a.js'],
      ['GET', '/api/closed/static/a/b.js'],
      ['POST', '/api/closed/hook'],
    ])('open %s %s at both layers', async (method, target) => {
      const before = closed.handled.length;
      expect(await statusBy(method, target)).toBe(200);
      expect(closed.handled.length).toBe(before + 1);
    });

    it('lead to the 404 of a plugin that is not installed', async () => {
      expect(await statusOf('/api/nosuchplugin/health')).toBe(404);
    });

    it.each([
      ['POST', '/api/closed/health'],
      ['DELETE', '/api/closed/health'],
      // The attacks have more spellings.
      ...[
        ...['/api/closed/hook', '/api/closed/healthx', '/api/closed/static'],
        ...['/api/closed/Health', '/api/Closed/health', '/api/closed/health/'],
        ...['/api/closed/x/../health', '/api/closed/static/..%2fsecret'],
        ...['/api/closed/he%61lth', '/api/closed/health#x'],
        ...['/api\\closed/health#', 'http://any/api/closed/health'],
      ].map(target => ['GET', target]),
    ])('do not open %s %s', async (method, target) => {
      const before = handledCount();
      const status = await statusBy(method, target);
      // 400: Node's parser rejects the bytes. 404: no route matches, not even the gate's.
      expect([400, 401, 404]).toContain(status);
      expect(handledCount()).toBe(before);
    });

    it('leave odd paths usable with a credential', async () => {
      expect(await statusOf('/api/closed/a%20b//c', bearer(guestToken))).toBe(
        200,
      );
    });
  });

  describe('[P6] service tokens', () => {
    it('pass at the plugin that they are for, and only there', async () => {
      const auth = bearer(await hello.tokenFor('catalog'));
      expect(await statusOf('/api/catalog/entities', auth)).toBe(200);
      await expectRefused(get('/api/hello/data', auth), INVALID);
      await expectRefused(get('/api/nosuchplugin/x', auth), INVALID);
    });

    it('pass to the 404 of an absent plugin that they are for', async () => {
      const auth = bearer(await hello.tokenFor('nosuchplugin'));
      expect(await statusOf('/api/nosuchplugin/x', auth)).toBe(404);
      await expectRefused(get('/api/otherplugin/x', auth), INVALID);
      await expectRefused(get('/api/nosuch%70lugin/x', auth), INVALID);
    });

    it('leave req.user unset, and set no cookie', async () => {
      const token = await hello.tokenFor('closed');
      const { status, headers } = await get('/api/closed/x', bearer(token));
      expect(status).toBe(200);
      expect(headers['set-cookie']).toBeUndefined();
      expect(closed.handled.at(-1)!.user).toBeUndefined();
    });

    it('pass on behalf of a user, without a cookie', async () => {
      const { token } = await hello.auth.getPluginRequestToken({
        onBehalfOf: await hello.auth.authenticate(guestToken),
        targetPluginId: 'closed',
      });
      const { status, headers } = await get('/api/closed/x', bearer(token));
      expect(status).toBe(200);
      expect(headers['set-cookie']).toBeUndefined();
    });

    it('do not pass in a cookie', async () => {
      const token = await hello.tokenFor('closed');
      await expectRefused(get('/api/closed/x', cookie(token)), INVALID, {
        clearsCookie: true,
      });
    });
  });

  describe('[P6] external tokens', () => {
    it.each([
      [RESTRICTED_TOKEN, '/api/catalog/entities', 200],
      [RESTRICTED_TOKEN, '/api/hello/data', 403],
      [RESTRICTED_TOKEN, '/api/nosuchplugin/x', 403],
      [RESTRICTED_TOKEN, '/api/elsewhere/x', 404],
      [UNRESTRICTED_TOKEN, '/api/hello/data', 200],
      [UNRESTRICTED_TOKEN, '/api/nosuchplugin/x', 404],
    ])('%s at %s: %i', async (token, target, expected) => {
      const response = await get(target, bearer(token));
      expect(response.status).toBe(expected);
      expect(response.headers['set-cookie']).toBeUndefined();
    });
  });

  describe('Backstage’s own cookie', () => {
    let stockCookie: string;

    beforeAll(async () => {
      stockCookie = await backend.stockCookie('techdocs', bearer(guestToken));
    });

    it('is not hidden by an empty cookie of the gate', async () => {
      expect(await statusOf(IMAGE, `Cookie: token=; ${stockCookie}`)).toBe(200);
    });

    it('loads an image of TechDocs', async () => {
      const { status, headers } = await get(IMAGE, `Cookie: ${stockCookie}`);
      expect(status).toBe(200);
      expect(headers['content-type']).toBe('image/png');
    });

    it('opens nothing else', async () => {
      const line = `Cookie: ${stockCookie}`;
      await expectRefused(get('/api/hello/data', line));
      await expectRefused(get('/api/techdocs/metadata/x', line));
      await expectRefused(get('/api/techdocs/x#/static/', line));
      for (const odd of [
        '..',
        '%2e%2e',
        '..;',
        '%2E.',
        'a/..%2f..',
        '..%5c',
        '%',
        '',
      ]) {
        await expectRefused(get(`/api/techdocs/static/${odd}/metadata`, line));
      }
      await expectRefused(backend.request('POST', IMAGE, [line]));
    });
  });

  describe('[P6] tokens that are not valid', () => {
    const cases: Record<string, () => Promise<string> | string> = {
      expired: () => signUser({ exp: now() - 10 }),
      'of a foreign key': async () => {
        const foreign = await createSigningKey();
        const token = await foreign.sign({ iss: `${backend.url}/api/auth` });
        await foreign.remove();
        return token;
      },
      'of a foreign issuer': () =>
        signUser({ iss: 'https://evil.example.com/api/auth' }),
      'with alg none': async () => {
        const [, payload] = (await signUser()).split('.');
        const header = { typ: 'vnd.backstage.user', alg: 'none' };
        return `${base64url.encode(JSON.stringify(header))}.${payload}.`;
      },
      'flipped in the middle': async () => forge(await signUser()),
      limited: async () =>
        (await backend.stockCookie('hello', bearer(guestToken))).split('=')[1],
      garbage: () => 'a.b.c',
    };

    it.each(Object.keys(cases))('%s, as bearer and as cookie', async name => {
      const token = await cases[name]();
      await expectRefused(get('/api/hello/data', bearer(token)), INVALID);
      await expectRefused(get('/api/hello/data', cookie(token)), INVALID, {
        clearsCookie: true,
      });
    });

    it('20 KB', async () => {
      const line = bearer('x'.repeat(20 * 1024));
      expect([401, 431]).toContain(await statusOf('/api/hello/data', line));
    });
  });

  describe('[P5] the one credential of a request', () => {
    it('is never a second Authorization', async () => {
      const before = handledCount();
      for (const second of [bearer(guestToken), bearer('x'), 'a: ']) {
        const { status, headers } = await get(
          '/api/hello/data',
          bearer(guestToken),
          second.replace(/^\w+/, 'authorization'),
        );
        expect(status).toBe(400);
        expect(headers['www-authenticate']).toBe(
          `${CHALLENGE}, error="invalid_request"`,
        );
      }
      expect(handledCount()).toBe(before);
    });

    it.each(['Basic dXNlcjpwYXNz', 'Bearer', 'Bearer a b', 'bearer\t', 'x'])(
      'is not the cookie behind "Authorization: %s"',
      async authorization => {
        await expectRefused(
          get(
            '/api/hello/data',
            `Authorization: ${authorization}`,
            cookie(guestToken),
          ),
          INVALID,
        );
      },
    );

    it('is not a cookie with two values', async () => {
      for (const headerLines of [
        [cookie(`${guestToken}; token=x`)],
        [cookie(`x; token=${guestToken}`)],
        [cookie(guestToken), cookie('x')],
      ]) {
        await expectRefused(get('/api/hello/data', ...headerLines), INVALID, {
          clearsCookie: true,
        });
      }
      const twice = cookie(`${guestToken}; a=b; token=${guestToken}`);
      expect(await statusOf('/api/hello/data', twice)).toBe(200);
    });
  });

  describe('[P9] what a plugin sees', () => {
    it('is the user, from the token', async () => {
      const ent = ['group:default/a', 'user:default/test'];
      const token = await signUser({ ent });
      for (const headerLine of [bearer(token), cookie(token)]) {
        await get('/api/closed/x', headerLine);
        expect(closed.handled.at(-1)!.user).toEqual({
          token,
          identity: {
            type: 'user',
            userEntityRef: 'user:default/test',
            ownershipEntityRefs: ent,
          },
        });
      }
    });

    it('is Authorization for a cookie, and never the cookie', async () => {
      await get(
        '/api/closed/x',
        `Cookie: a=1; token=${guestToken};b="2" ;  c=%33`,
        'Authorization:',
      );
      const { headers, rawHeaders } = closed.handled.at(-1)!;
      expect(headers.authorization).toBe(`Bearer ${guestToken}`);
      expect(headers.cookie).toBe('a=1;b="2" ;  c=%33');
      expect(
        rawHeaders.filter(name => /^(authorization|cookie)$/i.test(name)),
      ).toHaveLength(2);
      expect(rawHeaders.join('\n')).not.toContain(`token=${guestToken}`);
    });

    it('is no cookie of the gate at a proxy target or a public path', async () => {
      const line = `Cookie: a=1; token=${guestToken}; b=2`;
      await get('/api/closed/health', line);
      expect(closed.handled.at(-1)!.headers).toMatchObject({
        cookie: 'a=1; b=2',
      });
      expect(closed.handled.at(-1)!.headers.authorization).toBeUndefined();
      echoed = [];
      await get('/api/proxy/echo', line);
      expect(echoed).toHaveLength(1);
      expect(echoed[0].join('\n')).not.toContain('token=');
    });
  });

  describe('the cookie', () => {
    const cookieOf = (response: RawResponse) => response.headers['set-cookie'];

    it('[P9] is set for a bearer that is not the cookie', async () => {
      const response = await get(
        '/api/closed/x',
        bearer(guestToken),
        SAME_ORIGIN,
      );
      const expires = new Date(claimsOf(guestToken).exp * 1000).toUTCString();
      expect(cookieOf(response)).toBe(
        `token=${guestToken}; Path=/; Expires=${expires}; HttpOnly; SameSite=Lax`,
      );
      expect(response.headers['cache-control']).toBe('no-store');
    });

    it('is kept if it is newer, and replaced if it only claims to be', async () => {
      const headerLine = bearer(await signUser({ iat: now() - 60 }));
      const newer = await signUser({ iat: now() - 50 });
      const kept = await get('/api/closed/x', headerLine, cookie(newer));
      expect(cookieOf(kept)).toBeUndefined();
      const forged = cookie(forge(newer));
      const replaced = await get('/api/closed/x', headerLine, forged);
      expect(cookieOf(replaced)).toMatch(/^token=/);
    });

    it('is not set on errors, on public paths, or by a cookie', async () => {
      for (const target of ['/api/nosuchplugin/x', '/api/closed/health']) {
        const response = await get(target, bearer(guestToken));
        expect(cookieOf(response)).toBeUndefined();
      }
    });
  });

  it('[P14] logs refusals without what was presented', async () => {
    await get('/api/hello/once?secret=query', bearer('s3cret'));
    const line = () =>
      backend.log.find(
        ({ meta }) => (meta as { path?: string })?.path === '/once',
      );
    const { decision, ...meta } = line()!.meta as Record<string, unknown>;
    expect(decision).toMatch(/^[0-9a-f]{16}$/);
    expect(meta).toEqual({
      plugin: 'hello',
      reason: 'invalid-token',
      detail: 'malformed',
      method: 'GET',
      path: '/once',
      requests: 1,
    });
    const text = JSON.stringify(backend.logged('API gate'));
    expect(text).not.toMatch(/s3cret|secret=query/);
  });
});
