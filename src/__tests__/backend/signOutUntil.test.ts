import permissionPlugin from '@backstage/plugin-permission-backend';
import allowAllPolicy from '@backstage/plugin-permission-backend-module-allow-all-policy';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { parse } from 'yaml';
import { blocksAfter } from '../__testUtils__/documents';
import { accessWith, staticToken } from '../__testUtils__/externalAccess';
import {
  identityProvider,
  identityProviderConfig,
  IdentityProviderSession,
  Laptop,
} from '../__testUtils__/identityProvider';
import { denialsIn, recordingAuditor } from '../__testUtils__/recordingAuditor';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, now, REVOCATIONS } from '../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { until } from '../__testUtils__/until';

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
});
