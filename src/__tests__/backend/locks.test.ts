import path from 'node:path';
import catalogPlugin from '@backstage/plugin-catalog-backend';
import permissionPlugin from '@backstage/plugin-permission-backend';
import allowAllPolicy from '@backstage/plugin-permission-backend-module-allow-all-policy';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { parse } from 'yaml';
import { deniedPermissions } from '../__testUtils__/deniedPermissions';
import { blocksAfter } from '../__testUtils__/documents';
import { exportMetrics } from '../__testUtils__/exportMetrics';
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
import { folderWith } from '../__testUtils__/runCli';
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

const [page] = blocksAfter('docs/sign-out.md', 'Who may lock');
const external = (token: string, ...restrictions: JsonObject[]) =>
  staticToken(token, token, ...restrictions);
/** The external tokens of the page, and others that may not lock. */
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

const folder = folderWith({
  'user.yaml': `
apiVersion: backstage.io/v1alpha1
kind: User
metadata: { name: in-catalog }
spec: { memberOf: [] }
`,
});

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
  const lock = async (
    lockedUntil = now() + 3600,
    { by = operator, userEntityRef = JANE } = {},
  ) =>
    parsed(
      await backend.post(REVOCATIONS, by, {
        userEntityRef,
        lockedUntil: instant(lockedUntil),
      }),
    );
  const lift = async ({ by = operator, user = JANE } = {}) =>
    parsed(
      await backend.request('DELETE', `${REVOCATIONS}/${user}`, [bearer(by)]),
    );
  return {
    ...backend,
    hello,
    operator,
    lock,
    lift,
    forOperator: async (): Promise<string> => {
      const target = '/api/hello/x?for=auth';
      return JSON.parse((await backend.get(target, bearer(operator))).body)
        .token;
    },
    jane: (iat = now()) => backend.sign({ sub: JANE, iat, exp: iat + 3600 }),
    locked: async (by = operator) =>
      parsed(await backend.get(`${REVOCATIONS}/locked`, bearer(by))),
    status: (token: string, target = '/api/hello/x') =>
      backend.statusOf(target, bearer(token)),
  };
}

