import { randomBytes } from 'node:crypto';
import { createBackendModule } from '@backstage/backend-plugin-api';
import permissionPlugin from '@backstage/plugin-permission-backend';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import { policyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { BrowserCookies } from '../__testUtils__/browserCookies';
import {
  CI,
  OF_BACKENDS,
  OPERATOR,
  Pair,
} from '../__testUtils__/comparedSettings';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  now,
  REVOCATIONS,
  SAME_ORIGIN,
} from '../__testUtils__/requestParts';
import { SignedBackend, signedBackends } from '../__testUtils__/signedBackends';
import { discovery } from '../__testUtils__/startBackend';
import { temporaryFolder } from '../__testUtils__/temporaryFolder';

const BASE_URL = 'https://a.b.example.com';
const denyAll = createBackendModule({
  pluginId: 'permission',
  moduleId: 'deny-all',
  register(reg) {
    reg.registerInit({
      deps: { policy: policyExtensionPoint },
      async init({ policy }) {
        policy.setPolicy({
          handle: async () => ({ result: AuthorizeResult.DENY }),
        });
      },
    });
  },
});

const backends = signedBackends();
afterEach(backends.stopAll);

/** Starts a backend with settings, and the same base for each. */
async function start(settings: JsonObject, database = temporaryFolder()) {
  const hello = recordingPlugin('hello');
  const config = merge(
    {
      backend: {
        baseUrl: BASE_URL,
        database: {
          client: 'better-sqlite3',
          connection: { directory: database },
        },
      },
      auth: { apiGate: {} },
    },
    settings,
  );
  return {
    ...(await backends.start({
      features: [hello.feature, permissionPlugin, denyAll],
      config,
    })),
    /** Signs a token of a user whom no other backend has. */
    user: (sub = `user:default/${randomBytes(4).toString('hex')}`, ago = 0) =>
      backends.key.sign({
        iss: `${BASE_URL}/api/auth`,
        sub,
        iat: now() - ago,
      }),
  };
}

type Backend = Awaited<ReturnType<typeof start>>;

const HELLO = '/api/hello/x';
const passes = async (
  { statusOf }: Pick<SignedBackend, 'statusOf'>,
  token: string,
) => (await statusOf(HELLO, bearer(token))) === 200;

/** Returns the gate's cookie as it is issued. */
async function issuedCookie({ get, user }: Backend): Promise<string> {
  const { headers } = await get(HELLO, bearer(await user()));
  return headers['set-cookie']!.match(/^\S*token=.*$/m)![0];
}

/** For each setting, what somebody may do under the wider value alone. */
const PROBES: Record<
  string,
  (backend: Backend, other: Other) => Promise<boolean>
> = {
  'auth.apiGate.operators': async ({ post, user }) => {
    const body = { userEntityRef: 'user:default/nobody' };
    return (await post(REVOCATIONS, await user(OPERATOR), body)).status === 201;
  },
  'auth.apiGate.cookie.enabled': async ({ statusOf, user }) =>
    (await statusOf(HELLO, `Cookie: token=${await user()}`)) === 200,
  'auth.apiGate.cookie.name': async backend => {
    const [name] = (await issuedCookie(backend)).split('=');
    const browser = new BrowserCookies();
    const set = `${name}=x; Domain=example.com; Path=/; Secure`;
    browser.store('https://evil.example.com/', [set]);
    return browser.headerFor(`${BASE_URL}/`) !== undefined;
  },
  'auth.apiGate.cookie.domain': async backend => {
    const browser = new BrowserCookies();
    browser.store(`${BASE_URL}/`, [await issuedCookie(backend)]);
    return browser.headerFor('https://other.example.com/') !== undefined;
  },
  'auth.apiGate.cookie.sameSite': async backend =>
    /; SameSite=None/i.test(await issuedCookie(backend)),
  'auth.apiGate.cookie.maxAge': async backend => {
    const [, end] = (await issuedCookie(backend)).match(/; Expires=([^;]+)/)!;
    return Date.parse(end) - Date.now() > 1_800_000;
  },
  'auth.apiGate.signOut.scope': async backend => {
    const sub = 'user:default/two-devices';
    const other = await backend.user(sub, 20);
    await backend.signOut(bearer(await backend.user(sub, 10)));
    return passes(backend, other);
  },
  'auth.apiGate.signOut.providers': async backend => {
    const token = await backend.user();
    const lines = [bearer(token), SAME_ORIGIN];
    await backend.request('POST', '/api/auth/okta/logout', lines);
    return passes(backend, token);
  },
  'backend.auth.{externalAccess,keys}': backend => passes(backend, CI),
  'discovery.endpoints': async (backend, other) =>
    passes(backend, await other.tokenFor('hello')),
  'permission.enabled': async ({ post, user }) => {
    const body = { userEntityRef: 'user:default/nobody' };
    return (await post(REVOCATIONS, await user(OPERATOR), body)).status === 201;
  },
  'auth.providers, backend.auth.dangerouslyDisableDefaultAuthPolicy, events, proxy':
    async ({ statusOf }) => (await statusOf(HELLO)) === 200,
};

/** Starts another replica, which has the database of the others, and a plugin that these may find. */
async function startOther(database: string) {
  const friend = recordingPlugin('friend');
  const other = await backends.start({
    features: [friend.feature],
    config: {
      backend: {
        database: {
          client: 'better-sqlite3',
          connection: { directory: database },
        },
      },
    },
  });
  return {
    port: other.port,
    tokenFor: friend.tokenFor,
    endSessions: async (userEntityRef: string) =>
      other.endSessions(await friend.tokenFor('auth'), userEntityRef),
  };
}
type Other = Awaited<ReturnType<typeof startOther>>;

/** The configuration that a pair needs beside its setting. Such a setting takes away the effect of others: it has backends of its own. */
const ALONE: Record<string, JsonObject> = {
  'auth.apiGate.cookie.enabled': {},
  'permission.enabled': { auth: { apiGate: { operators: [OPERATOR] } } },
  'auth.providers, backend.auth.dangerouslyDisableDefaultAuthPolicy, events, proxy':
    { auth: { apiGate: { mode: 'report-only' } } },
};
const isAlone = ({ settings }: Pair) => settings in ALONE;

describe('[P103] a setting whose change the report shows', () => {
  it('has a probe for each setting that a backend has to be asked about', () =>
    expect(Object.keys(PROBES).sort()).toEqual(
      OF_BACKENDS.map(({ settings }) => settings).sort(),
    ));

  it.each(['wide', 'narrow'] as const)(
    'lets somebody do more by the wider value alone: %s',
    async side => {
      const together = OF_BACKENDS.filter(pair => !isAlone(pair));
      const database = temporaryFolder();
      const other = await startOther(database);
      const backend = await start(
        merge({}, ...together.map(pair => pair[side]), {
          ...(side === 'wide' && discovery(other.port, 'friend')),
        }),
        database,
      );
      for (const { settings } of together) {
        expect([settings, await PROBES[settings](backend, other)]).toEqual([
          settings,
          side === 'wide',
        ]);
      }
    },
  );

  it.each(
    OF_BACKENDS.filter(isAlone).flatMap(pair =>
      (['wide', 'narrow'] as const).map(
        side => [pair.settings, side, pair] as const,
      ),
    ),
  )(
    'lets somebody do more by the wider value alone: %s, %s',
    async (settings, side, pair) => {
      const backend = await start(merge({}, ALONE[settings], pair[side]));
      const more = await PROBES[settings](backend, undefined!);
      expect(more).toBe(side === 'wide');
    },
  );
});
