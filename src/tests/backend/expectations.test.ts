import type { JsonObject } from '@backstage/types';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { folderWith, runCliIn } from '../../__testUtils__/runCli';
import { serve } from '../../__testUtils__/serve';
import { signedBackends } from '../../__testUtils__/signedBackends';
import { discovery } from '../../__testUtils__/startBackend';

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
  const policy = { closed: [], installed: ['hello'], unknown: [] };
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
