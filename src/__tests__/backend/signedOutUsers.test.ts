import path from 'node:path';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import { BackendFeature } from '@backstage/backend-plugin-api';
import {
  AuthenticationError,
  ServiceUnavailableError,
} from '@backstage/errors';
import createKnex from 'knex';
import { merge } from 'lodash';
import { blocksAfter } from '../__testUtils__/documents';
import { freePort } from '../__testUtils__/freePort';
import { limitedTokenOf } from '../__testUtils__/limitedTokenOf';
import { openPlugin, recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  claimsOf,
  cookie,
  now,
  REVOCATIONS,
} from '../__testUtils__/requestParts';
import {
  SignedBackend,
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { temporaryFolder } from '../__testUtils__/temporaryFolder';
import { webSocketPlugin } from '../__testUtils__/webSocketPlugin';
import { TokenCache, TokenVerifier } from '../../gate/verify/TokenCache';
import { KeyEndpoints } from '../../gate/verify/KeyEndpoints';
import { Refusal, RefusalReason } from '../../gate/Refusal';
import { GateReport } from '../../operators/reports/GateReport';
import { Plugins } from '../../gate/plugins/Plugins';
import { DatabaseRevocationStore } from '../../store/revocations/DatabaseRevocationStore';

const backends = signedBackends();
jest.setTimeout(120_000);

const LIVE = '/api/live/ws';

/** A user whom an operator has signed out until later, one who has signed out, and one who has not. */
const USERS = ['kept out', 'signed out', 'signed in'] as const;
type User = (typeof USERS)[number];

/** The credentials of a user, and the token of another one. */
interface Tokens {
  own: string;
  /** The header line with Backstage's own cookie of the user. */
  stock: string;
  john: string;
}

const fail = (error: unknown) => async () => {
  throw error;
};

const onDisk = (directory: string) => ({
  backend: {
    database: { client: 'better-sqlite3', connection: { directory } },
  },
});

/** Runs statements on the database of the `auth` plugin. */
async function runSql(directory: string, ...statements: string[]) {
  const database = createKnex({
    client: 'better-sqlite3',
    connection: { filename: path.join(directory, 'auth.sqlite') },
    useNullAsDefault: true,
  });
  for (const statement of statements) {
    await database.raw(statement);
  }
  await database.destroy();
}

/** Starts a backend with a user who is signed out for the next hour. */
async function start(
  mode: string,
  features: BackendFeature[] = [],
  options: SignedBackendOptions = {},
) {
  const hello = openPlugin('hello');
  const live = webSocketPlugin('live', { '/ws': 'unauthenticated' });
  const app = openPlugin('app');
  const backend = await backends.start({
    ...options,
    features: [app.feature, hello.feature, live.feature, ...features],
    config: merge(
      { auth: { experimentalRefreshToken: { enabled: true } } },
      options.config,
    ),
    apiGate: {
      mode,
      allow: [
        { plugin: 'hello', path: '/public' },
        { plugin: 'live', path: '/first' },
      ],
      operators: ['user:development/guest'],
      signOut: { scope: 'user' },
    },
  });
  let users = 0;
  const issue = async (): Promise<Tokens> => {
    users += 1;
    const claims = { sub: `user:default/u${users}`, iat: now() - 60 };
    const own = await backend.sign(claims);
    const john = await backend.sign({ sub: `user:default/john${users}` });
    const stock = `Cookie: backstage-auth=${limitedTokenOf(own)}`;
    return { own, stock, john };
  };
  // Without handlers, the plugin listens from its first request on.
  // Goes in October 2027: releases before November 2026 have no WebSocket handlers.
  await backend.get('/api/live/first', bearer(await backend.guest()));
  const keepOut = async (userEntityRef: string) => {
    const end = new Date(Date.now() + 3600_000).toISOString();
    const body = { userEntityRef, until: end };
    const operator = await backend.guest();
    const { status } = await backend.post(REVOCATIONS, operator, body);
    expect(status).toBe(201);
  };
  const keptOut = await issue();
  await keepOut(claimsOf(keptOut.own).sub);
  return {
    ...backend,
    hello,
    keepOut,
    async tokensOf(user: User): Promise<Tokens> {
      const tokens = await issue();
      if (user === 'signed out') {
        const { status } = await backend.signOut(cookie(tokens.own));
        expect(status).toBe(204);
      }
      return user === 'kept out' ? { ...keptOut, john: tokens.john } : tokens;
    },
  };
}

type Backend = Awaited<ReturnType<typeof start>>;

describe.each(['report-only', 'enforce'])(
  '[P96] public routes and sockets, in %s',
  mode => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await start(mode);
    });
    afterAll(backends.stopAll);

    it.each<[string, (tokens: Tokens) => string, number, boolean]>([
      ['bearer token', ({ own }) => bearer(own), 401, false],
      ['cookie', ({ own }) => cookie(own), 200, false],
      ["Backstage's own cookie", ({ stock }) => stock, 200, true],
    ])(
      'a public route treats the %s as in enforce',
      async (_, lineOf, status, isForwarded) => {
        const { hello, statusOf, tokensOf } = backend;
        for (const user of USERS) {
          const line = lineOf(await tokensOf(user));
          const before = hello.handled.length;
          const statuses = [
            await statusOf('/api/hello/public', line),
            await statusOf('/api/auth/guest/refresh', line),
          ];
          const [{ headers } = { headers: {} }] = hello.handled.slice(before);
          const isOther = user === 'signed in';
          expect({ user, statuses, hasCookie: 'cookie' in headers }).toEqual({
            user,
            statuses: isOther ? [200, 200] : [status, status],
            hasCookie: isOther && isForwarded,
          });
        }
      },
    );

    it('a browser with an ended cookie loads the frontend, and signs in again', async () => {
      const { get, guest, signOut, statusOf } = backend;
      const ended = cookie(await guest());
      expect((await signOut(ended)).status).toBe(204);
      expect(await statusOf('/', ended)).toBe(200);
      expect(await statusOf('/api/app/static/x.js', ended)).toBe(200);
      const { status, headers } = await get('/api/hello/x', ended);
      expect([status, headers['set-cookie']]).toEqual([
        401,
        expect.stringContaining('token=;'),
      ]);
      // The sign-out ends all tokens of its second.
      await new Promise(resolve => setTimeout(resolve, 1_100));
      const { body } = await get('/api/auth/guest/refresh', ended);
      const { token } = JSON.parse(body).backstageIdentity;
      const again = await get('/api/hello/x', bearer(token), ended);
      expect([again.status, again.headers['set-cookie']]).toEqual([
        200,
        expect.stringContaining(`token=${token};`),
      ]);
    });

    it.each(['until later', 'of a session'])(
      'a sign-out %s closes open sockets',
      async kind => {
        const { own, john } = await backend.tokensOf('signed in');
        const open = (...lines: string[]) => backend.upgrade(LIVE, ...lines);
        const opened = await open(bearer(own));
        const other = await open(bearer(john));
        expect([opened.status, other.status]).toEqual([101, 101]);
        await (kind === 'until later'
          ? backend.keepOut(claimsOf(own).sub)
          : backend.signOut(cookie(own)));
        await opened.closed;
        expect(other.isClosed()).toBe(false);
        other.destroy();
      },
    );
  },
);

