import permissionPlugin from '@backstage/plugin-permission-backend';
import allowAllPolicy from '@backstage/plugin-permission-backend-module-allow-all-policy';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { parse } from 'yaml';
import { deniedPermissions } from '../__testUtils__/deniedPermissions';
import { blocksAfter } from '../__testUtils__/documents';
import { accessWith, staticToken } from '../__testUtils__/externalAccess';
import {
  identityProvider,
  identityProviderConfig,
  IdentityProviderSession,
  Laptop,
} from '../__testUtils__/identityProvider';
import {
  oauthConfig,
  refresh,
  signInClient,
} from '../__testUtils__/oauthClients';
import { denialsIn, recordingAuditor } from '../__testUtils__/recordingAuditor';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  cookie,
  now,
  protocol,
  REVOCATIONS,
} from '../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { freePort } from '../__testUtils__/freePort';
import { discovery } from '../__testUtils__/startBackend';
import { until } from '../__testUtils__/until';
import { webSocketPlugin } from '../__testUtils__/webSocketPlugin';

// Goes in October 2027: `auth` plugins before November 2026 have no route that ends refresh tokens.
const { API_GATE_TEST_RELEASE: release = '2026-11' } = process.env;
const describeWithRoute = release >= '2026-11' ? describe : describe.skip;

const JANE = 'user:default/jane';
const OPERATOR = 'user:development/guest';
const OFFBOARDING = 'a-token-for-offboarding';

jest.mock('../../store/revocations/pollInterval', () => ({
  POLL_INTERVAL_MS: 200,
}));

const backends = signedBackends();
jest.setTimeout(120_000);
afterEach(backends.stopAll);

const [page] = blocksAfter('docs/sign-out.md', 'When somebody leaves', 'yaml');
const external = (token: string, ...restrictions: JsonObject[]) =>
  staticToken(token, token, ...restrictions);
/** The external token of the page, and others that may not sign a user out until later. */
const externalAccess = [
  ...parse(page.replace('${OFFBOARDING_TOKEN}', OFFBOARDING)).backend.auth
    .externalAccess,
  external('unrestricted'),
  external('for-auth', { plugin: 'auth' }),
  external('for-reading', { plugin: 'auth', permission: 'auth.api-gate.read' }),
  external('for-updates', {
    plugin: 'auth',
    permissionAttribute: { action: 'update' },
  }),
];

const instant = (seconds: number) => new Date(seconds * 1000).toISOString();
const nextSecond = () => new Promise(resolve => setTimeout(resolve, 1_100));

async function start(options: SignedBackendOptions = {}) {
  const { features = [], config, apiGate } = options;
  const hello = recordingPlugin('hello', {
    handle: async (req, res, { auth, httpAuth }) => {
      const target = req.query.for;
      const { token } = target
        ? await auth.getPluginRequestToken({
            onBehalfOf: await httpAuth.credentials(req),
            targetPluginId: String(target),
          })
        : { token: undefined };
      res.json({ token });
    },
  });
  const backend = await backends.start({
    ...options,
    features: [hello.feature, ...features],
    config: merge(accessWith(...externalAccess), config),
    apiGate: {
      operators: [OPERATOR],
      ...apiGate,
    },
  });
  const parsed = ({ status, body }: { status: number; body: string }) => ({
    status,
    body: JSON.parse(body),
  });
  const operator = await backend.guest();
  const signOutUntil = async (
    end = now() + 3600,
    { by = operator, userEntityRef = JANE } = {},
  ) =>
    parsed(
      await backend.post(REVOCATIONS, by, {
        userEntityRef,
        until: instant(end),
      }),
    );
  return {
    ...backend,
    hello,
    operator,
    signOutUntil,
    forOperator: async (): Promise<string> => {
      const target = '/api/hello/x?for=auth';
      return JSON.parse((await backend.get(target, bearer(operator))).body)
        .token;
    },
    jane: (iat = now()) => backend.sign({ sub: JANE, iat, exp: iat + 3600 }),
    status: (token: string, target = '/api/hello/x') =>
      backend.statusOf(target, bearer(token)),
  };
}

