import { httpAuthServiceFactory } from '@backstage/backend-defaults/httpAuth';
import { verificationsDuring } from '../__testUtils__/verificationsDuring';
import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { ownHttpAuth } from '../__testUtils__/ownHttpAuth';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer } from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';
import { withSubject } from '../__testUtils__/withSubject';

const backends = signedBackends();
afterEach(backends.stopAll);

it.each([
  ['by default', {}, 1],
  ['without the cache', { tokenCache: false }, 3],
])('verifies a token %s', async (_, apiGate, expected) => {
  const { sign, statusOf } = await backends.start({
    features: [recordingPlugin('hello').feature],
    apiGate,
  });
  const token = await sign();
  const verified = await verificationsDuring(async () => {
    for (let i = 0; i < 3; i += 1) {
      expect(await statusOf('/api/hello/x', bearer(token))).toBe(200);
    }
  });
  expect(verified).toBe(expected);
});

it("uses an app's own httpAuth unchanged, and logs that the cache is off", async () => {
  let asked = 0;
  const { deps, factory } = httpAuthServiceFactory as any;
  const { logged, sign, statusOf } = await backends.start({
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
  expect(await statusOf('/api/hello/x', bearer(await sign()))).toBe(200);
  expect(asked).toBeGreaterThan(0);
  const [line, ...others] = logged('its own httpAuth service', 'info');
  expect(line.message).toMatch(/ set ENABLE_CORE_HTTPAUTH_OVERRIDE=true$/);
  expect(others).toEqual([]);
});

it("accepts Backstage's own cookie by an httpAuth that reads the token in another header", async () => {
  const policies = [{ path: '/static', allow: 'user-cookie' }] as const;
  const hello = recordingPlugin('hello', { policies: [...policies] });
  const { sign, statusOf, stockCookie } = await backends.start({
    features: [hello.feature, ownHttpAuth('x-access-token')],
  });
  const token = await sign();
  const headerLines = [bearer(token), `X-Access-Token: ${token}`];
  const own = await stockCookie('hello', ...headerLines);
  expect(await statusOf('/api/hello/static', `Cookie: ${own}`)).toBe(200);
});

it("accepts no other token than the one that an app's own httpAuth has verified", async () => {
  const hello = recordingPlugin('hello');
  const backend = await backends.start({
    features: [hello.feature, ownHttpAuth('x-access-token')],
  });
  const token = await backend.sign();
  const forged = withSubject(token, 'user:default/eve');
  const send = (presented: string) =>
    backend.get('/api/hello/x', bearer(presented), `X-Access-Token: ${token}`);

  const { status, headers } = await send(forged);
  expect([status, headers['set-cookie']]).toEqual([401, undefined]);
  expect(hello.handled).toHaveLength(0);
  expect((await send(token)).status).toBe(200);
});
