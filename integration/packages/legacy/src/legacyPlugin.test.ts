import { legacyPlugin } from '@backstage/backend-common';
import {
  HandledRequest,
  recordingPlugin,
} from '../../../../src/__tests__/__testUtils__/recordingPlugin';
import { rawRequest } from '../../../../src/__tests__/__testUtils__/rawRequest';
import {
  RunningBackend,
  startBackend,
} from '../../../../src/__tests__/__testUtils__/startBackend';
import { createRecordingRouter } from './recordingRouter';

jest.setTimeout(120_000);

type Environment = Parameters<
  Awaited<Parameters<typeof legacyPlugin>[1]>['default']
>[0];

describe('a legacy plugin in the new backend system, with the gate', () => {
  let backend: RunningBackend;
  let env: Environment;
  const { router, handled } = createRecordingRouter();
  const caller = recordingPlugin('caller');
  let guestToken: string;

  beforeAll(async () => {
    const todo = legacyPlugin(
      'todo',
      Promise.resolve({
        async default(given: Environment) {
          env = given;
          return router;
        },
      }),
    );
    backend = await startBackend({
      features: [todo, caller.feature],
      config: {
        // `legacyPlugin` makes a token manager, which requires a key. Base64 of 24 bytes.
        backend: { auth: { keys: [{ secret: 'a'.repeat(32) }] } },
        auth: {
          apiGate: { allow: [{ plugin: 'todo', path: '/health' }] },
        },
      },
    });
    const { body } = await get('/api/auth/guest/refresh');
    guestToken = JSON.parse(body).backstageIdentity.token;
  });
  afterAll(() => backend.stop());

  const get = (target: string, ...headerLines: string[]) =>
    rawRequest(backend.port, target, { headerLines });
  const callers: Record<string, () => Promise<string[]>> = {
    nobody: async () => [],
    'a forger': async () => {
      const [header, payload, signature] = guestToken.split('.');
      const forged = [...signature].reverse().join('');
      return [`Authorization: Bearer ${header}.${payload}.${forged}`];
    },
    'a user': async () => [`Authorization: Bearer ${guestToken}`],
    'the cookie': async () => [`Cookie: token=${guestToken}`],
    'a service': async () => [
      `Authorization: Bearer ${await caller.tokenFor('todo')}`,
    ],
    'a service that may call another plugin': async () => [
      `Authorization: Bearer ${await caller.tokenFor('caller')}`,
    ],
  };

  it.each([
    ['nobody', '/api/todo/items', 401],
    ['a forger', '/api/todo/items', 401],
    ['a user', '/api/todo/items', 200],
    ['the cookie', '/api/todo/items', 200],
    ['a service', '/api/todo/items', 200],
    ['a service that may call another plugin', '/api/todo/items', 401],
    ['nobody', '/api/todo/nothing/here', 401],
    ['nobody', '/api/nosuchplugin/x', 401],
    ['nobody', '/api/todo/health', 200],
    ['nobody', '/api/todo//health', 401],
    ['a user', '/api/todo//health', 200],
  ])('answers %s at %s with %i', async (who, target, status) => {
    const before = handled.length;
    const answer = await get(target, ...(await callers[who]()));
    expect(answer.status).toBe(status);
    expect(handled.length - before).toBe(status === 200 ? 1 : 0);
  });

  it('finds the user in req.user, and by the identity of its environment', async () => {
    await get('/api/todo/items', `Cookie: token=${guestToken}`);
    const request: HandledRequest = handled.at(-1)!;
    expect(request.user).toMatchObject({
      token: guestToken,
      identity: { userEntityRef: 'user:development/guest' },
    });
    const identity = await env.identity.getIdentity({
      request: request as never,
    });
    expect(identity?.identity.userEntityRef).toBe('user:development/guest');
  });
});
