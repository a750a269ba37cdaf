import type { JsonObject } from '@backstage/types';
import { rawRequest } from '../../__testUtils__/rawRequest';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { createReloadableConfig } from '../../__testUtils__/reloadableConfig';
import { freePort, startBackend } from '../../__testUtils__/startBackend';

jest.setTimeout(60_000);

const hello = () =>
  recordingPlugin('hello', { handle: (_req, res) => res.json({}) }).feature;

const startWith = (apiGate: JsonObject, config: JsonObject = {}) =>
  startBackend({
    config: { ...config, auth: { apiGate } },
    withAuth: false,
    features: [hello()],
  });

describe('a backend with expectations', () => {
  const misspelt: [JsonObject, string] = [
    { request: 'GET /api/helo/secret', is: 'closed' },
    'auth.apiGate.expect[0].request names the plugin helo, which is not installed',
  ];

  it.each<[JsonObject, string]>([
    [
      { request: 'GET /api/hello/open', is: 'closed' },
      'auth.apiGate.expect[0]: GET /api/hello/open should be closed, and is public by auth.apiGate.allow[0] (/open)',
    ],
    [
      { request: 'GET /api/hello/secret', is: 'public' },
      'auth.apiGate.expect[0]: GET /api/hello/secret should be public, and no rule of auth.apiGate.allow names it; the nearest is auth.apiGate.allow[0] (/open)',
    ],
    misspelt,
  ])('does not start with %j', async (expectation, message) => {
    await expect(
      startWith({
        allow: [{ plugin: 'hello', path: '/open' }],
        expect: [expectation],
      }),
    ).rejects.toThrow(message);
  });

  it('may expect something of a plugin that discovery.endpoints names', async () => {
    const backend = await startWith(
      { expect: [{ request: 'GET /api/elsewhere/x', is: 'closed' }] },
      {
        discovery: {
          endpoints: [{ target: 'http://other/api', plugins: ['elsewhere'] }],
        },
      },
    );
    const { status } = await rawRequest(backend.port, '/api/elsewhere/x');
    expect(status).toBe(401);
    await backend.stop();
  });

  it('keeps its policy while a change breaks an expectation', async () => {
    const port = await freePort();
    const configWith = (paths: string[]): JsonObject => ({
      backend: {
        baseUrl: `http://localhost:${port}`,
        listen: { port, host: 'localhost' },
        database: { client: 'better-sqlite3', connection: ':memory:' },
      },
      auth: {
        apiGate: {
          allow: paths.map(path => ({ plugin: 'hello', path })),
          expect: [{ request: 'GET /api/hello/secret', is: 'closed' }],
        },
      },
    });
    const config = createReloadableConfig(configWith(['/open']));
    const backend = await startBackend({
      port,
      rootConfig: config.feature,
      withAuth: false,
      features: [hello()],
    });
    const statuses = async () => {
      const answers = await Promise.all(
        ['open', 'also', 'secret'].map(path =>
          rawRequest(port, `/api/hello/${path}`),
        ),
      );
      return answers.map(({ status }) => status);
    };
    expect(await statuses()).toEqual([200, 401, 401]);
    config.change(configWith(['/also', '/secret']));
    expect(await statuses()).toEqual([200, 401, 401]);
    expect(backend.log).toContainEqual(
      expect.objectContaining({
        level: 'error',
        message:
          'API gate keeps its policy, as the new configuration is wrong: auth.apiGate.expect[0]: GET /api/hello/secret should be closed, and is public by auth.apiGate.allow[1] (/secret)',
      }),
    );
    config.change(configWith(['/also']));
    expect(await statuses()).toEqual([401, 200, 401]);
    await backend.stop();
  });
});