describe('a user who is signed out until later', () => {
  it('[P80] gets no further by another page load or sign-in until then, and with no token from before', async () => {
    const backend = await start({
      features: [identityProvider(JANE, new IdentityProviderSession())],
      config: identityProviderConfig,
    });
    const laptop = new Laptop(backend.url);
    await laptop.signIn();
    const load = async () => (await laptop.loadPage()).token!;
    const before = await load();
    expect(await backend.status(before)).toBe(200);
    const end = now() + 5;
    const userEntityRef = 'User:default/JANE';
    expect(await backend.signOutUntil(end, { userEntityRef })).toEqual({
      status: 201,
      body: { until: instant(end), offlineSessions: 'disabled' },
    });
    await nextSecond();
    await laptop.signIn();
    const meanwhile = await load();
    for (const token of [before, meanwhile, await backend.jane(end)]) {
      expect(await backend.status(token)).toBe(401);
    }
    expect((await laptop.fetch('/api/hello/x')).status).toBe(401);

    await until(async () => now() > end);
    expect(await backend.status(await load())).toBe(200);
    for (const token of [before, meanwhile, await backend.jane(end)]) {
      expect(await backend.status(token)).toBe(401);
    }
  });

  it('[P80] stays so: no later call shortens it, and none takes it back', async () => {
    const backend = await start();
    const end = now() + 3600;
    await backend.signOutUntil(end);
    await backend.signOutUntil(now() + 2);
    expect(
      await backend.post(REVOCATIONS, backend.operator, {
        userEntityRef: JANE,
      }),
    ).toMatchObject({ status: 201 });
    const lift = await backend.request('DELETE', `${REVOCATIONS}/${JANE}`, [
      bearer(backend.operator),
    ]);
    expect(lift.status).toBe(404);
    expect(await backend.status(await backend.jane(end))).toBe(401);
    expect(await backend.status(await backend.jane(end + 1))).toBe(200);
  });

  it('[P80] loses open WebSockets at once, and opens no other', async () => {
    const live = webSocketPlugin('live', { '/ws': undefined });
    const backend = await start({ features: [live.feature] });
    const token = await backend.jane(now() - 10);
    // Without handlers, the plugin listens from its first request on.
    // Goes in October 2027: releases before November 2026 have no WebSocket handlers.
    await backend.status(token, '/api/live/first');
    const open = () => backend.upgrade('/api/live/ws', protocol(token));
    const [socket, other] = [
      await open(),
      await backend.upgrade('/api/live/ws', protocol(backend.operator)),
    ];
    expect([socket.status, other.status]).toEqual([101, 101]);
    await backend.signOutUntil();
    await socket.closed;
    expect((await open()).status).toBe(401);
    expect(other.isClosed()).toBe(false);
    other.destroy();
  });

  it('[P80] can still sign out', async () => {
    const backend = await start();
    const token = await backend.jane(now() - 10);
    await backend.signOutUntil();
    const { status, headers } = await backend.signOut(cookie(token));
    expect(status).toBe(204);
    expect(String(headers['set-cookie'])).toContain('token=;');
  });
});

describe('[P81] who may sign a user out until later', () => {
  it('operators, and external tokens whose restrictions name the permission', async () => {
    const backend = await start({
      features: [permissionPlugin, allowAllPolicy],
      config: { permission: { enabled: true } },
    });
    const callers = {
      'an operator': backend.operator,
      'an external token of the page': OFFBOARDING,
      'a user': await backend.jane(),
      'a plugin': await backend.hello.tokenFor('auth'),
      'a plugin that acts for an operator': await backend.forOperator(),
      'an external token without restrictions': 'unrestricted',
      'one for the plugin alone': 'for-auth',
      'one for another permission': 'for-reading',
      'one that names no permission': 'for-updates',
    };
    const may: string[] = [];
    for (const [i, [name, by]] of Object.entries(callers).entries()) {
      const userEntityRef = `user:default/u${i}`;
      const token = await backend.sign({ sub: userEntityRef });
      const change = { by, userEntityRef };
      const { status } = await backend.signOutUntil(undefined, change);
      expect([name, status, await backend.status(token)]).toEqual(
        status === 201 ? [name, 201, 401] : [name, 403, 200],
      );
      may.push(...(status === 201 ? [name] : []));
    }
    expect(may).toEqual(Object.keys(callers).slice(0, 2));
  });

  it('an operator without the permission: nobody', async () => {
    const backend = await start({ features: [deniedPermissions] });
    expect((await backend.signOutUntil()).status).toBe(403);
    expect(await backend.status(await backend.jane())).toBe(200);
  });

  it('operators: each other, and nobody themselves', async () => {
    const backend = await start({ apiGate: { operators: [OPERATOR, JANE] } });
    const own = { userEntityRef: 'User:development/Guest' };
    expect(await backend.signOutUntil(undefined, own)).toMatchObject({
      status: 409,
      body: { error: { name: 'ConflictError' } },
    });
    expect(await backend.status(backend.operator)).toBe(200);
    const jane = await backend.jane(now() - 10);
    expect((await backend.signOutUntil()).status).toBe(201);
    const byJane = { by: jane, userEntityRef: 'user:default/john' };
    expect((await backend.signOutUntil(undefined, byJane)).status).toBe(401);
  });
});

