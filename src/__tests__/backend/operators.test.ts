import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import permissionPlugin from '@backstage/plugin-permission-backend';
import allowAllPolicy from '@backstage/plugin-permission-backend-module-allow-all-policy';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { stringify } from 'yaml';
import { configFromFiles } from '../__testUtils__/configFromFiles';
import { factsOf, whatsOf } from '../__testUtils__/factsOf';
import { latch } from '../__testUtils__/latch';
import { rawRequest } from '../__testUtils__/rawRequest';
import { recordingAuditor } from '../__testUtils__/recordingAuditor';
import { openPlugin, recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, cookie, POLICY } from '../__testUtils__/requestParts';
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
});

describe('the policy report', () => {
  const apiGate = {
    allow: [
      { plugin: 'closed', path: '/health', reason: 'The load balancer asks' },
      { plugin: 'nosuchplugin', path: '/x' },
    ],
  };

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
    });
    expect(factsOf(report, 'public')).toMatchObject([
      { what: 'GET   /api/closed/health', note: 'The load balancer asks' },
      { what: 'GET   /api/nosuchplugin/x' },
    ]);
    expect(whatsOf(report, 'not known')).toEqual([]);
    expect(
      factsOf(report, 'declared open')
        .filter(({ note }) => note?.startsWith('closed by the gate'))
        .map(({ what }) => what),
    ).toEqual([
      'any   /api/closed/ping and /ping/**',
      'any   /api/closed/users/*/avatar and /users/*/avatar/**',
      'any   /api/hello/**',
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
    expect(whatsOf(report, 'public')).toEqual([]);
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