describe('a user who is locked out', () => {
  it('[P80] gets no further by another page load, until the lock is lifted', async () => {
    const backend = await start({
      features: [identityProvider(JANE, new IdentityProviderSession())],
      config: identityProviderConfig,
    });
    const laptop = new Laptop(backend.url);
    await laptop.signIn();
    const load = async () => (await laptop.loadPage()).token!;
    const before = await load();
    expect(await backend.status(before)).toBe(200);
    const end = now() + 3600;
    expect(await backend.lock(end)).toEqual({
      status: 201,
      body: {
        lockedUntil: instant(end),
        known: true,
        offlineSessions: 'disabled',
      },
    });
    await nextSecond();
    await laptop.signIn();
    const meanwhile = await load();
    expect(await backend.status(before)).toBe(401);
    expect(await backend.status(meanwhile)).toBe(401);
    expect((await laptop.fetch('/api/hello/x')).status).toBe(401);
    expect(await backend.locked()).toEqual({
      status: 200,
      body: { locked: [{ userEntityRef: JANE, lockedUntil: instant(end) }] },
    });

    expect(await backend.lift({ user: 'User:default/JANE' })).toEqual({
      status: 200,
      body: {
        formerLockedUntil: instant(end),
        lifted: true,
        offlineSessions: 'disabled',
      },
    });
    expect(await backend.status(meanwhile)).toBe(401);
    await nextSecond();
    expect(await backend.status(await load())).toBe(200);
    expect(await backend.status(meanwhile)).toBe(401);
    expect((await backend.locked()).body).toEqual({ locked: [] });
    expect((await backend.lift()).status).toBe(404);
  });

  it('[P80] is refused whatever the time of the token, and with a token from before the end afterwards', async () => {
    const backend = await start();
    const end = now() + 4;
    await backend.lock(end);
    const [past, future, after] = [
      await backend.jane(now() - 600),
      await backend.jane(end - 1),
      // The clock of its issuer is ahead.
      await backend.jane(end + 1),
    ];
    for (const token of [past, future, after]) {
      expect(await backend.status(token)).toBe(401);
    }
    await until(async () => (await backend.status(after)) === 200);
    expect(now()).toBeGreaterThanOrEqual(end);
    expect(await backend.status(past)).toBe(401);
    expect(await backend.status(future)).toBe(401);
    expect((await backend.locked()).body).toEqual({ locked: [] });
    // Nothing is left to be lifted.
    expect((await backend.lift()).status).toBe(404);
  });

  it('[P80] is refused by cookie, limited token and service, and on public paths', async () => {
    const docs = recordingPlugin('docs', {
      policies: [{ path: '/static', allow: 'user-cookie' }],
    });
    const helper = recordingPlugin('helper', {
      handle: async (req, res, { auth, httpAuth }) => {
        const onBehalfOf = await httpAuth.credentials(req);
        const { token: service } = await auth.getPluginRequestToken({
          onBehalfOf,
          targetPluginId: 'hello',
        });
        const { token: limited } = await auth.getLimitedUserToken(
          onBehalfOf as never,
        );
        res.json({ service, limited });
      },
    });
    const backend = await start({
      features: [docs.feature, helper.feature],
      apiGate: {
        allow: [{ plugin: 'hello', path: '/public' }],
      },
    });
    const token = await backend.jane(now() - 10);
    const { body } = await backend.get('/api/helper/x', bearer(token));
    const { limited, service } = JSON.parse(body);
    const calls: [string, string[]][] = [
      ['/api/hello/x', [bearer(token)]],
      ['/api/hello/x', [cookie(token)]],
      ['/api/hello/x', [bearer(service)]],
      ['/api/docs/static/x', [`Cookie: backstage-auth=${limited}`]],
      ['/api/hello/public', [bearer(token)]],
      ['/api/auth/guest/refresh', [bearer(token)]],
      ['/api/absent/x', [bearer(token)]],
    ];
    const statuses = () =>
      Promise.all(
        calls.map(([target, lines]) => backend.statusOf(target, ...lines)),
      );
    expect(await statuses()).toEqual([200, 200, 200, 200, 200, 200, 404]);
    await backend.lock();
    expect(await statuses()).toEqual(calls.map(() => 401));
    const { headers } = await backend.get('/api/hello/x', cookie(token));
    expect(String(headers['set-cookie'])).toContain('token=;');
    // A page that is public stays so without a token.
    expect(await backend.statusOf('/api/hello/public', cookie(token))).toBe(
      200,
    );
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
    await backend.lock();
    await socket.closed;
    expect((await open()).status).toBe(401);
    expect(other.isClosed()).toBe(false);
    other.destroy();
  });

  it('[P80] can still sign out', async () => {
    const backend = await start();
    const token = await backend.jane(now() - 10);
    await backend.lock();
    const { status, headers } = await backend.signOut(cookie(token));
    expect(status).toBe(204);
    expect(String(headers['set-cookie'])).toContain('token=;');
  });
});

describe('[P81] who may lock a user out', () => {
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
      const user = `user:default/u${i}`;
      const token = await backend.sign({ sub: user });
      const change = { by, user, userEntityRef: user };
      const locked = (await backend.lock(undefined, change)).status;
      const found = [locked, await backend.status(token)];
      await backend.lock(undefined, { userEntityRef: user });
      found.push((await backend.lift(change)).status);
      expect([name, found]).toEqual([
        name,
        locked === 201 ? [201, 401, 200] : [403, 200, 403],
      ]);
      may.push(...(locked === 201 ? [name] : []));
    }
    expect(may).toEqual(Object.keys(callers).slice(0, 2));
    const left = (await backend.locked()).body.locked;
    expect(left).toHaveLength(Object.keys(callers).length - may.length);
  });

  it('an operator without the permission: nobody', async () => {
    const backend = await start({ features: [deniedPermissions] });
    expect((await backend.lock()).status).toBe(403);
    expect((await backend.lift()).status).toBe(403);
    expect(await backend.status(await backend.jane())).toBe(200);
  });

  it('operators: each other, and nobody themselves', async () => {
    const backend = await start({ apiGate: { operators: [OPERATOR, JANE] } });
    const own = { userEntityRef: 'User:development/Guest' };
    expect(await backend.lock(undefined, own)).toMatchObject({
      status: 409,
      body: { error: { name: 'ConflictError' } },
    });
    expect((await backend.lift({ user: OPERATOR })).status).toBe(409);
    expect(await backend.status(backend.operator)).toBe(200);
    const jane = await backend.jane(now() - 10);
    expect((await backend.lock()).status).toBe(201);
    expect((await backend.lock(undefined, { by: jane })).status).toBe(401);
    expect((await backend.lift({ by: jane })).status).toBe(401);
  });

  it('reads the list: operators, and services', async () => {
    const backend = await start();
    await backend.lock();
    const service = await backend.hello.tokenFor('auth');
    for (const by of [backend.operator, service, 'for-reading']) {
      expect((await backend.locked(by)).status).toBe(200);
    }
    const john = await backend.sign({ sub: 'user:default/john' });
    for (const by of [john, OFFBOARDING]) {
      expect((await backend.locked(by)).status).toBe(403);
    }
  });
});

