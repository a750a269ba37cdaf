import { createServer, IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { commonSignInResolvers } from '@backstage/plugin-auth-node';
import catalogPlugin from '@backstage/plugin-catalog-backend';
import eventsPlugin from '@backstage/plugin-events-backend';
import permissionPlugin from '@backstage/plugin-permission-backend';
import allowAllPolicy from '@backstage/plugin-permission-backend-module-allow-all-policy';
import proxyPlugin from '@backstage/plugin-proxy-backend';
import techdocsPlugin from '@backstage/plugin-techdocs-backend';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { rawRequest } from '../../__testUtils__/rawRequest';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { createReloadableConfig } from '../../__testUtils__/reloadableConfig';
import { folderWith, runCliHere } from '../../__testUtils__/runCli';
import {
  freePort,
  RunningBackend,
  startBackend,
} from '../../__testUtils__/startBackend';
import { Finding, formatFinding } from '../../findings/Finding';
import type { PolicyReport } from '../../observability/describePolicy';

jest.setTimeout(120_000);

// Goes in October 2027: plugins of releases before November 2026 differ, or are not installed.
const { API_GATE_TEST_RELEASE: release = '2026-11' } = process.env;
const describePlugins = release >= '2026-11' ? describe : describe.skip;

const POLICY = '/api/auth/api-gate/v1/policy';

let backend: RunningBackend | undefined;

afterEach(async () => {
  await backend?.stop();
  backend = undefined;
});

/** Returns the findings of each line of the log that has some. */
const loggedFindings = () =>
  backend!.log.flatMap(({ level, message, meta }) => {
    const findings = (meta as { findings?: Finding[] })?.findings;
    return findings ? [{ level, message, findings }] : [];
  });

const idsOf = (findings: Finding[]) => findings.map(({ id }) => id);

/** Starts a backend with the plugin `hello`, whose configuration can change. */
async function start(config: JsonObject) {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const base = {
    app: { baseUrl: url },
    backend: {
      baseUrl: url,
      listen: { port, host: 'localhost' },
      database: { client: 'better-sqlite3', connection: ':memory:' },
    },
    auth: { providers: { guest: {} } },
  };
  const data = merge({}, base, config);
  const { feature, change } = createReloadableConfig(data);
  const hello = recordingPlugin('hello');
  backend = await startBackend({
    features: [hello.feature],
    port,
    rootConfig: feature,
  });
  return {
    data,
    url,
    change: (other: JsonObject) => change(merge({}, base, other)),
    tokenForPolicy: () => hello.tokenFor('auth'),
    async readPolicy(): Promise<PolicyReport> {
      const { body } = await rawRequest(port, POLICY, {
        headerLines: [`Authorization: Bearer ${await hello.tokenFor('auth')}`],
      });
      return JSON.parse(body);
    },
  };
}

describe('[P34] the findings of a backend', () => {
  it('are the same list, byte for byte, in the log of the start, in the policy report and from api-gate check', async () => {
    const at = 'auth.apiGate.allow[1] (POST /api/hello/x)';
    const { data, url, tokenForPolicy, readPolicy } = await start({
      auth: {
        apiGate: {
          allow: [
            { plugin: 'helo', path: '/**' },
            { plugin: 'hello', path: '/x', methods: ['POST'] },
          ],
          findings: {
            accept: [{ id: 'rule-changes-data', at, reason: 'it checks' }],
          },
        },
      },
      proxy: { endpoints: { '/a': { target: 'http://a', ws: true } } },
    });
    const { findings } = await readPolicy();
    expect(idsOf(findings)).toEqual([
      'rule-opens-plugin',
      'plugin-not-installed',
      'rule-changes-data',
      'proxied-websocket',
    ]);
    expect(findings[2]).toMatchObject({
      at,
      accepted: { reason: 'it checks' },
    });
    const [logged, ...more] = loggedFindings();
    expect(more).toEqual([]);
    expect(JSON.stringify(logged.findings)).toBe(JSON.stringify(findings));
    const lines = findings.map(formatFinding);
    expect(logged).toMatchObject({
      level: 'warn',
      message: ['API gate: 3 finding(s), 1 accepted', ...lines].join('\n  '),
    });

    process.env.API_GATE_TEST_TOKEN = await tokenForPolicy();
    try {
      const folder = folderWith({ 'app-config.yaml': JSON.stringify(data) });
      const { code, stdout } = await runCliHere([
        ...['check', '--config', `${folder}/app-config.yaml`],
        ...['--policy', `${url}${POLICY}`],
        ...['--token-env', 'API_GATE_TEST_TOKEN', '--fail-on', 'findings'],
      ]);
      const printed = stdout
        .split('\n')
        .filter(line => /^(warning|accepted): /.test(line))
        .map(line => line.replace(/^(warning|accepted): (\S+:\d+: )?/, ''));
      expect(printed).toEqual(lines);
      expect(code).toBe(1);
    } finally {
      delete process.env.API_GATE_TEST_TOKEN;
    }
  });

  it('are logged once, and again only when they change', async () => {
    const { change, readPolicy } = await start({});
    expect(loggedFindings()).toEqual([
      {
        level: 'info',
        message: 'API gate: 0 finding(s), 0 accepted',
        findings: [],
      },
    ]);
    change({ app: { title: 'another' } });
    expect(loggedFindings()).toHaveLength(1);

    const proxy = { endpoints: { '/a': { target: 'http://a', ws: true } } };
    change({ proxy });
    change({ proxy, app: { title: 'third' } });
    expect(loggedFindings()).toHaveLength(2);
    expect(idsOf(loggedFindings()[1].findings)).toEqual(['proxied-websocket']);
    expect(idsOf((await readPolicy()).findings)).toEqual(['proxied-websocket']);

    change({ proxy, auth: { apiGate: { allow: 'wrong' } } });
    change({ proxy: { endpoints: { '/a': 7, '/b': { headers: 'x' } } } });
    expect(loggedFindings().slice(2)).toMatchObject([
      { level: 'info', findings: [] },
    ]);
  });
});

describePlugins('[P34] a finding is true of the plugins', () => {
  const statusOf = async (target: string, method = 'GET') => {
    const { status } = await rawRequest(backend!.port, target, {
      method,
      ...(method === 'POST' && {
        headerLines: ['Content-Type: application/json'],
        body: '{}',
      }),
    });
    return status;
  };
  const foundIn = () => idsOf(loggedFindings()[0].findings);

  it.each([true, false])(
    'rule-will-not-work, with permission.enabled %s',
    async enabled => {
      backend = await startBackend({
        features: [
          catalogPlugin,
          techdocsPlugin,
          permissionPlugin,
          allowAllPolicy,
        ],
        config: {
          permission: { enabled },
          techdocs: { builder: 'external', publisher: { type: 'local' } },
          auth: {
            apiGate: {
              allow: [
                { plugin: 'catalog', path: '/entities/**' },
                { plugin: 'catalog', path: '/entity-facets' },
                { plugin: 'techdocs', path: '/static/**' },
              ],
            },
          },
        },
      });
      const statuses = [
        await statusOf('/api/catalog/entities/by-query'),
        await statusOf('/api/catalog/entity-facets?facet=kind'),
        await statusOf('/api/techdocs/static/docs/default/component/a/x.html'),
      ];
      expect(statuses).toEqual(enabled ? [401, 401, 401] : [200, 200, 404]);
      expect(foundIn().filter(id => id === 'rule-will-not-work')).toHaveLength(
        enabled ? 3 : 0,
      );
    },
  );

  it.each([
    ['emailMatchingUserEntityProfileEmail', true],
    ['emailLocalPartMatchingUserEntityName', false],
  ] as const)(
    'anyone-may-sign-in: %s signs in a stranger of another domain: %s',
    async (name, isSignedIn) => {
      const notFound = Object.assign(new Error(), { name: 'NotFoundError' });
      const ctx = {
        signInWithCatalogUser: async (_: unknown, options?: object) => {
          const { dangerousEntityRefFallback } = (options ?? {}) as {
            dangerousEntityRefFallback?: object;
          };
          return dangerousEntityRefFallback
            ? { token: 'stranger' }
            : Promise.reject(notFound);
        },
      };
      const resolve = commonSignInResolvers[name]({
        allowedDomains: ['example.com'],
        dangerouslyAllowSignInWithoutUserInCatalog: true,
      });
      const signIn = resolve(
        { profile: { email: 'mallory@other.example' }, result: {} },
        ctx as never,
      );
      await expect(signIn.catch(error => error.name)).resolves.toEqual(
        isSignedIn ? { token: 'stranger' } : 'NotAllowedError',
      );
    },
  );

  it('open-webhook-without-secret', async () => {
    backend = await startBackend({
      features: [eventsPlugin],
      config: {
        events: { http: { topics: ['github'] } },
        auth: {
          apiGate: {
            allow: [
              { plugin: 'events', path: '/http/github', methods: ['POST'] },
            ],
          },
        },
      },
    });
    expect(await statusOf('/api/events/http/github', 'POST')).toBe(202);
    expect(foundIn()).toContain('open-webhook-without-secret');
  });

  it('open-proxy-with-secret, token-leaves-house, and rule-will-not-work', async () => {
    const received: IncomingHttpHeaders[] = [];
    const target = createServer((req, res) => {
      received.push(req.headers);
      res.end();
    });
    await new Promise<void>(resolve => {
      target.listen(0, 'localhost', resolve);
    });
    const { port } = target.address() as AddressInfo;
    try {
      const hello = recordingPlugin('hello');
      backend = await startBackend({
        features: [proxyPlugin, hello.feature],
        config: {
          proxy: {
            endpoints: {
              '/open': {
                target: `http://localhost:${port}`,
                headers: { 'X-Api-Key': 'made-up' },
                credentials: 'dangerously-allow-unauthenticated',
              },
              '/closed': { target: `http://localhost:${port}` },
              '/forwards': {
                target: `http://localhost:${port}`,
                allowedHeaders: ['Authorization'],
              },
            },
          },
          auth: {
            apiGate: {
              allow: [
                { plugin: 'proxy', path: '/open/**' },
                { plugin: 'proxy', path: '/closed/**' },
              ],
            },
          },
        },
      });
      expect(await statusOf('/api/proxy/open/x')).toBe(200);
      expect(await statusOf('/api/proxy/closed/x')).toBe(401);
      const authorization = `Bearer ${await hello.tokenFor('proxy')}`;
      await rawRequest(backend.port, '/api/proxy/forwards/x', {
        headerLines: [`Authorization: ${authorization}`],
      });
      expect(received).toMatchObject([
        { 'x-api-key': 'made-up' },
        { authorization },
      ]);
      expect(
        loggedFindings()[0].findings.map(({ id, at }) => [id, at]),
      ).toEqual(
        expect.arrayContaining([
          [
            'open-proxy-with-secret',
            'auth.apiGate.allow[0] (GET /api/proxy/open/**)',
          ],
          [
            'rule-will-not-work',
            'auth.apiGate.allow[1] (GET /api/proxy/closed/**)',
          ],
          ['token-leaves-house', 'proxy.endpoints./forwards'],
        ]),
      );
    } finally {
      target.closeAllConnections();
      target.close();
    }
  });
});
