import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import permissionPlugin from '@backstage/plugin-permission-backend';
import allowAllPolicy from '@backstage/plugin-permission-backend-module-allow-all-policy';
import { RemoteConfigSource } from '@backstage/config-loader';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { stringify } from 'yaml';
import {
  configFromFiles,
  configFromSource,
} from '../__testUtils__/configFromFiles';
import { latch } from '../__testUtils__/latch';
import { rawRequest } from '../__testUtils__/rawRequest';
import { recordingAuditor } from '../__testUtils__/recordingAuditor';
import { openPlugin, recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, cookie, from, POLICY } from '../__testUtils__/requestParts';
import { until } from '../__testUtils__/until';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { freePort } from '../__testUtils__/freePort';
import { backendConfig } from '../__testUtils__/startBackend';
import { temporaryFolder } from '../__testUtils__/temporaryFolder';

const backends = signedBackends();
afterEach(backends.stopAll);

const providers = { 'signs-in': { signIn: {} } };

async function start(
  options: SignedBackendOptions & { audit?: object[] } = {},
) {
  const { audit, features = [], config, ...others } = options;
  const hello = openPlugin('hello');
  const closed = recordingPlugin('closed', {
    policies: [
      { path: '/ping', allow: 'unauthenticated' },
      { path: '/users/:id/avatar', allow: 'unauthenticated' },
      { path: '/static', allow: 'user-cookie' },
    ],
  });
  const backend = await backends.start({
    ...others,
    features: [
      hello.feature,
      closed.feature,
      ...(audit ? [recordingAuditor(audit)] : []),
      ...features,
    ],
    config: { ...config, auth: { providers } },
  });
  return {
    ...backend,
    hello,
    closed,
    readPolicy: async () => backend.policy(await hello.tokenFor('auth')),
  };
}