describe('a sign-out until later', () => {
  it('is in the audit, and the refusals have the reason of any ended session', async () => {
    const events: any[] = [];
    const backend = await start({ features: [recordingAuditor(events)] });
    const token = await backend.jane(now() - 10);
    const end = now() + 3600;
    await backend.signOutUntil(end);
    expect(await backend.status(token)).toBe(401);
    const recorded = () =>
      events
        .filter(({ eventId }) => eventId === 'api-gate-revocation')
        .filter(({ status }) => status === 'succeeded')
        .map(({ meta }) => meta);
    await until(() => recorded().length === 1);
    expect(recorded()).toEqual([
      {
        ...{ scope: 'user', userEntityRef: JANE, by: OPERATOR },
        until: instant(end),
        offlineSessions: 'disabled',
      },
    ]);
    await until(() => denialsIn(events).length === 1);
    expect(denialsIn(events)).toMatchObject([
      { plugin: 'hello', reason: 'revoked', subject: JANE },
    ]);
    expect(JSON.stringify([events, backend.log])).not.toContain(token);
  });

  it('[P80] is in force in a backend without auth, within the interval', async () => {
    const port = await freePort();
    const first = await start({ config: discovery(port, 'other') });
    const other = recordingPlugin('other');
    const second = await backends.start({
      port,
      withAuth: false,
      features: [other.feature],
      config: discovery(first.port, 'auth', 'hello'),
    });
    const token = await first.jane(now() - 10);
    const status = (each: string) =>
      second.statusOf('/api/other/x', bearer(each));
    await until(async () => (await status(token)) === 200);
    const end = now() + 4;
    await first.signOutUntil(end);
    await until(async () => (await status(token)) === 401);
    expect(await status(await first.jane(end))).toBe(401);
    expect(await status(await first.jane(end + 1))).toBe(200);
  });
});

describeWithRoute('the refresh tokens of OAuth clients', () => {
  it('a sign-out until later ends the refresh tokens, and clients get no code until then', async () => {
    const userEntityRef = 'user:development/guest';
    const backend = await start({ config: { auth: oauthConfig('one') } });
    const authUrl = `${backend.url}/api/auth`;
    const refreshed = (token?: string) => refresh(authUrl, 'one', token!);
    const guest = await backend.guest();
    const signIn = (before?: () => Promise<void>) =>
      signInClient(authUrl, 'one', guest, before);
    const { refresh_token: first } = await signIn();
    const change = { by: OFFBOARDING, userEntityRef };
    // The client exchanges a code that was approved before.
    const meanwhile = await signIn(async () => {
      const { body } = await backend.signOutUntil(undefined, change);
      expect(body.offlineSessions).toEqual({ ended: 1 });
    });
    expect((await refreshed(first)).status).toBe(400);
    const { tokens } = await refreshed(meanwhile.refresh_token);
    expect(await backend.status(tokens.access_token)).toBe(401);
    await expect(signIn()).rejects.toThrow();

    // A second call ends what the code has given.
    const { body } = await backend.signOutUntil(undefined, change);
    expect(body.offlineSessions).toEqual({ ended: 1 });
    expect((await refreshed(tokens.refresh_token)).status).toBe(400);
  });
});
