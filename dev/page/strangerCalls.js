import { ask, readAnswer, sleep } from './dom.js';

const COOKIE_PATH = '/api/hello/.backstage/auth/v1/cookie';
export const STARTING_MS = 30_000;
export const RETRY_MS = 100;

const get = path => async base => readAnswer(await ask(`${base}${path}`));

/**
 * The calls, in the order of the page.
 *
 * - `open`: how the page describes an answer that a stranger should not get
 * - `rule`: the call's name at `/dev/public`, where the page may make it public
 */
export const CALLS = [
  {
    title: 'GET /api/hello/data',
    note: 'A plugin whose author opened all its routes',
    call: get('/api/hello/data'),
    open: 'data for anyone',
    rule: 'hello',
  },
  {
    title: 'GET /api/proxy/echo',
    note: 'A proxy endpoint that lets everyone in',
    call: get('/api/proxy/echo'),
    open: 'forwarded for anyone',
    rule: 'echo',
  },
  {
    title: 'WebSocket /api/clock/live',
    note: 'A plugin’s WebSocket, opened in code',
    call: openSocket,
    open: 'sends to anyone',
    rule: 'clock',
  },
  {
    title: 'GET /api/nosuchplugin/x',
    note: 'A plugin that is not installed',
    call: get('/api/nosuchplugin/x'),
    open: 'shows it’s missing',
  },
  {
    title: 'GET /api/catalog/entities',
    note: 'With a token whose user has signed out',
    call: useOldToken,
    open: 'the old token still works',
  },
  {
    title: 'GET /api/hello/health',
    note: 'Your load balancer’s check, public by one rule',
    call: get('/api/hello/health'),
    open: 'open',
    isPublic: true,
  },
];

export async function openSocket(base) {
  const body = await new Promise(resolve => {
    const socket = new WebSocket(
      `${base.replace(/^http/, 'ws')}/api/clock/live`,
    );
    socket.onmessage = ({ data }) => {
      resolve(data);
      socket.close();
    };
    socket.onclose = () => resolve(undefined);
  });
  return body
    ? { status: 101, decision: null, headers: '', body }
    : {
        status: '✕',
        decision: null,
        headers: '',
        body: 'The browser shows no answer of a refused WebSocket.',
      };
}

/** Signs in, signs out, and then uses the token. Each time the user is a new one. */
async function useOldToken(base) {
  const signedIn = await ask(`${base}/api/auth/visitor/refresh`);
  const { token } = (await signedIn.json()).backstageIdentity;
  const headers = { Authorization: `Bearer ${token}` };
  await ask(`${base}${COOKIE_PATH}`, { method: 'DELETE', headers });
  return readAnswer(await ask(`${base}/api/catalog/entities`, { headers }));
}

/** Calls a backend that may still be starting. */
export async function callUntilUp(call, base) {
  const giveUpAt = Date.now() + STARTING_MS;
  for (;;) {
    try {
      const answer = await call(base);
      if (answer.status !== 503 || Date.now() > giveUpAt) {
        return answer;
      }
    } catch (error) {
      if (Date.now() > giveUpAt) {
        return {
          status: 'error',
          decision: null,
          headers: '',
          body: error.message,
        };
      }
    }
    await sleep(RETRY_MS);
  }
}

/** Returns what an answer means to a stranger, as a kind and in words. */
export function judge({ open, isPublic }, { status, decision }) {
  if (decision?.startsWith('would-refuse')) {
    return ['warned', 'would be refused'];
  }
  if (status === 'error') {
    return ['neutral', 'no answer'];
  }
  if (status === 401 || status === '✕') {
    return ['closed', 'closed'];
  }
  if (decision?.startsWith('passed: allow-rule')) {
    return ['public', 'public, by your rule'];
  }
  return [isPublic ? 'neutral' : 'open', open];
}
