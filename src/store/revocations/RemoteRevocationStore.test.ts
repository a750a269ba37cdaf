import type { IncomingMessage, ServerResponse } from 'node:http';
import { serve } from '../../__tests__/__testUtils__/serve';
import { RemoteRevocationStore } from './RemoteRevocationStore';
import type { Revocation } from '../../gate/sessions/Revocation';

const revocation: Revocation = {
  scope: 'session',
  sub: 'user:default/a',
  iat: 1,
  exp: 2_000_000_000,
};

describe('RemoteRevocationStore', () => {
  let answer: (req: IncomingMessage, res: ServerResponse) => void;
  let asked: string[];
  let received: { headers: IncomingMessage['headers']; body: string }[];
  let warnings: string[];
  let store: RemoteRevocationStore;

  beforeEach(async () => {
    [asked, received, warnings] = [[], [], []];
    const { url } = await serve(async (req, res) => {
      asked.push(`${req.method} ${req.url}`);
      const body = (await req.toArray()).join('');
      received.push({ headers: req.headers, body });
      answer(req, res);
    });
    store = new RemoteRevocationStore({
      auth: {
        getOwnServiceCredentials: async () => 'own',
        getPluginRequestToken: async ({ onBehalfOf, targetPluginId }: any) => ({
          token: `${onBehalfOf}-for-${targetPluginId}`,
        }),
      } as never,
      discovery: {
        getBaseUrl: async (id: string) => `${url}/api/${id}`,
      } as never,
      logger: { warn: (message: string) => warnings.push(message) } as never,
    });
  });
  const answerJson =
    (body: unknown, status = 200): typeof answer =>
    (_, res) => {
      res.writeHead(status, { 'Content-Type': 'application/json' });
      res.end(JSON.stringify(body));
    };

  it('requests a page from a cursor on', async () => {
    const page = { revocations: [revocation], cursor: '1~~x', hasMore: true };
    answer = answerJson(page);
    expect(await store.read()).toEqual(page);
    expect(await store.read('1~~x y&z=ß')).toEqual(page);
    expect(asked).toEqual([
      'GET /api/auth/api-gate/v1/revocations?since=',
      'GET /api/auth/api-gate/v1/revocations?since=1~~x%20y%26z%3D%C3%9F',
    ]);
  });

  it('sends a revocation as a service, and closes each connection', async () => {
    answer = answerJson({}, 201);
    await store.add(revocation);
    answer = answerJson({ revocations: [] });
    await store.read();
    expect(asked).toEqual([
      'POST /api/auth/api-gate/v1/revocations',
      'GET /api/auth/api-gate/v1/revocations?since=',
    ]);
    const headers = {
      authorization: 'Bearer own-for-auth',
      connection: 'close',
    };
    expect(received).toEqual([
      {
        headers: expect.objectContaining({
          ...headers,
          'content-type': 'application/json',
        }),
        body: JSON.stringify(revocation),
      },
      { headers: expect.objectContaining(headers), body: '' },
    ]);
    expect(received[1].headers['content-type']).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  it('returns none, and logs that once, if the backend has no gate', async () => {
    answer = answerJson({}, 404);
    for (let i = 0; i < 2; i += 1) {
      await store.add(revocation);
      expect(warnings).toEqual([
        'The backend of the auth plugin has no API gate: a sign-out there ends no session here',
      ]);
      expect(await store.read()).toEqual({ revocations: [] });
    }
    expect(warnings).toHaveLength(1);
  });

  it('fails if the answer is no list', async () => {
    const noList = 'The auth backend returned no list of revocations';
    for (const [body, status, message] of [
      [{}, 200, noList],
      [{ revocations: 'none' }, 200, noList],
      [null, 200, noList],
      [{ revocations: [] }, 500, 'failed with 500'],
      [{ revocations: [] }, 401, 'failed with 401'],
    ] as const) {
      answer = answerJson(body, status);
      await expect(store.read()).rejects.toThrow(message);
    }
  });

  it('distinguishes revocations that the gate there never accepts from temporary failures', async () => {
    answer = answerJson({}, 400);
    await expect(store.add(revocation)).rejects.toMatchObject({
      name: 'InputError',
      message: 'The auth backend can not store this revocation',
    });
    for (const status of [401, 403, 429, 500, 503]) {
      answer = answerJson({}, status);
      await expect(store.add(revocation)).rejects.not.toMatchObject({
        name: 'InputError',
      });
    }
  });
});
