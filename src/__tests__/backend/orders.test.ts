import path from 'node:path';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import {
  BackendFeature,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import {
  AuthenticationError,
  ServiceUnavailableError,
} from '@backstage/errors';
import createKnex from 'knex';
import { map, merge } from 'lodash';
import { blocksAfter } from '../__testUtils__/documents';
import { flakyDatabase } from '../__testUtils__/flakyDatabase';
import { createForge } from '../__testUtils__/forge';
import { accessWith, staticToken } from '../__testUtils__/externalAccess';
import { freePort } from '../__testUtils__/freePort';
import { limitedTokenOf } from '../__testUtils__/limitedTokenOf';
import { openPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  claimsOf,
  cookie,
  COOKIE_ENDPOINT,
  forge,
  from,
  now,
  protocol,
  REVOCATIONS,
  SAME_ORIGIN,
} from '../__testUtils__/requestParts';
import {
  SignedBackend,
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { discovery } from '../__testUtils__/startBackend';
import { temporaryFolder } from '../__testUtils__/temporaryFolder';
import { webSocketPlugin } from '../__testUtils__/webSocketPlugin';
import { TokenCache, TokenVerifier } from '../../gate/verify/TokenCache';
import { KeyEndpoints } from '../../gate/verify/KeyEndpoints';
import { Refusal, RefusalReason, REFUSALS } from '../../gate/Refusal';
import { GateReport } from '../../operators/reports/GateReport';
import { LONGEST_SESSION_SECONDS } from '../../gate/sessions/Revocation';
import { Plugins } from '../../gate/plugins/Plugins';
import { rootSystemMetadataServiceRef } from '../../backstage/backstageFeatures';
import { DatabaseRevocationStore } from '../../store/revocations/DatabaseRevocationStore';

const backends = signedBackends();
jest.setTimeout(120_000);

const CI = 'a-token-for-one-path';
const ENDED = 'a-token-that-has-ended';
const HELLO = 'GET /api/hello/x';
const LIVE = '/api/live/ws';
const ANY_STATUS = expect.any(Number);
const SIGN_OUT = `DELETE /api/hello${COOKIE_ENDPOINT}`;

/** The users whose valid token stands beside what a request is refused for. */
const USERS = ['kept out', 'signed out', 'signed in'] as const;
type User = (typeof USERS)[number];

/** The credentials that a request may present: the user's, and others that say nothing about the user. */
interface Tokens {
  own: string;
  /** The user's valid token of an issuer that is not trusted. */
  untrusted: string;
  /** The header line with Backstage's own cookie of the user. */
  stock: string;
  john: string;
  forged: string;
  /** A token of a plugin in another backend, whose key endpoint fails. */
  remote: string;
  /** A token of a plugin that the gate looks up among those of other backends. */
  unknown: string;
}

/** The backends that the requests are sent to. */
type Scene = 'usual' | 'list not loaded';

interface Case {
  /** The header lines of a request; `undefined` where no request is refused for the reason. */
  request?: (tokens: Tokens) => string[];
  /** Default: a request to a handler. */
  to?: string;
  upgrade?: (tokens: Tokens) => string[];
  /** Default: a WebSocket handler. */
  upgradeTo?: string;
  /** A request that goes on reaches no handler: what answers it depends on the release. */
  hasNoHandler?: boolean;
  /** Fails while the request is sent. */
  fault?: 'database' | 'offlineSessions' | 'system';
  /** The backend that refuses for the reason. Default: the usual one. */
  at?: Scene;
}

const fail = (error: unknown) => async () => {
  throw error;
};

/** A request and an upgrade that the gate refuses for each reason, with the valid token of a user beside what is wrong. */
const CASES: Record<RefusalReason, Case> = {
  'missing-credentials': {
    request: ({ stock }) => [stock],
    upgrade: ({ stock }) => [stock],
  },
  'invalid-token': {
    request: ({ forged, stock }) => [bearer(forged), stock],
    upgrade: ({ forged, stock }) => [protocol(forged), stock],
  },
  'untrusted-issuer': {
    request: ({ untrusted }) => [bearer(untrusted)],
    upgrade: ({ untrusted }) => [protocol(untrusted)],
  },
  'unsupported-scheme': {
    request: ({ own }) => [`Authorization: Token ${own}`],
    upgrade: ({ own }) => [`Authorization: Token ${own}`],
  },
  'too-many-tokens': {
    to: 'GET /api/hello/foreign',
    request: ({ john, own }) => [
      cookie(john),
      `Authorization: Digest eyJa, eyJb, eyJc, eyJd, eyJe, ${own}`,
    ],
    upgrade: ({ own }) => [protocol('a', 'b', 'c', 'd', 'e', own)],
  },
  'conflicting-cookies': {
    request: ({ own }) => [`Cookie: token=other; token=${own}`],
    upgrade: ({ own }) => [`Cookie: token=other; token=${own}`],
  },
  revoked: {
    request: ({ own }) => [bearer(own)],
    upgrade: ({ own }) => [protocol(own)],
  },
  'repeated-authorization': {
    request: ({ own }) => ['Authorization: Bearer x', bearer(own)],
    upgrade: ({ own }) => [bearer(own), 'Authorization: Bearer x'],
  },
  'cross-site': {
    request: ({ own }) => [cookie(own), from('https://other.example.com')],
    upgrade: ({ own }) => [cookie(own)],
  },
  'unsafe-destination': {
    request: ({ own }) => [cookie(own), SAME_ORIGIN, 'Sec-Fetch-Dest: script'],
  },
  restricted: {
    request: ({ stock }) => [bearer(CI), stock],
    upgrade: ({ own }) => [protocol(CI), bearer(own)],
  },
  'token-ended': {
    request: ({ stock }) => [bearer(ENDED), stock],
    upgrade: ({ own }) => [protocol(ENDED), bearer(own)],
  },
  starting: {
    to: 'GET /api/late/x',
    request: ({ own }) => [bearer(own)],
    upgrade: ({ own }) => [protocol(own)],
    upgradeTo: '/api/late/ws',
    hasNoHandler: true,
  },
  'keys-unavailable': {
    request: ({ remote, stock }) => [bearer(remote), stock],
    upgrade: ({ remote, stock }) => [protocol(remote), stock],
  },
  'revocations-unavailable': {
    at: 'list not loaded',
    request: ({ john, stock }) => [bearer(john), stock],
    upgrade: ({ john, own }) => [protocol(john), bearer(own)],
  },
  'sign-out-not-stored': {
    to: SIGN_OUT,
    request: ({ own }) => [cookie(own), SAME_ORIGIN],
    fault: 'database',
  },
  'sign-out-incomplete': {
    to: SIGN_OUT,
    request: ({ john, own }) => [cookie(own), bearer(john), SAME_ORIGIN],
    fault: 'offlineSessions',
  },
  failed: {
    request: ({ stock, unknown }) => [bearer(unknown), stock],
    upgrade: ({ own, unknown }) => [protocol(unknown), bearer(own)],
    fault: 'system',
  },
};

const REASONS = Object.keys(REFUSALS) as RefusalReason[];

/** Breaks the route of the `auth` plugin that ends refresh tokens, while `isGone`. */
function flakyOfflineSessions() {
  const state = {
    isGone: false,
    feature: rootHttpRouterServiceFactory({
      configure({ app, applyDefaults }) {
        app.use('/api/auth/v1/offline-sessions/revoke', (_req, res, next) =>
          state.isGone ? res.sendStatus(500) : next(),
        );
        applyDefaults();
      },
    }),
  };
  return state;
}

/** Replaces the service that lists the plugins of other backends, and breaks it while `isGone`. */
function flakySystem() {
  const state = {
    isGone: false,
    feature: createServiceFactory({
      service: rootSystemMetadataServiceRef,
      deps: {},
      factory: () => ({
        async getInstalledPlugins() {
          if (state.isGone) {
            throw new TypeError('not thought of');
          }
          return [{ pluginId: 'remote' }];
        },
      }),
    }),
  };
  return state;
}

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

/** Creates a database with a list of revocations whose first page has a user, and whose second page can't be read. */
async function createBrokenList(sub: string): Promise<string> {
  const directory = temporaryFolder();
  const iat = now() + 3600;
  const exp = iat + LONGEST_SESSION_SECONDS;
  await runSql(
    directory,
    'create table list (id, scope, sub, iat, exp, recorded_at, primary key (recorded_at, id)) without rowid',
    `insert into list values ('a', 'user', '${sub}', ${iat}, ${exp}, 1)`,
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000)
      insert into list select printf('%04d', i), 'session', 'user:default/other', i, ${exp}, 2 from n`,
    `create view api_gate_revocations as
      select id, scope, iif(id = '1000', json(sub), sub) as sub, iat, exp, recorded_at from list`,
  );
  return directory;
}

/**
 * Starts a backend with a user who is signed out for the next hour.
 *
 * @param options.isListBroken - whether the database can read only a part of the list of revocations
 */
async function start(
  mode: string,
  features: BackendFeature[] = [],
  {
    isListBroken = false,
    ...options
  }: SignedBackendOptions & { isListBroken?: boolean } = {},
) {
  const KEPT_OUT = 'user:default/u1';
  const hello = openPlugin('hello');
  const live = webSocketPlugin('live', {
    '/ws': 'unauthenticated',
  });
  const late = webSocketPlugin('late', { '/ws': 'unauthenticated' }, () => {
    throw new Error('It does not come up');
  });
  const remote = await backends.serve((_req, res) => {
    res.statusCode = 500;
    res.end();
  });
  const app = openPlugin('app');
  const backend = await backends.start({
    ...options,
    features: [
      ...[app.feature, hello.feature, live.feature, late.feature],
      ...features,
    ],
    config: merge(
      accessWith(staticToken(CI, 'ci'), staticToken(ENDED, 'ended')),
      discovery(remote, 'remote'),
      {
        auth: { experimentalRefreshToken: { enabled: true } },
        backend: {
          lifecycle: { startupRequestPauseTimeout: { milliseconds: 100 } },
          startup: { plugins: { late: { onPluginBootFailure: 'continue' } } },
        },
      },
      isListBroken && onDisk(await createBrokenList(KEPT_OUT)),
      options.config,
    ),
    apiGate: {
      mode,
      allow: [{ plugin: 'hello', path: '/public' }],
      operators: ['user:development/guest'],
      foreignAuthorization: [{ plugin: 'hello', path: '/foreign' }],
      signOut: { scope: 'user' },
      tokens: [
        {
          subject: 'ci',
          only: [
            { plugin: 'hello', path: '/other' },
            { plugin: 'live', path: '/first' },
          ],
        },
        { subject: 'ended', only: 'all', until: '2020-01-01' },
      ],
    },
  });
  const ofPlugin = (sub: string, aud: string) =>
    createForge(backends.key, '').token({
      header: { typ: 'vnd.backstage.plugin' },
      claims: { sub, aud },
    });
  let users = 0;
  const issue = async (): Promise<Tokens> => {
    users += 1;
    const claims = { sub: `user:default/u${users}`, iat: now() - 60 };
    const own = await backend.sign(claims);
    const john = await backend.sign({ sub: `user:default/john${users}` });
    return {
      own,
      untrusted: await backend.sign({ ...claims, iss: 'https://other' }),
      stock: `Cookie: backstage-auth=${limitedTokenOf(own)}`,
      john,
      forged: forge(john),
      remote: ofPlugin('remote', 'hello'),
      unknown: ofPlugin('unknown', 'hello'),
    };
  };
  // Without handlers, the plugin listens from its first request on.
  // Goes in October 2027: releases before November 2026 have no WebSocket handlers.
  await backend.get('/api/live/first', bearer(CI));
  const keepOut = async (userEntityRef: string) => {
    const end = new Date(Date.now() + 3600_000).toISOString();
    const body = { userEntityRef, until: end };
    const operator = await backend.guest();
    const { status } = await backend.post(REVOCATIONS, operator, body);
    expect(status).toBe(201);
  };
  const keptOut = await issue();
  if (!isListBroken) {
    await keepOut(KEPT_OUT);
  }
  return {
    ...backend,
    hello,
    keepOut,
    handled: () =>
      hello.handled.length + live.handled.length + late.handled.length,
    async tokensOf(user: User): Promise<Tokens> {
      const { john, forged, ...tokens } = await issue();
      if (user === 'signed out') {
        const { status } = await backend.signOut(cookie(tokens.own));
        // It is in force at this replica, also where the list can't be written.
        expect(status).toBe(isListBroken ? 503 : 204);
      }
      return { ...tokens, ...(user === 'kept out' && keptOut), john, forged };
    },
  };
}

type Backend = Awaited<ReturnType<typeof start>>;

describe.each(['report-only', 'enforce'])(
  '[P96] a request that is refused anyway, in %s',
  mode => {
    let scenes: Record<Scene, Backend>;
    const decided = jest.fn<void, Parameters<GateReport['decided']>>();
    function recordDecisions() {
      const { prototype } = GateReport;
      const report = prototype.decided;
      jest.spyOn(prototype, 'decided').mockImplementation(function record(
        this: GateReport,
        ...args
      ) {
        decided(...args);
        return report.apply(this, args);
      });
    }
    const faults = {
      database: flakyDatabase(),
      offlineSessions: flakyOfflineSessions(),
      system: flakySystem(),
    };
    beforeAll(async () => {
      recordDecisions();
      scenes = {
        usual: await start(mode, map(faults, 'feature')),
        'list not loaded': await start(mode, [], { isListBroken: true }),
      };
    });
    afterAll(() => jest.restoreAllMocks());
    afterAll(backends.stopAll);

    /** Sends a request or an upgrade, and returns its status, the gate's decision, and whether a handler ran. */
    async function send(door: 'request' | 'upgrade', sent: Case, user: User) {
      const { at = 'usual', fault, to = HELLO, upgradeTo = LIVE } = sent;
      const backend = scenes[at];
      const lines = sent[door]!(await backend.tokensOf(user));
      const before = backend.handled();
      const breakFault = (isGone: boolean) =>
        fault && Object.assign(faults[fault], { isGone });
      breakFault(true);
      decided.mockClear();
      const [method, target] = to.split(' ');
      const { status } =
        door === 'upgrade'
          ? await backend.upgradeOnce(upgradeTo, ...lines)
          : await backend.request(method, target, lines);
      breakFault(false);
      // The backend fetches its keys over HTTP, too.
      const { outcome, reason } = decided.mock.calls
        .map(([, decision]) => decision)
        .find(({ plugin }) => plugin !== 'auth')!;
      return {
        status,
        decision: `${outcome}: ${reason}`,
        ran: backend.handled() > before,
      };
    }

    const rows = REASONS.flatMap(reason =>
      (['request', 'upgrade'] as const)
        .filter(door => CASES[reason][door])
        .map(door => ({ reason, door })),
    );

    it.each(rows)(
      'no handler gets the token of a user who is signed out beside $reason, as $door',
      async ({ door, reason }) => {
        const sent = CASES[reason];
        for (const user of ['kept out', 'signed out'] as const) {
          const isOrder = mode === 'report-only' && sent.to !== SIGN_OUT;
          const refusal = isOrder ? 'revoked' : reason;
          expect(await send(door, sent, user)).toEqual({
            status: REFUSALS[refusal].status,
            decision: `refused: ${refusal}`,
            ran: false,
          });
        }
      },
    );

    it.each(rows)(
      'the token of another user is treated as before beside $reason, as $door',
      async ({ door, reason }) => {
        const sent = CASES[reason];
        // A sign-out is an order itself, whose answer says that it is not in force everywhere.
        const goesOn = mode === 'report-only' && sent.to !== SIGN_OUT;
        const passes = {
          status: sent.hasNoHandler
            ? ANY_STATUS
            : { request: 200, upgrade: 101 }[door],
          ran: !sent.hasNoHandler,
        };
        const refused = { status: REFUSALS[reason].status, ran: false };
        expect(await send(door, sent, 'signed in')).toEqual(
          // The order itself: no request of another user is refused for it.
          reason === 'revoked'
            ? { ...passes, decision: 'passed: bearer' }
            : {
                ...(goesOn ? passes : refused),
                decision: `${goesOn ? 'would-refuse' : 'refused'}: ${reason}`,
              },
        );
      },
    );
  },
);

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
        const opened = [await open(protocol(own))];
        if (mode === 'report-only') {
          // The gate would refuse this one, and a handler may read the second token.
          opened.push(await open('Authorization: Bearer x', bearer(own)));
        }
        const other = await open(protocol(john));
        expect([...opened, other].map(({ status }) => status)).toEqual(
          Array(opened.length + 1).fill(101),
        );
        await (kind === 'until later'
          ? backend.keepOut(claimsOf(own).sub)
          : backend.signOut(cookie(own)));
        await Promise.all(opened.map(({ closed }) => closed));
        expect(other.isClosed()).toBe(false);
        other.destroy();
      },
    );
  },
);

describe('in report-only', () => {
  afterEach(() => jest.restoreAllMocks());
  afterEach(backends.stopAll);

  it('[P96] a mount of the app that leads around the gate is as without it, whoever has signed out', async () => {
    const { handled, statusOf, tokensOf } = await start('report-only', [
      rootHttpRouterServiceFactory({ indexPath: '/api/hello' }),
    ]);
    const before = handled();
    for (const user of USERS) {
      const { own } = await tokensOf(user);
      expect(await statusOf('/elsewhere', bearer(own))).toBe(200);
    }
    expect(handled() - before).toBe(USERS.length);
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

it('[P96] the table has each reason, as a request, and all but these as an upgrade', () => {
  expect(Object.keys(CASES).sort()).toEqual([...REASONS].sort());
  const lacking = (door: 'request' | 'upgrade') =>
    REASONS.filter(reason => !CASES[reason][door]);
  expect(lacking('request')).toEqual([]);
  expect(lacking('upgrade')).toEqual([
    'unsafe-destination',
    'sign-out-not-stored',
    'sign-out-incomplete',
  ]);
});
