import type { IncomingHttpHeaders } from 'node:http';
import { commonSignInResolvers } from '@backstage/plugin-auth-node';
import eventsPlugin from '@backstage/plugin-events-backend';
import proxyPlugin from '@backstage/plugin-proxy-backend';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, JSON_TYPE } from '../__testUtils__/requestParts';
import { folderWith, runCliHere } from '../__testUtils__/runCli';
import {
  SignedBackend,
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { Finding, formatFinding } from '../../operators/findings/Finding';

// Goes in October 2027: plugins of releases before November 2026 differ, or are not installed.
const { API_GATE_TEST_RELEASE: release = '2026-11' } = process.env;
const describePlugins = release >= '2026-11' ? describe : describe.skip;

const backends = signedBackends();
jest.setTimeout(120_000);
afterEach(backends.stopAll);

/** Returns the findings of each line of the log that has some. */
const findingsIn = ({ log }: SignedBackend) =>
  log.flatMap(({ level, message, meta }) => {
    const findings = (meta as { findings?: Finding[] })?.findings;
    return findings ? [{ level, message, findings }] : [];
  });

const idsOf = (findings: Finding[]) => findings.map(({ id }) => id);

/** Starts a backend with the plugin `hello` and without guests, who are a finding. */
async function start(options: SignedBackendOptions) {
  const hello = recordingPlugin('hello');
  const withoutGuests = (given: SignedBackendOptions) => ({
    apiGate: given.apiGate,
    config: {
      ...given.config,
      auth: {
        providers: { guest: { dangerouslyAllowOutsideDevelopment: false } },
      },
    },
  });
  const backend = await backends.start({
    ...withoutGuests(options),
    features: [hello.feature],
  });
  const tokenForPolicy = () => hello.tokenFor('auth');
  return {
    ...backend,
    tokenForPolicy,
    change: (changed: SignedBackendOptions) =>
      backend.change(withoutGuests(changed)),
    readPolicy: async () => backend.policy(await tokenForPolicy()),
    loggedFindings: () => findingsIn(backend),
  };
}

describe('[P34] the findings of a backend', () => {
  it('are the same list, byte for byte, in the log of the start, in the policy report and from api-gate check', async () => {
    const at = 'auth.apiGate.allow[1] (POST /api/hello/x)';
    const apiGate = {
      allow: [
        { plugin: 'helo', path: '/**' },
        { plugin: 'hello', path: '/x', methods: ['POST'] },
      ],
      findings: {
        accept: [{ id: 'rule-changes-data', at, reason: 'it checks' }],
      },
    };
    const proxy = { endpoints: { '/a': { target: 'http://a', ws: true } } };
    const { loggedFindings, url, readPolicy } = await start({
      apiGate,
      config: { proxy },
    });
    const { findings } = await readPolicy();
    expect(idsOf(findings)).toEqual([
      'rule-opens-plugin',
      'rule-changes-data',
      'token-leaves-house',
      'plugin-not-installed',
    ]);
    expect(findings[1]).toMatchObject({
      at,
      accepted: { reason: 'it checks' },
    });
    const [logged, ...more] = loggedFindings();
    expect(more).toEqual([]);
    expect(JSON.stringify(logged.findings)).toBe(JSON.stringify(findings));
    const lines = findings.map(formatFinding);
    expect(logged).toMatchObject({
      level: 'warn',
      message: ['API gate: 3 findings, 1 accepted', ...lines].join('\n  '),
    });

    const folder = folderWith({
      'app-config.yaml': JSON.stringify({
        backend: { baseUrl: url },
        auth: { apiGate },
        proxy,
      }),
    });
    const { stdout } = await runCliHere([
      ...['check', '--config', `${folder}/app-config.yaml`],
    ]);
    const printed = stdout
      .split('\n')
      .filter(line => /^(warning|accepted): /.test(line))
      .map(line => line.replace(/^(warning|accepted): (\S+:\d+: )?/, ''));
    // The command knows no installed plugins.
    const fromFiles = findings.filter(
      ({ id }) => id !== 'plugin-not-installed',
    );
    expect(printed.sort()).toEqual(fromFiles.map(formatFinding).sort());
  });

  it('are logged once, and again only when they change', async () => {
    const { change, loggedFindings, readPolicy } = await start({});
    expect(loggedFindings()).toEqual([
      {
        level: 'info',
        message: 'API gate: 0 findings, 0 accepted',
        findings: [],
      },
    ]);
    change({ config: { app: { title: 'another' } } });
    expect(loggedFindings()).toHaveLength(1);

    const proxy = { endpoints: { '/a': { target: 'http://a', ws: true } } };
    change({ config: { proxy } });
    change({ config: { proxy, app: { title: 'third' } } });
    expect(loggedFindings()).toHaveLength(2);
    expect(idsOf(loggedFindings()[1].findings)).toEqual(['token-leaves-house']);
    expect(idsOf((await readPolicy()).findings)).toEqual([
      'token-leaves-house',
    ]);

    change({ config: { proxy }, apiGate: { allow: 'wrong' } });
    const odd = { endpoints: { '/a': 7, '/b': { headers: 'x' } } };
    change({ config: { proxy: odd } });
    expect(loggedFindings().slice(2)).toMatchObject([
      { level: 'info', findings: [] },
    ]);
  });
});

describePlugins('[P34] a finding is true of the plugins', () => {
  const foundIn = (backend: SignedBackend) =>
    idsOf(findingsIn(backend)[0].findings);

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
    const backend = await backends.start({
      features: [eventsPlugin],
      config: { events: { http: { topics: ['own'] } } },
      apiGate: {
        allow: [{ plugin: 'events', path: '/http/own', methods: ['POST'] }],
      },
    });
    const target = '/api/events/http/own';
    const { status } = await backend.request('POST', target, [JSON_TYPE], '{}');
    expect(status).toBe(202);
    expect(foundIn(backend)).toContain('open-webhook-without-secret');
  });

  it('open-proxy-with-secret, and token-leaves-house', async () => {
    const received: IncomingHttpHeaders[] = [];
    const port = await backends.serve((req, res) => {
      received.push(req.headers);
      res.end();
    });
    const target = `http://localhost:${port}`;
    const hello = recordingPlugin('hello');
    const backend = await backends.start({
      features: [proxyPlugin, hello.feature],
      config: {
        proxy: {
          endpoints: {
            '/open': {
              target,
              headers: { 'X-Api-Key': 'made-up' },
              credentials: 'dangerously-allow-unauthenticated',
            },
            '/closed': { target },
            '/forwards': { target, allowedHeaders: ['Authorization'] },
          },
        },
      },
      apiGate: {
        allow: [
          { plugin: 'proxy', path: '/open/**' },
          { plugin: 'proxy', path: '/closed/**' },
        ],
      },
    });
    expect(await backend.statusOf('/api/proxy/open/x')).toBe(200);
    expect(await backend.statusOf('/api/proxy/closed/x')).toBe(401);
    const token = await hello.tokenFor('proxy');
    await backend.get('/api/proxy/forwards/x', bearer(token));
    expect(received).toMatchObject([
      { 'x-api-key': 'made-up' },
      { authorization: `Bearer ${token}` },
    ]);
    expect(
      findingsIn(backend)[0].findings.map(({ id, at }) => `${id}: ${at}`),
    ).toEqual(
      expect.arrayContaining([
        'open-proxy-with-secret: auth.apiGate.allow[0] (GET /api/proxy/open/**)',
        'token-leaves-house: proxy.endpoints./forwards',
      ]),
    );
  });
});
