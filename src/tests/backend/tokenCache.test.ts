import {
  DefaultHttpAuthService,
  httpAuthServiceFactory,
} from '@backstage/backend-defaults/httpAuth';
import { verificationsDuring } from '../../__testUtils__/verificationsDuring';
import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { rawRequest } from '../../__testUtils__/rawRequest';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { createSigningKey, SigningKey } from '../../__testUtils__/signingKey';
import { RunningBackend, startBackend } from '../../__testUtils__/startBackend';

jest.setTimeout(60_000);

let key: SigningKey;
let backend: RunningBackend;

beforeAll(async () => {
  key = await createSigningKey();
});
afterAll(() => key.remove());
afterEach(() => backend.stop());

it.each([
  ['by default', {}, 1],
  ['without the cache', { tokenCache: false }, 3],
])('verifies a token %s', async (_, apiGate, expected) => {
  const hello = recordingPlugin('hello');
  backend = await startBackend({
    features: [hello.feature],
    config: { auth: { ...(key.config.auth as object), apiGate } },
  });
  const token = await key.sign({ iss: `${backend.url}/api/auth` });
  const verified = await verificationsDuring(async () => {
    for (let i = 0; i < 3; i += 1) {
      const { status } = await rawRequest(backend.port, '/api/hello/x', {
        headerLines: [`Authorization: Bearer ${token}`],
      });
      expect(status).toBe(200);
    }
  });
  expect(verified).toBe(expected);
});

it("uses an app's own httpAuth unchanged, and logs that the cache is off", async () => {
  const hello = recordingPlugin('hello');
  let asked = 0;
  const { deps, factory } = httpAuthServiceFactory as any;
  backend = await startBackend({
    features: [
      hello.feature,
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
    config: key.config,
  });
  const token = await key.sign({ iss: `${backend.url}/api/auth` });
  const { status } = await rawRequest(backend.port, '/api/hello/x', {
    headerLines: [`Authorization: Bearer ${token}`],
  });
  expect(status).toBe(200);
  expect(asked).toBeGreaterThan(0);
  expect(
    backend.log.some(({ message }) =>
      message.includes('its own httpAuth service'),
    ),
  ).toBe(true);
});

it("accepts no other token than the one that an app's own httpAuth has verified", async () => {
  const hello = recordingPlugin('hello');
  backend = await startBackend({
    features: [
      hello.feature,
      createServiceFactory({
        service: coreServices.httpAuth,
        deps: {
          auth: coreServices.auth,
          discovery: coreServices.discovery,
          plugin: coreServices.pluginMetadata,
        },
        factory: ({ auth, discovery, plugin }) =>
          DefaultHttpAuthService.create({
            auth,
            discovery,
            pluginId: plugin.getId(),
            getTokenFromRequest: req => ({
              token: req.headers['x-access-token'] as string,
            }),
          }),
      }),
    ],
    config: key.config,
  });
  const iss = `${backend.url}/api/auth`;
  const token = await key.sign({ iss });
  const [header] = token.split('.');
  const forged = [
    header,
    Buffer.from(
      JSON.stringify({ iss, sub: 'user:default/eve', iat: 1, exp: 1e10 }),
    ).toString('base64url'),
    'AAAA',
  ].join('.');
  const send = (bearer: string) =>
    rawRequest(backend.port, '/api/hello/x', {
      headerLines: [
        `Authorization: Bearer ${bearer}`,
        `X-Access-Token: ${token}`,
      ],
    });

  const { status, headers } = await send(forged);
  expect([status, headers['set-cookie']]).toEqual([401, undefined]);
  expect(hello.handled).toHaveLength(0);
  expect((await send(token)).status).toBe(200);
});
