import { blocksAfter } from '../../../src/__tests__/__testUtils__/documents';
import type { Checks } from '../chromium/Checks';
import { sleep } from '../../http';
import type { Tab } from './Browser';
import { World } from './World';

// Scripts that the documents have for frontends.
const [callEndpoint] = blocksAfter(
  'docs/browsers-and-cookies.md',
  'A frontend on another origin',
  'ts',
);
const [openSocket] = blocksAfter(
  'docs/websockets.md',
  'What an upgrade needs',
  'ts',
);

const SIGN_IN = `
  const answer = await fetch(backend + '/api/auth/guest/refresh');
  return (await answer.json()).backstageIdentity.token;`;
const CALL = `
  const headers = { 'Content-Type': 'application/json' };
  const init = { method: 'POST', headers, body: '{}' };
  return (await fetchApi.fetch(address, init)).status;`;
const SHOW_IMAGE = `
  const image = new Image();
  return new Promise(resolve => {
    image.onload = () => resolve('shown');
    image.onerror = () => resolve('broken');
    image.src = address;
  });`;
const OPEN_SOCKET = `
  const socket = window.socket = ${openSocket}
  return new Promise(resolve => {
    socket.onopen = () => resolve('open');
    socket.onerror = () => resolve('refused');
  });`;
const SIGN_OUT = `
  const closed = new Promise(resolve => {
    window.socket.onclose = () => resolve('closed');
  });
  const path = '/api/hello/.backstage/auth/v1/cookie';
  const init = { method: 'DELETE', credentials: 'include' };
  await fetch(backend + path, init);
  return closed;`;

const OPENED = { image: 'shown', socket: 'open' };
const NOTHING = { image: 'broken', socket: 'refused' };

/**
 * Checks what the documents have for frontends, from the backend's origin and from another one, between the sign-in and the sign-out.
 * Backstage's own classes are in checkClasses.ts.
 */
export async function checkFrontend(tab: Tab, checks: Checks, world: World) {
  const { addressOf, attacker, elsewhere, setRulesOff, show, url } = world;
  let token = '';
  /** Runs a script with the APIs of a frontend. */
  const run = (script: string): Promise<any> =>
    tab.evaluate(
      async (backend, address, bearer, source) => {
        const discoveryApi = {
          getBaseUrl: async () => `${backend}/api/hello`,
        };
        const fetchApi = {
          fetch: (href: string, init: RequestInit = {}) =>
            fetch(href, {
              ...init,
              headers: { ...init.headers, Authorization: `Bearer ${bearer}` },
            }),
        };
        const names = ['backend', 'address', 'discoveryApi', 'fetchApi'];
        const AsyncFunction = (async () => {}).constructor as any;
        return new AsyncFunction(...names, source)(
          ...[backend, address, discoveryApi, fetchApi],
        );
      },
      ...[url, addressOf('frontend'), token],
      script.replace('wss://backstage.example.com', url.replace('http', 'ws')),
    );
  const seen = async () => ({
    image: await run(SHOW_IMAGE),
    socket: await run(OPEN_SOCKET),
  });
  show('');
  attacker.show({ body: '' });
  elsewhere.show({ body: '' });
  for (const origin of [url, elsewhere.origin]) {
    const check = (what: string, result: unknown, expected: unknown) =>
      checks.equal(`${origin}, ${what}`, result, expected);
    await tab.open(`${origin}/`);
    check('signed out', await seen(), NOTHING);
    token = await run(SIGN_IN);
    check('a call', await run(CALL), 200);
    const opens = origin === url ? OPENED : NOTHING;
    check('after this call', await seen(), opens);
    await run(callEndpoint);
    check('after a call of the cookie endpoint', await seen(), OPENED);

    await tab.open(`${attacker.origin}/`);
    check('a WebSocket of a third origin', await run(OPEN_SOCKET), 'refused');
    setRulesOff('all');
    check(
      'control: the rules are off, a WebSocket of a third origin',
      await run(OPEN_SOCKET),
      'open',
    );
    setRulesOff('none');

    await tab.open(`${origin}/`);
    check('opened again', await seen(), OPENED);
    check('its WebSocket after the sign-out', await run(SIGN_OUT), 'closed');
    check('signed out again', await seen(), NOTHING);
    check('a call with the ended token', await run(CALL), 401);
    // Two sign-ins of a guest within a second are one session, and this one has ended.
    await sleep(1_100);
  }
}
