import type { IncomingHttpHeaders } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { serve } from '../__testUtils__/serve';

interface Call {
  title: string;
  group: string;
  call(base: string): Promise<unknown>;
}

const page = jest.requireActual('../../../dev/page/strangerCalls.js');
const calls: Call[] = page.CALLS;

// Browsers have it, and Node from 22 on.
Object.assign(globalThis, { WebSocket });

/** The answers of a backend without the gate. */
const ALONE: Record<string, number> = {
  'GET /api/hello/data': 200,
  'GET /api/proxy/echo': 200,
  'WebSocket /api/clock/live': 101,
  'GET /api/nosuchplugin/x': 404,
  'GET /api/catalog/entities': 200,
  'GET /api/hello/health': 200,
};

/** Makes a call of the page, and returns the headers of its requests. */
async function headersOf({ call }: Call) {
  const sent: IncomingHttpHeaders[] = [];
  const { server, url, stop } = await serve((req, res) => {
    sent.push(req.headers);
    res.setHeader('Content-Type', 'application/json');
    res.end('{ "backstageIdentity": { "token": "of-a-visitor" } }');
  });
  new WebSocketServer({ server }).on('connection', (socket, req) => {
    sent.push(req.headers);
    socket.send('the time');
  });
  await call(url);
  stop();
  return sent;
}

/** Returns the calls that the page counts as open to a stranger. */
const countedOf = (answerTo: (call: Call) => object) =>
  calls.filter(call => {
    const [kind] = page.judge(call, answerTo(call));
    return page.countOpen([{ group: call.group, kind }]) === 1;
  });

describe('the page of npm start', () => {
  const counted = countedOf(({ title }) => ({ status: ALONE[title] }));

  it('counts what is open to a stranger: no 404, no call with a token, and not what is public on purpose', () => {
    expect(counted.map(({ title }) => title)).toEqual([
      'GET /api/hello/data',
      'GET /api/proxy/echo',
      'WebSocket /api/clock/live',
    ]);
  });

  it('presents no credential in the calls that it counts', async () => {
    for (const call of counted) {
      const sent = await headersOf(call);
      expect(sent).toHaveLength(1);
      expect(sent[0]).not.toHaveProperty('authorization');
      expect(sent[0]).not.toHaveProperty('cookie');
    }
    const withToken = calls.find(({ title }) => title.includes('catalog'))!;
    expect((await headersOf(withToken)).pop()).toHaveProperty('authorization');
  });

  it('counts none that the gate refuses, and those that report-only would refuse', () => {
    expect(countedOf(() => ({ status: 401 }))).toEqual([]);
    expect(
      countedOf(({ title }) => ({
        status: ALONE[title],
        decision: 'would-refuse: missing-credentials',
      })),
    ).toEqual(counted);
  });
});
