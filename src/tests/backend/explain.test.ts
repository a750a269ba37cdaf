import type { JsonObject } from '@backstage/types';
import { rawRequest } from '../../__testUtils__/rawRequest';
import { rawUpgrade } from '../../__testUtils__/rawUpgrade';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { createSigningKey, SigningKey } from '../../__testUtils__/signingKey';
import { RunningBackend, startBackend } from '../../__testUtils__/startBackend';

jest.setTimeout(60_000);

const EXPLAIN = '/api/auth/api-gate/v1/explain';

describe('the route that explains requests', () => {
  const hello = recordingPlugin('hello', {
    policies: [{ path: '/badge', allow: 'unauthenticated' }],
  });
  let key: SigningKey;
  let backend: RunningBackend;
  let service: string;

  beforeAll(async () => {
    key = await createSigningKey();
    backend = await startBackend({
      features: [hello.feature],
      config: {
        auth: {
          ...(key.config.auth as JsonObject),
          providers: { 'signs-in': { signIn: {} } },
          apiGate: {
            operators: ['user:default/operator'],
            allow: [
              { plugin: 'hello', path: '/health' },
              { plugin: 'hello', path: '/public/**', methods: ['POST'] },
              { plugin: 'hello', path: '/live', methods: ['WEBSOCKET'] },
            ],
          },
        },
      },
    });
    service = await hello.tokenFor('auth');
  });
  afterAll(async () => {
    await backend.stop();
    await key.remove();
  });

  const post = (body: string, token?: string, type = 'application/json') =>
    rawRequest(backend.port, EXPLAIN, {
      method: 'POST',
      headerLines: [
        `Content-Type: ${type}`,
        ...(token ? [`Authorization: Bearer ${token}`] : []),
      ],
      body,
    });
  const explain = async (method: string, target: string) => {
    const answer = await post(JSON.stringify({ method, target }), service);
    expect(answer.status).toBe(200);
    return JSON.parse(answer.body);
  };

  const closed = { anonymous: 'needs-credential', because: 'no-rule' };
  const notPlain = { anonymous: 'needs-credential', because: 'not-plain' };

  it.each<[string, string, object]>([
    [
      'GET',
      '/api/hello/health?x=1',
      {
        anonymous: 'public',
        because: 'allow-rule',
        rule: 'auth.apiGate.allow[0]',
        pluginOpened: false,
      },
    ],
    [
      'GET',
      '/api/hello/public/a',
      {
        ...closed,
        nearest: 'auth.apiGate.allow[1]',
        pluginOpened: false,
        yaml: "- { plugin: hello, path: '/public/a', methods: [GET] }",
      },
    ],
    [
      'POST',
      '/api/hello/badge/d:1',
      {
        ...closed,
        nearest: 'auth.apiGate.allow[0]',
        pluginOpened: true,
        yaml: "- { plugin: hello, path: '/badge/*', methods: [POST] }",
      },
    ],
    [
      'WEBSOCKET',
      '/api/hello/live',
      {
        anonymous: 'public',
        because: 'allow-rule',
        rule: 'auth.apiGate.allow[2]',
        pluginOpened: false,
      },
    ],
    // No rule opens the cookie endpoint. A plugin that is not installed has declared nothing.
    ['GET', '/api/absent/.backstage/auth/v1/cookie', { ...closed }],
    [
      'GET',
      '/api/hello/.backstage/auth/v1/jwks.json',
      { anonymous: 'public', because: 'built-in-public', pluginOpened: false },
    ],
    [
      'POST',
      '/api/auth/signs-in/logout',
      { anonymous: 'public', because: 'sign-out', pluginOpened: true },
    ],
    ['GET', '/api/hello/%68ealth', notPlain],
    ['GET', '/api/hello/../hello/health', notPlain],
    ['GET', '/API/hello/health', notPlain],
    ['GET', 'http://any/api/hello/health', notPlain],
    ['GET', '/api/hello/health#', notPlain],
    [
      'GET',
      '/.backstage/health/v1/liveness',
      { anonymous: 'not-gated', because: 'not-below-a-plugin' },
    ],
  ])(
    '[P40] says of %s %s what the gate does',
    async (method, target, answer) => {
      expect(await explain(method, target)).toEqual(answer);
      const { status, headers } =
        method === 'WEBSOCKET'
          ? await rawUpgrade(backend.port, target)
          : await rawRequest(backend.port, target, { method });
      expect([status, 'api-gate-decision' in headers]).toEqual([
        status,
        (answer as { anonymous: string }).anonymous === 'needs-credential',
      ]);
    },
  );

  it('[P40] is for services and operators, and reads nothing before it has authorized the caller', async () => {
    const body = JSON.stringify({ method: 'GET', target: '/api/hello/x' });
    const sign = (sub: string) =>
      key.sign({ iss: `${backend.url}/api/auth`, sub });
    const statuses = [
      await post(body),
      await post('not JSON'),
      await post(body, await sign('user:default/operator')),
      await post(body, await sign('user:default/other')),
      await post('not JSON', await sign('user:default/other')),
      await post(body, service),
    ].map(({ status }) => status);
    expect(statuses).toEqual([401, 401, 200, 403, 403, 200]);
  });

  it.each<[string, number, string]>([
    ['{"method":"GET","target":"/a b"}', 400, 'body.target must be'],
    ['{"method":"get","target":"/"}', 400, 'body.method must be'],
    [
      '{"method":"GET","target":"/","token":"x"}',
      400,
      'body.token is not known',
    ],
    ['["GET","/"]', 400, 'body must be an object'],
    ['{', 400, 'JSON'],
    [
      `{"method":"GET","target":"/${'x'.repeat(20_000)}"}`,
      400,
      'body.target must be',
    ],
    [`{"method":"GET","target":"/${'x'.repeat(200_000)}"}`, 413, 'too large'],
  ])('refuses %.40s with one line', async (body, status, message) => {
    const answer = await post(body, service);
    const { error } = JSON.parse(answer.body);
    expect(answer.status).toBe(status);
    expect(error.message).toContain(message);
    expect(error.message).not.toContain('\n');
  });

  it('refuses a body that is not JSON', async () => {
    const answer = await post('method=GET', service, 'text/plain');
    expect(answer.status).toBe(400);
  });
});
