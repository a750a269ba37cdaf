import { ask, readAnswer, sleep } from './dom.js';

const COOKIE_PATH = '/api/hello/.backstage/auth/v1/cookie';
export const STARTING_MS = 30_000;
export const RETRY_MS = 100;

const get = path => async base => readAnswer(await ask(`${base}${path}`));

/** The groups of calls, in the order of the page. Only the calls of a stranger are counted as open. */
export const GROUPS = {
  stranger: 'A stranger calls, without a credential',
  more: 'Not open to a stranger, and closed by the gate too',
  public: 'Public on purpose',
};

/** What an answer is that the gate does not close, by the group of the call. */
const KINDS = { stranger: 'open', more: 'weak', public: 'neutral' };

/**
 * The calls, in the order of the page.
 *
 * - `words`: how the page describes an answer that the gate does not close
 * - `rule`: the call's name at `/dev/public`, where the page may make it public
 */
export const CALLS = [
  {
    title: 'GET /api/hello/data',
    note: 'A plugin whose author opened all its routes',
    call: get('/api/hello/data'),
    group: 'stranger',
    words: 'data for anyone',
    rule: 'hello',
  },
  {
    title: 'GET /api/proxy/echo',
    note: 'A proxy endpoint that lets everyone in',
    call: get('/api/proxy/echo'),
    group: 'stranger',
    words: 'forwarded for anyone',
    rule: 'echo',
  },
  {
    title: 'WebSocket /api/clock/live',
    note: 'A plugin’s WebSocket, opened in code',
    call: openSocket,
    group: 'stranger',
    words: 'sends to anyone',
    rule: 'clock',
  },
  {
    title: 'GET /api/nosuchplugin/x',
    note: 'A plugin that is not installed',
    call: get('/api/nosuchplugin/x'),
    group: 'more',
    words: 'tells it’s missing',
  },
  {
    title: 'GET /api/catalog/entities',
    note: 'With the token of a user who has signed out',
    call: useOldToken,
    group: 'more',
    words: 'the old token still works',
  },
  {
    title: 'GET /api/hello/health',
    note: 'Your load balancer’s check, public by one rule',
    call: get('/api/hello/health'),
    group: 'public',
    words: 'open',
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
export function judge({ group, words }, { status, decision }) {
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
  return [KINDS[group], words];
}

/** Counts the calls that are open to a stranger, by the kinds of their answers. What report-only would refuse is open, too. */
export function countOpen(rows) {
  return rows.filter(
    ({ group, kind }) =>
      group === 'stranger' && (kind === 'open' || kind === 'warned'),
  ).length;
}
