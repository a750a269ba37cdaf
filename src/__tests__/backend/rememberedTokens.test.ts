import { httpAuthServiceFactory } from '@backstage/backend-defaults/httpAuth';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import {
  AuthService,
  coreServices,
  createServiceFactory,
  HttpAuthService,
} from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import type { Request } from 'express';
import { accessWith, staticToken } from '../__testUtils__/externalAccess';
import { ownHttpAuth } from '../__testUtils__/ownHttpAuth';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer as bearerOf,
  cookie as cookieOf,
  COOKIE_ENDPOINT,
} from '../__testUtils__/requestParts';
import {
  SignedBackend,
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { withSubject } from '../__testUtils__/withSubject';

const USER = 'user:default/jane';

/** The state of a request as soon as `next` returns to the middleware in front of the gate. */
type Seen = 'passed' | 'answered' | 'waits';

const backends = signedBackends();
let backend: SignedBackend;
let seen: Seen[];
/** Runs in the handler behind the gate. Its result is the answer. */
let handle: (
  req: Request,
  httpAuth: HttpAuthService,
  auth: AuthService,
) => unknown;
const answerPrincipal: typeof handle = async (req, httpAuth) =>
  (await httpAuth.credentials(req, { allow: ['user', 'service'] })).principal;
let token: string;

afterEach(async () => {
  jest.restoreAllMocks();
  await backends.stopAll();
});

const plugin = (pluginId: string) =>
  recordingPlugin(pluginId, {
    handle: async (req, res, { auth, httpAuth }) =>
      res.json((await handle(req, httpAuth, auth)) ?? {}),
  }).feature;

const sign = (claims: object = {}) => backend.sign({ sub: USER, ...claims });

/** Creates the settings of a static token with restrictions. */
const restricted = (...restrictions: JsonObject[]) => ({
  config: accessWith(
    staticToken('restricted-token', 'external', ...restrictions),
  ),
});

async function start(options: SignedBackendOptions = {}) {
  seen = [];
  handle = answerPrincipal;
  backend = await backends.start({
    ...options,
    features: [
      plugin('hello'),
      plugin('other'),
      rootHttpRouterServiceFactory({
        configure({ app, applyDefaults }) {
          app.use((req, res, next) => {
            next();
            // The gate sets `req.user` as it passes a user's request.
            const isPassed = (req as { user?: unknown }).user !== undefined;
            // Backstage fetches the keys of `auth` from this server too.
            if (!req.originalUrl.startsWith('/api/auth/')) {
              const state = isPassed ? 'passed' : 'waits';
              seen.push(res.headersSent ? 'answered' : state);
            }
          });
          applyDefaults();
        },
      }),
    ],
  });
  token = await sign();
}

async function send(headerLines: string[], pluginId = 'hello', method = 'GET') {
  const path = method === 'DELETE' ? COOKIE_ENDPOINT : '/x';
  const { status, body } = await backend.request(
    method,
    `/api/${pluginId}${path}`,
    headerLines,
  );
  return { status, body: body && JSON.parse(body) };
}

const cookie = (text = token) => [cookieOf(text)];
/** A browser sends the cookie with the bearer token, once it has got it. */
const bearer = (text = token) => [bearerOf(text), ...cookie(text)];

it('[P12] decides at once about a token that it has verified for the plugin, and about none that it has not', async () => {
  await start();
  const first = await send(bearer());
  const second = await send(bearer());
  expect([first.status, second.status]).toEqual([200, 200]);
  expect(seen).toEqual(['waits', 'passed']);
  expect(second.body).toEqual({ type: 'user', userEntityRef: USER });

  await send(cookie());
  expect(seen.at(-1)).toBe('passed');
  await send(bearer(), 'other');
  expect(seen.at(-1)).toBe('waits');

  const forged = withSubject(token, 'user:x/eve');
  expect((await send(bearer(forged))).status).toBe(401);
  expect((await send(bearer(`${token}x`))).status).toBe(401);
});

it('[P50] gives no request the credentials that a handler has changed, of a user, of who acts for one, or with restrictions', async () => {
  await start(
    restricted({ plugin: 'hello', permission: ['catalog.entity.read'] }),
  );
  let onBehalf = '';
  handle = async (req, httpAuth, auth) => {
    const { token: forHello } = await auth.getPluginRequestToken({
      onBehalfOf: await httpAuth.credentials(req),
      targetPluginId: 'hello',
    });
    onBehalf = forHello;
  };
  await send(bearer(), 'other');
  const changeAll = async (req: Request, httpAuth: HttpAuthService) => {
    const credentials: any = await httpAuth.credentials(req);
    const { principal } = credentials;
    principal.subject = 'evil';
    principal.userEntityRef = 'user:default/evil';
    Object.assign(principal.actor ?? {}, { subject: 'plugin:evil' });
    principal.accessRestrictions?.permissionNames.push('evil');
    credentials.expiresAt?.setTime(0);
  };
  for (const [text, part] of [
    [token, USER],
    [onBehalf, 'plugin:other'],
    ['restricted-token', 'catalog.entity.read'],
  ]) {
    handle = answerPrincipal;
    const before = await send(bearer(text));
    expect(JSON.stringify(before.body)).toContain(part);
    handle = changeAll;
    expect((await send(bearer(text))).status).toBe(200);
    handle = answerPrincipal;
    expect(await send(bearer(text))).toEqual(before);
  }
});

it("uses an app's own httpAuth unchanged, and logs what it can't do", async () => {
  let asked = 0;
  const { deps, factory } = httpAuthServiceFactory as any;
  const own = await backends.start({
    features: [
      recordingPlugin('hello').feature,
      createServiceFactory({
        service: coreServices.httpAuth,
        deps,
        factory: async (...args: unknown[]) => {
          const httpAuth = await factory(...args);
          const credentials = httpAuth.credentials.bind(httpAuth);
          httpAuth.credentials = (...request: unknown[]) => {
            asked += 1;
            return credentials(...request);
          };
          return httpAuth;
        },
      } as never) as never,
    ],
  });
  expect(await own.statusOf('/api/hello/x', bearerOf(await own.sign()))).toBe(
    200,
  );
  expect(asked).toBeGreaterThan(0);
  const [line, ...others] = own.logged('its own httpAuth service', 'info');
  expect(line.message).toMatch(/ set ENABLE_CORE_HTTPAUTH_OVERRIDE=true$/);
  expect(others).toEqual([]);
});

it("accepts Backstage's own cookie beside an httpAuth that reads the token in another header", async () => {
  const policies = [{ path: '/static', allow: 'user-cookie' }] as const;
  const hello = recordingPlugin('hello', { policies: [...policies] });
  const own = await backends.start({
    features: [hello.feature, ownHttpAuth('x-access-token')],
  });
  token = await own.sign();
  const headerLines = [bearerOf(token), `X-Access-Token: ${token}`];
  const stock = await own.stockCookie('hello', ...headerLines);
  expect(await own.statusOf('/api/hello/static', `Cookie: ${stock}`)).toBe(200);
});

it("accepts no token that does not verify, also if an app's own httpAuth reads another one", async () => {
  const hello = recordingPlugin('hello');
  backend = await backends.start({
    features: [hello.feature, ownHttpAuth('x-access-token')],
  });
  token = await backend.sign();
  const forged = withSubject(token, 'user:default/eve');
  const present = (presented: string) =>
    backend.get(
      '/api/hello/x',
      bearerOf(presented),
      `X-Access-Token: ${token}`,
    );

  const { status, headers } = await present(forged);
  expect([status, headers['set-cookie']]).toEqual([401, undefined]);
  expect(hello.handled).toHaveLength(0);
  expect((await present(token)).status).toBe(200);
});