describe('report-only', () => {
  const apiGate = {
    mode: 'report-only',
    allow: [{ plugin: 'closed', path: '/health' }],
  };

  it('is never more open, nor more closed, than the backend without the gate', async () => {
    const [stock, reporting] = [
      await start({ withGate: false }),
      await start({ apiGate }),
    ];
    let users = 0;
    // Some of the requests sign their user out, and report-only refuses that user from then on.
    const headersOf = async (backend: typeof stock) => {
      users += 1;
      const token = await backend.sign({ sub: `user:default/u${users}` });
      const forged = await backend.sign({ iss: 'https://evil.example.com' });
      const expired = await backend.sign({ exp: 1_700_000_000 });
      return [
        [],
        [bearer(token)],
        [bearer(expired)],
        [bearer('x')],
        ['Authorization: Basic x'],
        [bearer(token), bearer('x')],
        [cookie(expired)],
        [cookie(forged)],
        [cookie('x; token=y')],
        [cookie(token), 'Sec-Fetch-Site: cross-site'],
      ];
    };
    for (const method of ['POST', 'DELETE']) {
      for (const target of [
        '/api/hello/x',
        '/api/closed/x',
        '/api/closed/health',
        '/api/closed/ping',
        '/api/nosuchplugin/x',
        '/api/closed/.backstage/auth/v1/cookie',
        '/api/auth/signs-in/logout',
      ]) {
        for (let i = 0; i < 10; i += 1) {
          const [expected, actual] = [
            await stock.request(method, target, (await headersOf(stock))[i]),
            await reporting.request(
              method,
              target,
              (await headersOf(reporting))[i],
            ),
          ];
          expect([method, target, i, actual.status]).toEqual([
            method,
            target,
            i,
            expected.status,
          ]);
        }
      }
    }
    expect(reporting.closed.handled.length).toBe(stock.closed.handled.length);
    expect(reporting.hello.handled.length).toBe(stock.hello.handled.length);
    for (const { headers } of reporting.hello.handled) {
      expect(headers.cookie).toBeUndefined();
    }
  });

  it('decides, counts and logs as it would, and forwards a valid cookie', async () => {
    const backend = await start({ apiGate });
    const token = await backend.sign();
    expect(await backend.statusOf('/api/hello/a/b')).toBe(200);
    expect(await backend.statusOf('/api/hello/a/c?x=secret')).toBe(200);
    expect(await backend.statusOf('/api/closed/x')).toBe(401);
    expect(await backend.statusOf('/api/closed/health')).toBe(401);
    expect(await backend.statusOf('/api/closed/x', cookie(token))).toBe(200);
    const report = await backend.readPolicy();
    expect(report).toMatchObject({ mode: 'report-only', enforced: false });
    expect(
      report.refusals.last.map(each => [
        ...[each.plugin, each.path, each.answer],
      ]),
    ).toEqual([
      ['closed', '/x', 'refused'],
      ['hello', '/a/c', 'worked'],
      ['hello', '/a/b', 'worked'],
    ]);
    expect(report.opensBeyondPlugins).toMatchObject([{ path: '/health' }]);
    expect(
      backend.logged('API gate would have refused a request')[0].meta,
    ).toEqual({
      plugin: 'hello',
      reason: 'missing-credentials',
      method: 'GET',
      path: '/a/b',
      answer: 'worked',
      status: 200,
      requests: 1,
      decision: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    expect(backend.logged('refuses only ended sessions', 'warn')).toHaveLength(
      1,
    );
    expect(JSON.stringify(report)).not.toContain('secret');
  });

  it('ends at `until`, without a restart', async () => {
    const instant = new Date(Date.now() + 3_000);
    const backend = await start({
      apiGate: { ...apiGate, until: instant.toISOString() },
    });
    expect(await backend.statusOf('/api/hello/x')).toBe(200);
    expect(await backend.statusOf('/api/closed/health')).toBe(401);
    await until(() => Date.now() > +instant);
    expect(await backend.statusOf('/api/hello/x')).toBe(401);
    // The plugin's own credentials barrier is open for the rule now.
    await until(
      async () => (await backend.statusOf('/api/closed/health')) === 200,
    );
    expect(await backend.readPolicy()).toMatchObject({ enforced: true });
  });

  it('that ends while a request waits for its plugin lets that one through no further', async () => {
    const { open, opened } = latch();
    const slow = recordingPlugin('slow', { init: () => opened });
    const port = await freePort();
    const instant = new Date(Date.now() + 2_000);
    const starting = start({
      port,
      features: [slow.feature],
      config: {
        backend: {
          lifecycle: { startupRequestPauseTimeout: { milliseconds: 1_500 } },
        },
      },
      apiGate: {
        mode: 'report-only',
        until: instant.toISOString(),
        allow: [{ plugin: 'slow', path: '/health' }],
      },
    });
    await until(() => Date.now() > +instant - 700);
    const answers = [0, 1, 2, 3].map(() =>
      rawRequest(port, '/api/slow/health/sub', { method: 'POST' }).catch(
        () => undefined,
      ),
    );
    await until(() => Date.now() > +instant + 1_200);
    open();
    await starting;
    const statuses = (await Promise.all(answers)).map(answer => answer?.status);
    expect(statuses).not.toContain(200);
    expect(slow.handled).toHaveLength(0);
  });

  it('that has ended before the start is enforced', async () => {
    const backend = await start({
      apiGate: { ...apiGate, until: '2026-01-01' },
    });
    expect(await backend.statusOf('/api/hello/x')).toBe(401);
    expect(await backend.statusOf('/api/closed/health')).toBe(200);
  });
});

describe('the policy report', () => {
  const apiGate = {
    allow: [
      { plugin: 'closed', path: '/health', reason: 'The load balancer asks' },
      { plugin: 'nosuchplugin', path: '/x' },
    ],
  };

  it('is logged at the start in one block', async () => {
    const { logged } = await start({ apiGate });
    const blocks = logged('API gate: enforce');
    expect(blocks).toHaveLength(1);
    const text = blocks[0].message.replace(/localhost:\d+/, 'localhost');
    expect(text).toMatchInlineSnapshot(`
     "API gate: enforce
       Public by rule:
         GET /api/closed/health  (The load balancer asks)
         GET /api/nosuchplugin/x  (not installed in this backend: a misspelling, or a plugin of another one)
       Public without a rule:
         GET /api/app/**  (the frontend, except /.backstage/auth/v1/cookie)
         GET,POST,PUT,PATCH,DELETE /api/auth/**  (sign-in, except /api-gate and /.backstage/auth/v1/cookie)
         GET /api/*/.backstage/auth/v1/jwks.json  (keys that verify tokens)
         DELETE /api/*/.backstage/auth/v1/cookie  (sign-out)
       Lists, by file:
         auth.apiGate.allow: 2 of mock-config
       Declared open by plugins, and closed by the gate, except for what your rules name:
         closed /ping and /ping/**, any method, to everybody
         closed /users/*/avatar and /users/*/avatar/**, any method, to everybody
         closed /static and /static/**, any method, to Backstage's own cookie, which still opens it
         hello /**, any method, to everybody
       As a page, for operators: http://localhost/api/auth/api-gate/"
    `);
  });

  it('is returned as JSON to services, and to no user', async () => {
    const backend = await start({ apiGate });
    const user = bearer(await backend.sign());
    expect(await backend.statusOf(POLICY)).toBe(401);
    expect(await backend.statusOf(POLICY, user)).toBe(403);
    const report = await backend.readPolicy();
    expect(report).toMatchObject({
      hash: expect.stringMatching(/^[0-9a-f]{12}$/),
      loadedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      mode: 'enforce',
      enforced: true,
      needsRestart: [],
      allow: [
        { path: '/health', reason: 'The load balancer asks', installed: true },
        { plugin: 'nosuchplugin', installed: false },
      ],
      unknown: [],
    });
    expect(
      report.closed.map(({ plugin, paths }) => [plugin, ...paths]),
    ).toEqual([
      ['closed', '/ping', '/ping/**'],
      ['closed', '/users/*/avatar', '/users/*/avatar/**'],
      ['closed', '/static', '/static/**'],
      ['hello', '/**'],
    ]);
    expect(report.refusals.last).toMatchObject([
      { plugin: 'auth', outcome: 'refused', reason: 'missing-credentials' },
    ]);
  });

  it('[P18] is returned to operators alone, where the policy allows everything to everybody', async () => {
    for (const [operators, expected] of [
      [[], 403],
      [['user:default/jane', 'group:default/guests'], 403],
      [['User:Development/Guest'], 200],
    ] as const) {
      const backend = await start({
        features: [permissionPlugin, allowAllPolicy],
        config: { permission: { enabled: true } },
        apiGate: { operators: [...operators] },
      });
      const guest = bearer(await backend.guest());
      expect(await backend.statusOf(POLICY, guest)).toBe(expected);
    }
  });
});

describe('a change of the configuration', () => {
  /** @param stronger - a second file, which replaces lists of the first */
  async function startWithFile(
    apiGate: JsonObject,
    stronger?: JsonObject,
    baseUrl?: string,
  ) {
    const folder = temporaryFolder();
    const file = path.join(folder, 'app-config.yaml');
    const strongerFile = path.join(folder, 'app-config.production.yaml');
    const port = await freePort();
    // Replace the file in one step, so that no half of it is read.
    const writeText = async (text: string) => {
      await writeFile(`${file}.new`, text);
      await rename(`${file}.new`, file);
    };
    const write = (changed: JsonObject) =>
      writeText(
        stringify(
          merge(backendConfig(port), {
            backend: baseUrl && { baseUrl },
            auth: {
              ...(backends.key.config.auth as JsonObject),
              providers,
              apiGate: changed,
            },
          }),
        ),
      );
    await write(apiGate);
    if (stronger) {
      await writeFile(strongerFile, stringify({ auth: { apiGate: stronger } }));
    }
    const audit: { eventId: string; status: string; error?: Error }[] = [];
    const backend = await start({
      port,
      audit,
      rootConfig: configFromFiles(
        [
          ...['--config', file],
          ...(stronger ? ['--config', strongerFile] : []),
        ],
        backends.add,
      ),
    });
    return { ...backend, audit, file, write, writeText };
  }

  it('[P3] takes effect without a restart, and a wrong one changes nothing', async () => {
    const rule = { plugin: 'closed', path: '/health' };
    const backend = await startWithFile({});
    expect(await backend.statusOf('/api/closed/health')).toBe(401);

    await backend.write({ allow: [rule] });
    await until(
      async () => (await backend.statusOf('/api/closed/health')) === 200,
    );

    await backend.write({ allow: [rule, { plugin: 'closed', path: 'wrong' }] });
    await until(async () => (await backend.readPolicy()).problem !== undefined);
    expect((await backend.readPolicy()).problem).toMatch(
      /^auth\.apiGate\.allow\[1\]\.path must/,
    );
    expect(await backend.statusOf('/api/closed/health')).toBe(200);
    expect(backend.logged('auth.apiGate.allow[1].path', 'error')).toHaveLength(
      1,
    );

    await backend.write({ allow: [] });
    await until(
      async () => (await backend.statusOf('/api/closed/health')) === 401,
    );
    const report = await backend.readPolicy();
    expect(report.problem).toBeUndefined();
    expect(report.allow).toEqual([]);
    // The gate closes the path; with a credential it is served as before.
    const token = await backend.sign();
    expect(await backend.statusOf('/api/closed/health', bearer(token))).toBe(
      200,
    );

    const reloads = backend.audit.filter(
      ({ eventId }) => eventId === 'api-gate-policy-reload',
    );
    expect(reloads.map(({ status }) => status)).toEqual([
      'initiated',
      'succeeded',
      'initiated',
      'failed',
      'initiated',
      'succeeded',
    ]);
    const { error } = reloads[3];
    expect(error?.message).toMatch(/^auth\.apiGate\.allow\[1\]\.path must/);
    expect(error?.stack).toBeUndefined();
  });

  it('[P100][P101] of a server takes effect too, unless it takes auth.apiGate away', async () => {
    const rule = { plugin: 'closed', path: '/health' };
    const port = await freePort();
    const withGate = (apiGate?: JsonObject) =>
      stringify(
        merge(backendConfig(port), backends.key.config, { auth: { apiGate } }),
      );
    let text = withGate({ allow: [rule] });
    const server = await backends.serve((_req, res) => res.end(text));
    const source = RemoteConfigSource.create({
      url: `http://localhost:${server}/app-config.yaml`,
      reloadInterval: { milliseconds: 200 },
    });
    const rootConfig = configFromSource(source, backends.add);
    const backend = await start({ port, rootConfig });
    expect(await backend.statusOf('/api/closed/health')).toBe(200);

    text = withGate();
    await until(async () => (await backend.readPolicy()).problem !== undefined);
    expect((await backend.readPolicy()).problem).toMatch(
      /^auth\.apiGate is gone from http/,
    );
    expect(await backend.statusOf('/api/closed/health')).toBe(200);

    text = withGate({ allow: [] });
    await until(
      async () => (await backend.statusOf('/api/closed/health')) === 401,
    );
    expect((await backend.readPolicy()).problem).toBeUndefined();
  });

  it('[P27] that has not reached a replica is found by the hash of its policy', async () => {
    const publicUrl = 'http://backstage.example.com';
    const rule = { plugin: 'closed', path: '/health' };
    const [following, left] = [
      await startWithFile({}, undefined, publicUrl),
      await startWithFile({}, undefined, publicUrl),
    ];
    const before = await left.readPolicy();
    expect((await following.readPolicy()).hash).toBe(before.hash);

    // Backstage may stop watching a file permanently, and without a message, when it has read a half of it.
    await left.writeText('auth: { apiGate: { allow: [');
    await new Promise(resolve => setTimeout(resolve, 1_500));
    const writtenAt = Date.now();
    await Promise.all([
      following.write({ allow: [rule] }),
      left.write({ allow: [rule] }),
    ]);
    await until(
      async () => (await following.readPolicy()).hash !== before.hash,
    );
    await new Promise(resolve => setTimeout(resolve, 1_500));
    const reports = await Promise.all([
      following.readPolicy(),
      left.readPolicy(),
    ]);
    expect(+new Date(reports[0].loadedAt)).toBeGreaterThanOrEqual(writtenAt);
    for (const report of reports) {
      // A later Backstage may continue to watch the file. The hash and the time show whether the change is in force.
      const isInForce = report.allow.length === 1;
      expect(report.problem).toBeUndefined();
      expect(report.hash === reports[0].hash).toBe(isInForce);
      expect(+new Date(report.loadedAt) >= writtenAt).toBe(isInForce);
      expect(report.loadedAt === before.loadedAt).toBe(!isInForce);
    }
    const { argv } = process;
    try {
      for (const backend of [following, left]) {
        process.argv = ['node', 'backend', '--config', backend.file];
        // The report may be one that was made before this command line.
        await until(async () => {
          const { allow, filesNewerThanPolicy: newer } =
            await backend.readPolicy();
          return (
            newer?.join() === (allow.length === 1 ? '' : 'app-config.yaml')
          );
        }, 12_000);
      }
    } finally {
      process.argv = argv;
    }
  });

  it('in a stronger file replaces a list as a whole, and the log of the start has both files', async () => {
    const rules = ['/a', '/b', '/c'].map(at => ({ plugin: 'hello', path: at }));
    const backend = await startWithFile(
      { allow: rules },
      { allow: [{ plugin: 'closed', path: '/health' }] },
    );
    expect(await backend.statusOf('/api/hello/a')).toBe(401);
    const line =
      'auth.apiGate.allow: 1 of app-config.production.yaml, in place of 3 of app-config.yaml: Backstage does not merge lists';
    expect(backend.logged(line, 'info')).toHaveLength(1);
    expect((await backend.readPolicy()).lists).toEqual([
      {
        path: 'auth.apiGate.allow',
        file: 'app-config.production.yaml',
        entries: 1,
        replaces: [{ file: 'app-config.yaml', entries: 3 }],
      },
    ]);
  });

  it('is not taken from a variable without a value, where a slash stands before it', async () => {
    process.env.API_GATE_TEST_EMPTY = '';
    try {
      const pathOf = (path_: string) => ({
        allow: [{ plugin: 'closed', path: path_ }],
      });
      await expect(
        startWithFile(pathOf('/${API_GATE_TEST_EMPTY}/**')),
      ).rejects.toThrow('auth.apiGate.allow[0].path has an empty segment');
      // This value leaves a rule that an operator may have written.
      const { logged } = await startWithFile(
        pathOf('${API_GATE_TEST_EMPTY}/**'),
      );
      expect(
        logged('makes the whole plugin closed public', 'warn').filter(
          ({ message }) => message.includes('that variable is empty'),
        ),
      ).toHaveLength(1);
    } finally {
      delete process.env.API_GATE_TEST_EMPTY;
    }
  });

  it('may trust an origin, but not loosen the mode or rename the cookie', async () => {
    const backend = await startWithFile({});
    const token = await backend.sign();
    const post = async () =>
      (
        await backend.request('POST', '/api/closed/x', [
          cookie(token),
          from('https://portal.example.com'),
        ])
      ).status;
    expect(await post()).toBe(403);
    await backend.write({
      cookie: { trustedOrigins: ['https://portal.example.com'] },
    });
    await until(async () => (await post()) === 200);

    await backend.write({ mode: 'report-only', cookie: { name: 'other' } });
    await until(
      async () => (await backend.readPolicy()).needsRestart.length === 2,
    );
    expect(await backend.readPolicy()).toMatchObject({
      enforced: true,
      mode: 'enforce',
      needsRestart: ['auth.apiGate.cookie', 'auth.apiGate.mode'],
    });
    expect(await backend.statusOf('/api/hello/x')).toBe(401);
    expect(await backend.statusOf('/api/hello/x', cookie(token))).toBe(200);
    expect(await post()).toBe(403);
    await backend.write({});
    await until(
      async () => (await backend.readPolicy()).needsRestart.length === 0,
    );
  });

  it('may switch from report-only to enforce', async () => {
    const allow = [{ plugin: 'closed', path: '/health' }];
    const backend = await startWithFile({ mode: 'report-only', allow });
    expect(await backend.statusOf('/api/hello/x')).toBe(200);
    expect(await backend.statusOf('/api/closed/health')).toBe(401);
    await backend.write({ allow });
    await until(async () => (await backend.statusOf('/api/hello/x')) === 401);
    expect(await backend.statusOf('/api/closed/health')).toBe(200);
  });
});

describe('[P14] the audit', () => {
  it('has denials, at most one a second of each kind, sign-outs, revocations and cookies', async () => {
    const audit: any[] = [];
    const backend = await start({ audit, apiGate: {} });
    const token = await backend.sign();
    const ended = (eventId: string) =>
      audit.filter(
        event => event.eventId === eventId && event.status !== 'initiated',
      );

    // All within a second, on a busy machine too.
    await Promise.all(
      Array.from({ length: 20 }, () =>
        backend.statusOf('/api/hello/x?secret=query', bearer('s3cret')),
      ),
    );
    await backend.statusOf('/api/nosuchplugin/x');
    const denials = () =>
      audit.filter(({ eventId }) => eventId === 'api-gate-denial');
    await until(() => denials().length === 2);
    expect(denials()).toMatchObject([
      {
        severityLevel: 'medium',
        plugin: 'hello',
        meta: {
          plugin: 'hello',
          outcome: 'refused',
          reason: 'invalid-token',
          method: 'GET',
          requests: 1,
        },
      },
      { meta: { plugin: 'not installed', reason: 'missing-credentials' } },
    ]);

    await backend.statusOf('/api/hello/x', bearer(token));
    await backend.request('POST', '/api/auth/signs-in/logout', [cookie(token)]);
    const service = await backend.hello.tokenFor('auth');
    await backend.endSessions(service, 'user:default/jane');
    await until(() => ended('api-gate-revocation').length === 1);
    expect(ended('api-gate-cookie-issue')).toMatchObject([
      {
        severityLevel: 'low',
        status: 'succeeded',
        meta: { userEntityRef: 'user:default/test' },
      },
    ]);
    expect(ended('api-gate-sign-out')).toMatchObject([
      {
        severityLevel: 'high',
        status: 'succeeded',
        meta: {
          scope: 'session',
          userEntityRef: 'user:default/test',
          isStored: true,
        },
      },
    ]);
    expect(ended('api-gate-revocation')).toMatchObject([
      {
        severityLevel: 'high',
        status: 'succeeded',
        meta: { scope: 'user', userEntityRef: 'user:default/jane' },
      },
    ]);
    const text = JSON.stringify(audit);
    for (const secret of ['s3cret', 'query', token, service]) {
      expect(text).not.toContain(secret);
    }
  });
});
