import type { IncomingMessage } from 'node:http';
import express from 'express';
import { createGateServices } from '../__tests__/__testUtils__/createGateServices';
import { rawRequest } from '../__tests__/__testUtils__/rawRequest';
import { KEYS } from '../__tests__/__testUtils__/requestParts';
import { serve } from '../__tests__/__testUtils__/serve';
import { EarlyDecisions } from './EarlyDecisions';

const TOKEN = 'jane';

/** Starts an app that decides early about each request, and answers with what is known of the decision then. */
async function start(change: (req: IncomingMessage) => void = () => {}) {
  const state = createGateServices();
  const principal = { type: 'service', subject: TOKEN };
  state.tokens.set(TOKEN, principal);
  await state.loadRevocations();
  const early = new EarlyDecisions(state.services, { guardServerOf: () => {} });
  const app = express();
  app.use('/api/:gatedPluginId', early.decide);
  app.use((req, res) => {
    change(req);
    res.json(early.find(req)?.goesOn ?? 'undecided');
  });
  app.use(((error, _req, res, _next) =>
    res.end(error.name)) as express.ErrorRequestHandler);
  const { port } = await serve(app);
  const send = async (
    method: string,
    headerLines: string[] = [],
    target = '/api/hello/x',
  ) => {
    const request = { method, headerLines };
    const { body, headers } = await rawRequest(port, target, request);
    return headers['content-type'] ? JSON.parse(body) : body;
  };
  return { early, send, state };
}

const BEARER = `Authorization: Bearer ${TOKEN}`;

describe('EarlyDecisions', () => {
  afterEach(() => jest.restoreAllMocks());

  it('records a request that goes on, and leaves the record of any other to the gate in Express', async () => {
    const { send, state } = await start();
    expect(await send('GET')).toBe(false);
    expect(state.decided).toEqual([]);
    expect(await send('GET', [BEARER])).toBe(true);
    expect(state.decided).toHaveLength(1);
  });

  it('leaves an answer of the gate itself to the gate in Express', async () => {
    const { send, state } = await start();
    expect(await send('GET', [], `/api/absent${KEYS}`)).toBe(false);
    expect(state.decided).toEqual([]);
  });

  it('in report-only, leaves a preflight undecided, and nothing else', async () => {
    const { send, state } = await start();
    state.policy = { mode: 'report-only' };
    expect(await send('OPTIONS')).toBe('undecided');
    expect(await send('OPTIONS', ['Authorization: Bearer x'])).toBe(true);
    expect(await send('GET')).toBe(true);
    expect(state.decided).toHaveLength(2);
  });

  it.each<[string, Parameters<typeof start>[0]]>([
    ['method', req => Object.assign(req, { method: 'PUT' })],
    ['target', req => Object.assign(req, { url: '/api/hello/y' })],
    ['Authorization', ({ headers }) => (headers.authorization = 'Bearer y')],
    ['cookies', ({ headers }) => (headers.cookie = 'a=1')],
  ])(
    'finds no decision once a listener has changed the %s',
    async (_, change) => {
      const { send } = await start(change);
      expect(await send('GET', [BEARER])).toBe('undecided');
    },
  );

  it('[P98] refuses a request about which it fails to decide', async () => {
    const { send, state } = await start();
    Object.defineProperty(state.services, 'source', {
      get() {
        throw new TypeError('secret');
      },
    });
    expect(await send('GET', [BEARER])).toBe('ServiceUnavailableError');
    expect(JSON.stringify(state.log)).toContain('"errorType":"TypeError"');
    expect(JSON.stringify(state.log)).not.toContain('secret');
  });
});
