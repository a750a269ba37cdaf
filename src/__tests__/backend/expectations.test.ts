import type { JsonObject } from '@backstage/types';
import { accessWith, staticToken } from '../__testUtils__/externalAccess';
import { openPlugin, recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, REVOCATIONS } from '../__testUtils__/requestParts';
import { folderWith, runCliIn } from '../__testUtils__/runCli';
import { serve } from '../__testUtils__/serve';
import { SignedBackend, signedBackends } from '../__testUtils__/signedBackends';
import { discovery } from '../__testUtils__/startBackend';

const backends = signedBackends();
afterEach(backends.stopAll);

const startWith = (apiGate: JsonObject, config: JsonObject = {}) =>
  backends.start({
    apiGate,
    config,
    withAuth: false,
    features: [recordingPlugin('hello').feature],
  });

/** Runs `api-gate check` with the policy of a backend that has the plugin `hello`, and returns its output. */
async function checkWith(auth: JsonObject): Promise<string> {
  const lists = { allow: [], closed: [], openedInCode: [], unknown: [] };
  const policy = { ...lists, installed: ['hello'] };
  const { url } = await serve((_req, res) => res.end(JSON.stringify(policy)));
  const backend = { baseUrl: 'http://localhost:7007' };
  const cwd = folderWith({
    'app-config.yaml': JSON.stringify({ backend, auth }),
  });
  const args = ['check', '--policy', url];
  const { code, stdout, stderr } = await runCliIn(args, { cwd });
  expect(code).toBeGreaterThan(0);
  return stdout + stderr;
}

describe('a backend with expectations', () => {
  it.each<[JsonObject, string]>([
    [
      { request: 'GET /api/hello/open', is: 'closed' },
      'auth.apiGate.expect[0]: GET /api/hello/open should be closed, and is public by auth.apiGate.allow[0] (/open)',
    ],
    [
      { request: 'GET /api/helo/secret', is: 'closed' },
      'auth.apiGate.expect[0].request names the plugin helo, which is not installed',
    ],
    [
      { plugin: 'helo', is: 'closed' },
      'auth.apiGate.expect[0].plugin names the plugin helo, which is not installed',
    ],
  ])(
    'does not start with %j, and fails in check',
    async (expectation, message) => {
      const apiGate = {
        allow: [{ plugin: 'hello', path: '/open' }],
        expect: [expectation],
      };
      await expect(startWith(apiGate)).rejects.toThrow(message);
      expect(await checkWith({ apiGate })).toContain(`: ${message}`);
    },
  );

  it.each(['apigate', 'APIGate', 'api-gate', 'api_gate'])(
    'does not start with auth.%s in place of auth.apiGate, and fails in check',
    async key => {
      const auth = { [key]: { mode: 'report-only' } };
      const message = `auth.${key} is not known: write auth.apiGate`;
      await expect(startWith({}, { auth })).rejects.toThrow(message);
      expect(await checkWith(auth)).toContain(`: ${message}`);
    },
  );

  it('may expect something of a plugin that discovery.endpoints names', async () => {
    const { statusOf } = await startWith(
      { expect: [{ request: 'GET /api/elsewhere/x', is: 'closed' }] },
      discovery(1, 'elsewhere'),
    );
    expect(await statusOf('/api/elsewhere/x')).toBe(401);
  });

  it('keeps its policy while a change breaks an expectation', async () => {
    const configWith = (...paths: string[]): JsonObject => ({
      allow: paths.map(path => ({ plugin: 'hello', path })),
      expect: [{ request: 'GET /api/hello/secret', is: 'closed' }],
    });
    const { change, logged, statusOf } = await startWith(configWith('/open'));
    const statuses = () =>
      Promise.all(
        ['open', 'also', 'secret'].map(path => statusOf(`/api/hello/${path}`)),
      );
    expect(await statuses()).toEqual([200, 401, 401]);
    change({ apiGate: configWith('/also', '/secret') });
    expect(await statuses()).toEqual([200, 401, 401]);
    expect(
      logged(
        'API gate keeps its policy, as the new configuration is wrong: auth.apiGate.expect[0]: GET /api/hello/secret should be closed, and is public by auth.apiGate.allow[1] (/secret)',
        'error',
      ),
    ).not.toEqual([]);
    change({ apiGate: configWith('/also') });
    expect(await statuses()).toEqual([401, 200, 401]);
  });
});