describe('a lock', () => {
  it('of what is no user is no lock that could be lifted', async () => {
    const backend = await start();
    const odd = ['jane', '', '%00', 'user:default/jane/x', '..%2f..%2fpolicy'];
    for (const user of odd) {
      const { status } = await backend.lift({ user });
      expect([400, 404]).toContain(status);
    }
  });

  it('of a user whom nothing has ever named says so', async () => {
    const backend = await start({
      features: [catalogPlugin],
      config: {
        catalog: {
          rules: [{ allow: ['User'] }],
          locations: [{ type: 'file', target: path.join(folder, 'user.yaml') }],
        },
      },
    });
    const knownOf = async (name: string) => {
      const user = { by: OFFBOARDING, userEntityRef: `user:${name}` };
      return (await backend.lock(undefined, user)).body.known;
    };
    await until(async () => (await knownOf('default/In-Catalog')) === true);
    expect(await knownOf('development/GUEST')).toBe(true);
    expect(await knownOf('default/jnae')).toBe(false);
  });

  it('is in the audit and the metrics, and the refusals have its reason', async () => {
    const events: any[] = [];
    const exported = await exportMetrics();
    backends.add(exported);
    const backend = await start({ features: [recordingAuditor(events)] });
    const token = await backend.jane(now() - 10);
    const end = now() + 3600;
    await backend.lock(end);
    expect(await backend.status(token)).toBe(401);
    await backend.lift({ by: OFFBOARDING });
    expect(await backend.status(token)).toBe(401);
    const recorded = () =>
      events
        .filter(({ eventId }) => eventId === 'api-gate-revocation')
        .filter(({ status }) => status === 'succeeded')
        .map(({ meta }) => meta);
    await until(() => recorded().length === 2);
    const ofJane = { scope: 'lock', userEntityRef: JANE };
    expect(recorded()).toEqual([
      {
        ...ofJane,
        by: OPERATOR,
        lockedUntil: instant(end),
        known: false,
        offlineSessions: 'disabled',
      },
      {
        ...ofJane,
        by: 'offboarding',
        formerLockedUntil: instant(end),
        lifted: true,
        offlineSessions: 'disabled',
      },
    ]);
    await until(() => denialsIn(events).length === 2);
    expect(denialsIn(events)).toMatchObject([
      { plugin: 'hello', reason: 'locked', subject: JANE },
      { plugin: 'hello', reason: 'revoked', subject: JANE },
    ]);
    const { series } = await exported.scrape();
    expect(series).toContainEqual({
      name: 'api_gate_decisions_total',
      labels: expect.objectContaining({
        plugin: 'hello',
        outcome: 'refused',
        reason: 'locked',
        credential: 'bearer',
      }),
      value: 1,
    });
    expect(
      series.find(({ name }) => name === 'api_gate_revocations_held')?.value,
    ).toBe(2);
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
    await first.lock();
    await until(async () => (await status(token)) === 401);
    expect(await status(await first.jane(now() + 1))).toBe(401);
    await first.lift();
    await nextSecond();
    await until(async () => (await status(await first.jane())) === 200);
    expect(await status(token)).toBe(401);
  });
});

describeWithRoute('the refresh tokens of OAuth clients', () => {
  it('a lock ends the refresh tokens, and lifting it ends those that a code gave meanwhile', async () => {
    const user = 'user:development/guest';
    const backend = await start({ config: { auth: oauthConfig('one') } });
    const authUrl = `${backend.url}/api/auth`;
    const refreshed = (token?: string) => refresh(authUrl, 'one', token!);
    const guest = await backend.guest();
    const signIn = (lock?: () => Promise<void>) =>
      signInClient(authUrl, 'one', guest, lock);
    const { refresh_token: first } = await signIn();
    const change = { by: OFFBOARDING, userEntityRef: user, user };
    const meanwhile = await signIn(async () => {
      const { body } = await backend.lock(undefined, change);
      expect(body.offlineSessions).toEqual({ ended: 1 });
    });
    expect((await refreshed(first)).status).toBe(400);
    const { tokens } = await refreshed(meanwhile.refresh_token);
    expect(await backend.status(tokens.access_token)).toBe(401);
    // A client of a user who is locked out gets no code.
    await expect(signIn()).rejects.toThrow();

    const { body } = await backend.lift(change);
    expect(body.offlineSessions).toEqual({ ended: 1 });
    expect((await refreshed(tokens.refresh_token)).status).toBe(400);
  });
});
