import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { Router } from 'express';
import { rawRequest } from '../__testUtils__/rawRequest';
import { openPlugin, recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  cookie,
  COOKIE_ENDPOINT,
  KEYS,
} from '../__testUtils__/requestParts';
import { rootHandler } from '../__testUtils__/rootHandler';
import { signedBackends } from '../__testUtils__/signedBackends';
import {
  ATTACKS,
  nameOf,
  WellKnownAttack,
} from '../__testUtils__/wellKnownAttacks';

const backends = signedBackends();

/** An adopter's `httpRouter`: it has no routes of its own, so that the handlers of plugins get every request. */
const ownHttpRouter = createServiceFactory({
  service: coreServices.httpRouter,
  initialization: 'always',
  deps: {
    plugin: coreServices.pluginMetadata,
    rootHttpRouter: coreServices.rootHttpRouter,
  },
  factory({ plugin, rootHttpRouter }) {
    const router = Router();
    rootHttpRouter.use(`/api/${plugin.getId()}`, router);
    return {
      use: handler => {
        router.use(handler);
      },
      addAuthPolicy: () => {},
      addWebSocketHandler: () => {},
    };
  },
});

async function start(features: Parameters<typeof backends.start>[0]) {
  const hello = recordingPlugin('hello');
  const caller = recordingPlugin('caller');
  const mounted = rootHandler('/api/mounted');
  const backend = await backends.start({
    ...features,
    features: [
      hello.feature,
      caller.feature,
      mounted.feature,
      ...(features?.features ?? []),
    ],
  });
  return {
    ...backend,
    hello,
    caller,
    mounted,
    attack: (
      plugin: string,
      { method, path, headers, body }: WellKnownAttack,
    ) =>
      rawRequest(backend.port, `/api/${plugin}${path}`, {
        method,
        headerLines: headers,
        body,
      }),
    get: (target: string, token: string) => backend.get(target, bearer(token)),
  };
}

const rows = ATTACKS.map(attack => [nameOf(attack), attack] as const);

describe('a backend with an httpRouter of its own', () => {
  let backend: Awaited<ReturnType<typeof start>>;
  beforeAll(async () => {
    backend = await start({ features: [ownHttpRouter] });
  });
  afterAll(backends.stopAll);

  it.each(rows)('[P1] has no handler that gets %s', async (_, attack) => {
    backend.hello.handled.length = 0;
    const { status } = await backend.attack('hello', attack);
    expect(backend.hello.handled).toEqual([]);
    const expected = { keys: 200, 'signed out': 204, refused: 401 };
    expect(status).toBe(expected[attack.answer]);
  });

  it('answers a sign-out without a session as Backstage does', async () => {
    const stock = await backends.start({});
    const answers = [];
    for (const { request } of [backend, stock]) {
      const target = `/api/auth${COOKIE_ENDPOINT}`;
      const { status, headers } = await request('DELETE', target);
      answers.push([status, headers['set-cookie']]);
    }
    expect(answers[0]).toEqual([
      204,
      expect.stringMatching('backstage-auth=;'),
    ]);
    expect(answers[0]).toEqual(answers[1]);
  });

  it('answers with the keys of each plugin in the form of Backstage', async () => {
    const stock = await backends.start({});
    const expected = await stock.request('GET', `/api/auth${KEYS}`);
    // A plugin has a key once it has issued a token.
    await backend.caller.tokenFor('hello');
    const { keys } = await backend.caller.auth.listPublicServiceKeys();
    expect(keys).toHaveLength(1);
    for (const [plugin, body] of [
      ['auth', expected.body],
      ['hello', expected.body],
      ['caller', JSON.stringify({ keys })],
    ]) {
      const answer = await backend.request('GET', `/api/${plugin}${KEYS}`);
      expect([answer.status, answer.body]).toEqual([200, body]);
      const type = answer.headers['content-type'];
      expect(type).toBe(expected.headers['content-type']);
    }
  });

  it('verifies the service tokens of its plugins by those keys', async () => {
    backend.hello.handled.length = 0;
    const token = await backend.caller.tokenFor('hello');
    expect((await backend.get('/api/hello/x', token)).status).toBe(200);
    expect(backend.hello.handled).toHaveLength(1);
  });

  it('passes a sign-out with a session on to the handler, and ends the session', async () => {
    backend.hello.handled.length = 0;
    const token = await backend.sign({ sub: 'user:default/leaving' });
    const { status, headers } = await backend.signOut(cookie(token));
    expect(status).toBe(200);
    expect(headers['set-cookie']).toContain('token=;');
    expect(backend.hello.handled).toHaveLength(1);
    expect((await backend.get('/api/hello/x', token)).status).toBe(401);
  });
});

describe('a handler at the root router below /api', () => {
  let backend: Awaited<ReturnType<typeof start>>;
  beforeAll(async () => {
    backend = await start({});
  });
  afterAll(backends.stopAll);

  it.each(rows)('[P1] does not get %s', async (_, attack) => {
    backend.mounted.handled.length = 0;
    const { status } = await backend.attack('mounted', attack);
    expect(backend.mounted.handled).toEqual([]);
    const expected = { keys: 404, 'signed out': 204, refused: 401 };
    expect(status).toBe(expected[attack.answer]);
  });

  it('gets what a valid credential opens', async () => {
    const { body } = await backend.get('/api/mounted/x', await backend.sign());
    expect(JSON.parse(body)).toEqual({ mounted: true });
  });
});

describe('a plugin that is served a second time at the root', () => {
  it('[P1] is closed at the root too', async () => {
    const hello = openPlugin('hello');
    const backend = await backends.start({
      features: [
        hello.feature,
        rootHttpRouterServiceFactory({ indexPath: '/api/hello' }),
      ],
    });
    const { status, headers } = await backend.get('/data');
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toBe('Bearer realm="Backstage"');
    expect(hello.handled).toHaveLength(0);
  });
});