describe('[P110] what stops once the gate enforces, where a whole plugin is expected to be closed', () => {
  const tokenOf = (subject: string) => `${subject}-token-of-this-test`;
  const access = [
    ...['ops', 'ci-deploy', 'ci-old'].map(subject =>
      staticToken(tokenOf(subject), subject),
    ),
    staticToken(tokenOf('closer'), 'closer', {
      plugin: 'auth',
      permission: 'auth.api-gate.revoke',
    }),
  ];
  const tokens = [
    { subject: 'ci-deploy', only: [{ plugin: 'hello', path: '/other' }] },
    { subject: 'ci-old', only: 'all', until: '2026-01-01' },
    { subject: 'closer', only: 'all' },
  ];
  const expectation = { plugin: 'hello', is: 'closed' };
  const settings = (mode: string) => ({
    apiGate: { mode, tokens, expect: [expectation] },
    config: accessWith(...access),
  });

  /** Starts a report-only gate in front of a plugin that has opened all its paths. */
  async function start() {
    const backend = await backends.start({
      ...settings('report-only'),
      features: [openPlugin('hello').feature],
    });
    return {
      ...backend,
      enforce: () => backend.change(settings('enforce')),
      /** Reads what has worked, and why each of it stops that is not expected to be closed. */
      async readWorked() {
        const { reportOnly } = await backend.policy(tokenOf('ops'));
        const { worked } = reportOnly!;
        const stopping = worked.filter(each => !each.isExpectedClosed);
        return { worked, why: stopping.map(each => each.why) };
      },
    };
  }

  it('is no request without a credential', async () => {
    const { get, readWorked } = await start();
    expect((await get('/api/hello/x')).status).toBe(200);
    expect((await get('/api/hello/x%20y')).status).toBe(200);
    const { worked, why } = await readWorked();
    expect(worked).toHaveLength(2);
    expect(why).toEqual([]);
  });

  const JANE = 'user:default/jane';
  it.each<[string, (backend: SignedBackend) => Promise<string>, string]>([
    [
      'with only',
      async () => tokenOf('ci-deploy'),
      'a token of ci-deploy would be refused (restricted, only)',
    ],
    [
      'that has ended',
      async () => tokenOf('ci-old'),
      'a token of ci-old would be refused (token-ended)',
    ],
    [
      'of a user who is signed out until later',
      async ({ post, sign }) => {
        const until = new Date(Date.now() + 3600_000).toISOString();
        const body = { userEntityRef: JANE, until };
        const signOut = await post(REVOCATIONS, tokenOf('closer'), body);
        expect(signOut.status).toBe(201);
        return sign({ sub: JANE });
      },
      'a credential would be refused (revoked)',
    ],
    [
      'of an issuer that is not trusted',
      ({ sign }) => sign({ iss: 'https://other.example/api/auth' }),
      'a credential would be refused (untrusted-issuer)',
    ],
    [
      'that is not valid',
      async () => 'nobody-knows-this-token',
      'a credential would be refused (invalid-token, malformed)',
    ],
  ])('is a token that works %s', async (_, present, because) => {
    const backend = await start();
    const line = bearer(await present(backend));
    const { status } = await backend.get('/api/hello/x', line);
    const { worked, why } = await backend.readWorked();
    backend.enforce();
    expect(await backend.statusOf('/api/hello/x', line)).toBeGreaterThan(400);
    // Report-only may carry the sign-out out, so that nothing stops working.
    const isCarriedOut = because.includes('revoked') && status === 401;
    expect(isCarriedOut ? 200 : status).toBe(200);
    expect(why).toEqual(isCarriedOut ? [] : [because]);
    const lines = backend.logged('API gate would have refused a request');
    expect(JSON.stringify([worked, lines])).not.toContain(JANE);
  });
});
