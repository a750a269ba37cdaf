import { createServer, Server } from 'node:http';
import { AddressInfo } from 'node:net';
import path from 'node:path';
import type {
  BackstageCredentials,
  BackstageUserPrincipal,
} from '@backstage/backend-plugin-api';
import catalogPlugin from '@backstage/plugin-catalog-backend';
import proxyPlugin from '@backstage/plugin-proxy-backend';
import techdocsPlugin from '@backstage/plugin-techdocs-backend';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import { base64url } from 'jose';
import supertest from 'supertest';
import { RawResponse, rawRequest } from '../../__testUtils__/rawRequest';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { createSigningKey, SigningKey } from '../../__testUtils__/signingKey';
import { RunningBackend, startBackend } from '../../__testUtils__/startBackend';
import { until } from '../../__testUtils__/until';

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

const COOKIE_ENDPOINT = '/.backstage/auth/v1/cookie';
const KEYS = '/.backstage/auth/v1/jwks.json';

jest.setTimeout(60_000);

describe('a backend with the gate', () => {
  const hello = recordingPlugin('hello', {
    policies: [{ path: '/', allow: 'unauthenticated' }],
  });
  const closed = recordingPlugin('closed');
  let key: SigningKey;
  let echo: Server;
  let echoed: string[][] = [];
  let backend: RunningBackend;
  let guestToken: string;
  let request: ReturnType<typeof supertest>;

  const bearer = (token: string) => `Bearer ${token}`;
  const get = (target: string, headerLines: string[] = []) =>
    rawRequest(backend.port, target, { headerLines });
  const signUser = (
    claims: Partial<Parameters<SigningKey['sign']>[0]> = {},
  ): Promise<string> => key.sign({ iss: `${backend.url}/api/auth`, ...claims });
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
    key = await createSigningKey();
    echo = createServer((req, res) => {
      echoed.push(req.rawHeaders);
      res.end('{}');
    });
    await new Promise<void>(resolve => {
      echo.listen(0, '127.0.0.1', resolve);
    });
    const { port } = echo.address() as AddressInfo;
    backend = await startBackend({
      features: [
        catalogPlugin,
        proxyPlugin,
        techdocsPlugin,
        hello.feature,
        closed.feature,
      ],
      config: {
        ...key.config,
        backend: {
          cors: { origin: APP_ORIGIN, credentials: true },
          auth: {
            externalAccess: [
              {
                type: 'static',
                options: { token: RESTRICTED_TOKEN, subject: 'restricted' },
                accessRestrictions: [
                  { plugin: 'catalog' },
                  { plugin: 'elsewhere' },
                ],
              },
              {
                type: 'static',
                options: { token: UNRESTRICTED_TOKEN, subject: 'unrestricted' },
              },
            ],
          },
        },
        auth: {
          ...(key.config.auth as object),
          apiGate: {
            issuers: ['https://other.example.com/api/auth'],
            cookie: { maxAge: '24h' },
            allow: [
              { plugin: 'closed', path: '/health' },
              { plugin: 'closed', path: '/static/**' },
              { plugin: 'closed', path: '/hook', methods: ['POST'] },
              { plugin: 'nosuchplugin', path: '/health' },
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
              target: `http://127.0.0.1:${port}`,
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
    request = supertest(backend.url);
    const signedIn = await request.get('/api/auth/guest/refresh').expect(200);
    guestToken = signedIn.body.backstageIdentity.token;
    // TechDocs queries the catalog, which takes a moment to process its locations.
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const { status } = await request
        .get('/api/catalog/entities/by-name/component/default/example')
        .set('Authorization', bearer(guestToken));
      if (status === 200) {
        break;
      }
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  });

  afterAll(async () => {
    await backend.stop();
    await new Promise(resolve => echo.close(resolve));
    await key.remove();
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
        const { status } = await rawRequest(backend.port, target, { method });
        expect(status).toBe(401);
        expect(handledCount()).toBe(before);
      },
    );

    it('answers a user', async () => {
      const { status } = await get(target, [
        `Authorization: ${bearer(guestToken)}`,
      ]);
      expect(status).toBe(statusWithCredential);
    });

    it('answers the cookie alone', async () => {
      const { status, headers } = await get(target, [
        `Cookie: token=${guestToken}`,
      ]);
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
    for (const method of ['get', 'post'] as const) {
      const { status, body } = await request[method]('/api/auth/guest/refresh');
      expect(status).toBe(200);
      expect(body.backstageIdentity.token).toMatch(/^\S+\.\S+\.\S+$/);
    }
  });

  it('serves keys without a credential', async () => {
    for (const plugin of ['auth', 'catalog', 'hello', 'proxy', 'techdocs']) {
      await request.get(`/api/${plugin}${KEYS}`).expect(200);
      await request.head(`/api/${plugin}${KEYS}`).expect(200);
    }
    await request.get('/api/auth/.well-known/jwks.json').expect(200);
    await request.get(`/api/nosuchplugin${KEYS}`).expect(404);
    await request.post(`/api/catalog${KEYS}`).expect(401);
    await request.get(`/api/catalog${KEYS}/x`).expect(401);
    await request.get(`/api/catalog${KEYS.toUpperCase()}`).expect(401);
  });

  it('serves health and 404 outside /api as without the gate', async () => {
    await request.get('/.backstage/health/v1/readiness').expect(200);
    await request.get('/').expect(404);
    await request.get('/api').expect(404);
    await request.get('/api/').expect(404);
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
    it('answers a preflight of a configured origin', async () => {
      const response = await request
        .options('/api/catalog/entities')
        .set('Origin', APP_ORIGIN)
        .set('Access-Control-Request-Method', 'GET');
      expect(response.status).toBe(204);
      expect(response.headers['access-control-allow-origin']).toBe(APP_ORIGIN);
    });

    it('lets a page of a configured origin read a 401', async () => {
      const response = await request
        .get('/api/catalog/entities')
        .set('Origin', APP_ORIGIN);
      expect(response.status).toBe(401);
      expect(response.headers['access-control-allow-origin']).toBe(APP_ORIGIN);
      expect(response.headers['access-control-allow-credentials']).toBe('true');
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
      const { status } = await rawRequest(backend.port, target, { method });
      expect(status).toBe(200);
      expect(closed.handled.length).toBe(before + 1);
    });

    it('lead to the 404 of a plugin that is not installed', async () => {
      expect((await get('/api/nosuchplugin/health')).status).toBe(404);
    });

    it.each([
      ['POST', '/api/closed/health'],
      ['DELETE', '/api/closed/health'],
      ['GET', '/api/closed/hook'],
      ['GET', '/api/closed/healthx'],
      ['GET', '/api/closed/health.json'],
      ['GET', '/api/closed/health/x'],
      ['GET', '/api/closed/static'],
      ['GET', '/api/closed/staticx/a.js'],
      // The following rows are spellings that Express, or another server, might read as one of the paths above.
      ['GET', '/api/closed/Health'],
      ['GET', '/api/Closed/health'],
      ['GET', '/API/closed/health'],
      ['GET', '/api/closed/health/'],
      ['GET', '/api/closed//health'],
      ['GET', '//api/closed/health'],
      ['GET', '/api/closed/health#'],
      ['GET', '/api/closed/health#x'],
      ['GET', '/api/closed/health?#x'],
      ['GET', '/api/closed/./health'],
      ['GET', '/api/closed/x/../health'],
      ['GET', '/api/closed/static/../secret'],
      ['GET', '/api/closed/static/..;/secret'],
      ['GET', '/api/closed/static/;/secret'],
      ['GET', '/api/closed/static/%2e%2e/secret'],
      ['GET', '/api/closed/static/..%2fsecret'],
      ['GET', '/api/closed/static\\..\\secret'],
      ['GET', '/api/closed/static/a\\b'],
      ['GET', '/api/closed/he%61lth'],
      ['GET', '/api/closed/health%00'],
      ['GET', '/api/closed/health%20'],
      ['GET', '/api/closed/static/\xa0'],
      ['GET', '/api/closed/static/caf\xe9'],
      ['GET', '/api/closed/health?\xa0'],
      ['GET', '/api/cl%6fsed/health'],
      ['GET', '/api/hello/../closed/health'],
      ['GET', '/api/closed/static/^^^^/static/secret#'],
      ['GET', '/api/closed/^^^^/static/secret#'],
      ['GET', '/api\\closed/health#'],
      ['GET', 'http://any/api/closed/health'],
      ['GET', 'http://any/api/hello/data'],
      ['GET', 'foo://any/api/closed/health'],
      ['GET', 'foo:///api/closed/health'],
      ['GET', 'http:///api/closed'],
      ['GET', 'file:///api/closed'],
      ['GET', 'foo://any/api/closed?q'],
    ])('do not open %s %s', async (method, target) => {
      const before = handledCount();
      const { status } = await rawRequest(backend.port, target, { method });
      // 400: Node's parser rejects the bytes. 404: no route matches, not even the gate's.
      expect([400, 401, 404]).toContain(status);
      expect(handledCount()).toBe(before);
    });

    it('leave odd paths usable with a credential', async () => {
      const { status } = await get('/api/closed/a%20b//c', [
        `Authorization: ${bearer(guestToken)}`,
      ]);
      expect(status).toBe(200);
    });
  });

  describe('[P6] service tokens', () => {
    it('pass at the plugin that they are for, and only there', async () => {
      const token = await hello.tokenFor('catalog');
      const auth = [`Authorization: ${bearer(token)}`];
      expect((await get('/api/catalog/entities', auth)).status).toBe(200);
      await expectRefused(get('/api/hello/data', auth), INVALID);
      await expectRefused(get('/api/nosuchplugin/x', auth), INVALID);
    });

    it('pass to the 404 of an absent plugin that they are for', async () => {
      const token = await hello.tokenFor('nosuchplugin');
      const auth = [`Authorization: ${bearer(token)}`];
      expect((await get('/api/nosuchplugin/x', auth)).status).toBe(404);
      await expectRefused(get('/api/otherplugin/x', auth), INVALID);
      await expectRefused(get('/api/nosuch%70lugin/x', auth), INVALID);
    });

    it('leave req.user unset, and set no cookie', async () => {
      const token = await hello.tokenFor('closed');
      const { status, headers } = await get('/api/closed/x', [
        `Authorization: ${bearer(token)}`,
      ]);
      expect(status).toBe(200);
      expect(headers['set-cookie']).toBeUndefined();
      expect(closed.handled.at(-1)!.user).toBeUndefined();
    });

    it('pass on behalf of a user, without a cookie', async () => {
      const { token } = await hello.auth.getPluginRequestToken({
        onBehalfOf: await hello.auth.authenticate(guestToken),
        targetPluginId: 'closed',
      });
      const { status, headers } = await get('/api/closed/x', [
        `Authorization: ${bearer(token)}`,
      ]);
      expect(status).toBe(200);
      expect(headers['set-cookie']).toBeUndefined();
    });

    it('do not pass in a cookie', async () => {
      const token = await hello.tokenFor('closed');
      await expectRefused(
        get('/api/closed/x', [`Cookie: token=${token}`]),
        INVALID,
        { clearsCookie: true },
      );
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
      const response = await get(target, [`Authorization: ${bearer(token)}`]);
      expect(response.status).toBe(expected);
      expect(response.headers['set-cookie']).toBeUndefined();
    });
  });

  describe('Backstage’s own cookie', () => {
    let stockCookie: string;

    beforeAll(async () => {
      const response = await request
        .get(`/api/techdocs${COOKIE_ENDPOINT}`)
        .set('Authorization', bearer(guestToken))
        .expect(200);
      const cookies = response.get('Set-Cookie')!.map(c => c.split(';')[0]);
      stockCookie = cookies.find(c => c.startsWith('backstage-auth='))!;
    });

    it('is not hidden by an empty cookie of the gate', async () => {
      const { status } = await get(IMAGE, [`Cookie: token=; ${stockCookie}`]);
      expect(status).toBe(200);
    });

    it('loads an image of TechDocs', async () => {
      const { status, headers } = await get(IMAGE, [`Cookie: ${stockCookie}`]);
      expect(status).toBe(200);
      expect(headers['content-type']).toBe('image/png');
    });

    it('opens nothing else', async () => {
      const headerLines = [`Cookie: ${stockCookie}`];
      await expectRefused(get('/api/hello/data', headerLines));
      await expectRefused(get('/api/techdocs/metadata/x', headerLines));
      await expectRefused(get('/api/techdocs/x#/static/', headerLines));
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
        await expectRefused(
          get(`/api/techdocs/static/${odd}/metadata`, headerLines),
        );
      }
      await expectRefused(
        rawRequest(backend.port, IMAGE, { method: 'POST', headerLines }),
      );
    });
  });

  describe('[P6] tokens that are not valid', () => {
    const cases: Record<string, () => Promise<string> | string> = {
      expired: () => signUser({ exp: Math.floor(Date.now() / 1000) - 10 }),
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
      truncated: async () => (await signUser()).slice(0, -20),
      'without a signature': async () =>
        (await signUser()).split('.').slice(0, 2).join('.'),
      'flipped in the middle': async () => {
        const [header, payload, signature] = (await signUser()).split('.');
        const middle = signature.length / 2;
        const flipped = signature[middle] === 'A' ? 'B' : 'A';
        return `${header}.${payload}.${signature.slice(0, middle)}${flipped}${signature.slice(middle + 1)}`;
      },
      limited: async () => {
        const credentials = (await hello.auth.authenticate(
          guestToken,
        )) as BackstageCredentials<BackstageUserPrincipal>;
        return (await hello.auth.getLimitedUserToken(credentials)).token;
      },
      'of an unknown type': () => signUser({ typ: 'JWT' }).then(t => `${t}x`),
      'three dots': () => '...',
      garbage: () => 'a.b.c',
      'garbage in base64': () => 'e30.e30.e30',
      'not a token': () => 'x',
    };

    it.each(Object.keys(cases))('%s, as bearer and as cookie', async name => {
      const token = await cases[name]();
      await expectRefused(
        get('/api/hello/data', [`Authorization: ${bearer(token)}`]),
        INVALID,
      );
      await expectRefused(
        get('/api/hello/data', [`Cookie: token=${token}`]),
        INVALID,
        { clearsCookie: true },
      );
    });

    it('20 KB', async () => {
      const { status } = await get('/api/hello/data', [
        `Authorization: ${bearer('x'.repeat(20 * 1024))}`,
      ]);
      expect([401, 431]).toContain(status);
    });

    it('are accepted from a configured issuer', async () => {
      const token = await signUser({
        iss: 'https://other.example.com/api/auth',
      });
      const { status } = await get('/api/closed/x', [
        `Authorization: ${bearer(token)}`,
      ]);
      expect(status).toBe(200);
    });
  });

  describe('[P5] the one credential of a request', () => {
    it('is never a second Authorization', async () => {
      const before = handledCount();
      for (const second of [bearer(guestToken), bearer('x'), '']) {
        const { status, headers } = await get('/api/hello/data', [
          `Authorization: ${bearer(guestToken)}`,
          `authorization: ${second}`,
        ]);
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
          get('/api/hello/data', [
            `Authorization: ${authorization}`,
            `Cookie: token=${guestToken}`,
          ]),
          INVALID,
        );
      },
    );

    it('is not the cookie behind a bearer that fails', async () => {
      await expectRefused(
        get('/api/hello/data', [
          'Authorization: Bearer x',
          `Cookie: token=${guestToken}`,
        ]),
        INVALID,
      );
    });

    it('is the bearer where there is a cookie too', async () => {
      const { status } = await get('/api/closed/x', [
        `Authorization: bearer ${guestToken}`,
        'Cookie: token=x',
      ]);
      expect(status).toBe(200);
    });

    it('is the cookie behind an empty Authorization', async () => {
      const { status } = await get('/api/closed/x', [
        'Authorization: ',
        `Cookie: token=${guestToken}`,
      ]);
      expect(status).toBe(200);
    });

    it('is not a cookie with two values', async () => {
      for (const headerLines of [
        [`Cookie: token=${guestToken}; token=x`],
        [`Cookie: token=x; token=${guestToken}`],
        [`Cookie: token=${guestToken}`, 'Cookie: token=x'],
      ]) {
        await expectRefused(get('/api/hello/data', headerLines), INVALID, {
          clearsCookie: true,
        });
      }
      const { status } = await get('/api/hello/data', [
        `Cookie: token=${guestToken}; a=b; token=${guestToken}`,
      ]);
      expect(status).toBe(200);
    });
  });

  describe('[P9] what a plugin sees', () => {
    it('is the user, from the token', async () => {
      const ent = ['group:default/a', 'user:default/test'];
      const token = await signUser({ ent });
      for (const headerLine of [
        `Authorization: ${bearer(token)}`,
        `Cookie: token=${token}`,
      ]) {
        await get('/api/closed/x', [headerLine]);
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
      await get('/api/closed/x', [
        `Cookie: a=1; token=${guestToken};b="2" ;  c=%33`,
        'Authorization:',
      ]);
      const { headers, rawHeaders } = closed.handled.at(-1)!;
      expect(headers.authorization).toBe(bearer(guestToken));
      expect(headers.cookie).toBe('a=1;b="2" ;  c=%33');
      expect(
        rawHeaders.filter(name => /^(authorization|cookie)$/i.test(name)),
      ).toHaveLength(2);
      expect(rawHeaders.join('\n')).not.toContain(`token=${guestToken}`);
    });

    it('is no cookie of the gate at a proxy target or a public path', async () => {
      const headerLines = [`Cookie: a=1; token=${guestToken}; b=2`];
      await get('/api/closed/health', headerLines);
      expect(closed.handled.at(-1)!.headers).toMatchObject({
        cookie: 'a=1; b=2',
      });
      expect(closed.handled.at(-1)!.headers.authorization).toBeUndefined();
      echoed = [];
      await get('/api/proxy/echo', headerLines);
      expect(echoed).toHaveLength(1);
      expect(echoed[0].join('\n')).not.toContain('token=');
    });
  });

  describe('the cookie', () => {
    const cookieOf = (response: RawResponse) => response.headers['set-cookie'];

    it('[P9] is set for a bearer that is not the cookie', async () => {
      const response = await get('/api/closed/x', [
        `Authorization: ${bearer(guestToken)}`,
        'Sec-Fetch-Site: same-origin',
      ]);
      const { exp } = JSON.parse(
        Buffer.from(guestToken.split('.')[1], 'base64url').toString(),
      );
      const expires = new Date(exp * 1000).toUTCString();
      expect(cookieOf(response)).toBe(
        `token=${guestToken}; Path=/; Expires=${expires}; HttpOnly; SameSite=Lax`,
      );
      expect(response.headers['cache-control']).toBe('no-store');
    });

    it.each([
      ['the same token', {}, false],
      ['another user', { sub: 'user:default/other' }, true],
      ['an older token', { iat: 1_700_000_000 }, true],
    ])('that holds %s', async (_, claims, isSet) => {
      const iat = Math.floor(Date.now() / 1000) - 60;
      const token = await signUser({ iat });
      const present = await signUser({ iat, ...claims });
      const response = await get('/api/closed/x', [
        `Authorization: ${bearer(token)}`,
        `Cookie: token=${present}`,
      ]);
      expect(Boolean(cookieOf(response))).toBe(isSet);
    });

    it('is kept if it is newer, and replaced if it only claims to be', async () => {
      const iat = Math.floor(Date.now() / 1000) - 60;
      const headerLine = `Authorization: ${bearer(await signUser({ iat }))}`;
      const newer = await signUser({ iat: iat + 10 });
      const kept = await get('/api/closed/x', [
        headerLine,
        `Cookie: token=${newer}`,
      ]);
      expect(cookieOf(kept)).toBeUndefined();
      const forged = `${newer.slice(0, -40)}AAAA${newer.slice(-36)}`;
      const replaced = await get('/api/closed/x', [
        headerLine,
        `Cookie: token=${forged}`,
      ]);
      expect(cookieOf(replaced)).toMatch(/^token=/);
    });

    it('is not set on errors, on public paths, or by a cookie', async () => {
      const auth = `Authorization: ${bearer(guestToken)}`;
      expect(
        cookieOf(await get('/api/nosuchplugin/x', [auth])),
      ).toBeUndefined();
      expect(cookieOf(await get('/api/closed/health', [auth]))).toBeUndefined();
    });
  });

  it('[P14] logs refusals without what was presented', async () => {
    await get('/api/hello/once?secret=query', ['Authorization: Bearer s3cret']);
    const line = () =>
      backend.log.find(
        ({ meta }) => (meta as { path?: string })?.path === '/once',
      );
    // The line may take a second, if others of this reason came before it.
    await until(() => line() !== undefined);
    const { omitted, omittedDecisions, decision, ...meta } = line()!
      .meta as Record<string, unknown>;
    expect(decision).toMatch(/^[0-9a-f]{16}$/);
    expect(meta).toEqual({
      plugin: 'hello',
      reason: 'invalid-token',
      detail: 'malformed',
      method: 'GET',
      path: '/once',
      errorType: 'AuthenticationError',
    });
    const text = JSON.stringify(
      backend.log.filter(({ message }) => message.startsWith('API gate')),
    );
    expect(text).not.toMatch(/s3cret|secret=query/);
  });
});

describe('a plugin that is served a second time at the root', () => {
  it('[P1] is closed at the root too', async () => {
    const hello = recordingPlugin('hello', {
      policies: [{ path: '/', allow: 'unauthenticated' }],
    });
    const backend = await startBackend({
      features: [
        hello.feature,
        rootHttpRouterServiceFactory({ indexPath: '/api/hello' }),
      ],
    });
    try {
      const { status, headers } = await rawRequest(backend.port, '/data');
      expect(status).toBe(401);
      expect(headers['www-authenticate']).toBe(CHALLENGE);
      expect(hello.handled).toHaveLength(0);
    } finally {
      await backend.stop();
    }
  });
});