describe('in report-only', () => {
  afterEach(() => jest.restoreAllMocks());
  afterEach(backends.stopAll);

  it('[P96] a request that is refused for another reason goes on, and nobody authenticates by an ended session behind the gate', async () => {
    const closed = recordingPlugin('closed');
    const { statusOf, tokensOf } = await start('report-only', [closed.feature]);
    for (const user of USERS) {
      const { own } = await tokensOf(user);
      const twice = [bearer(own), 'Authorization: Bearer x'];
      expect(await statusOf('/api/hello/x', ...twice)).toBe(200);
      expect(await statusOf('/api/closed/x', ...twice)).toBe(
        user === 'signed in' ? 200 : 401,
      );
    }
  });

  it('[P96] a mount of the app that leads around the gate is as without it, whoever has signed out', async () => {
    const { hello, statusOf, tokensOf } = await start('report-only', [
      rootHttpRouterServiceFactory({ indexPath: '/api/hello' }),
    ]);
    const before = hello.handled.length;
    for (const user of USERS) {
      const { own } = await tokensOf(user);
      expect(await statusOf('/elsewhere', bearer(own))).toBe(200);
    }
    expect(hello.handled.length - before).toBe(USERS.length);
  });

  it('[P97] a list that is not loaded refuses nobody', async () => {
    jest
      .spyOn(DatabaseRevocationStore.prototype, 'read')
      .mockRejectedValue(new Error('The database is gone'));
    const { statusOf, tokensOf } = await start('report-only');
    const { own, stock } = await tokensOf('signed in');
    for (const line of [bearer(own), cookie(own), stock]) {
      for (const target of ['/api/hello/x', '/api/hello/public']) {
        expect(await statusOf(target, line)).toBe(200);
      }
    }
    jest.restoreAllMocks();
  });

  it('[P97] a list that is at fault is emptied as the page has it, and then refuses nobody', async () => {
    const directory = temporaryFolder();
    const options = { port: await freePort(), config: onDisk(directory) };
    const before = await start('report-only', [], options);
    const ended = [
      await before.tokensOf('kept out'),
      await before.tokensOf('signed out'),
    ];
    const statuses = ({ statusOf }: SignedBackend) =>
      Promise.all(
        ended.map(({ own }) => statusOf('/api/hello/x', bearer(own))),
      );
    expect(await statuses(before)).toEqual([401, 401]);
    await backends.stopAll();
    const [sql] = blocksAfter(
      'docs/switch-off.md',
      'If the list is at fault',
      'sql',
    );
    await runSql(directory, sql);
    const after = await backends.start({
      ...options,
      apiGate: { mode: 'report-only' },
      features: [openPlugin('hello').feature],
    });
    expect(await statuses(after)).toEqual([200, 200]);
  });

  /** The reasons for which a token can't be verified now. What is behind the gate can't verify it either. */
  it.each<[RefusalReason, (verifier: TokenVerifier) => void]>([
    [
      'keys-unavailable',
      verifier => {
        jest
          .spyOn(KeyEndpoints.prototype, 'hasKeysOf')
          .mockImplementation(fail(Refusal.because('keys-unavailable')));
        verifier.find = fail(new AuthenticationError('Not verified'));
      },
    ],
    [
      'starting',
      () =>
        jest.spyOn(Plugins.prototype, 'userKeysPlugin').mockReturnValue({
          isUp: () => false,
          started: fail(new ServiceUnavailableError('Not up')),
        } as never),
    ],
  ])(
    'the token of a user who is signed out that can not be verified now goes on: %s',
    async (reason, during) => {
      const decided = jest.spyOn(GateReport.prototype, 'decided');
      const verifiers = jest.spyOn(TokenCache.prototype, 'verifierFor');
      const { hello, statusOf, tokensOf } = await start('report-only');
      const { own } = await tokensOf('kept out');
      for (const { value: verifier } of verifiers.mock.results) {
        verifier.look = () => undefined;
        during(verifier);
      }
      decided.mockClear();
      expect(await statusOf('/api/hello/x', bearer(own))).toBe(200);
      expect(decided.mock.calls.map(([, decision]) => decision)).toMatchObject([
        { outcome: 'would-refuse', reason },
      ]);
      expect(hello.handled).toHaveLength(1);
    },
  );
});
