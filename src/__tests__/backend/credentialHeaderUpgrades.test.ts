import * as httpRouter from '@backstage/backend-defaults/httpRouter';
import {
  HEADER,
  inHeader,
  startForeignScene,
} from '../__testUtils__/foreignScene';
import {
  bearer,
  cookie,
  COOKIE_ENDPOINT,
  from,
  protocol,
} from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';
import { webSocketPlugin } from '../__testUtils__/webSocketPlugin';

const APP = 'http://localhost:3000';

// Goes in October 2027: releases before November 2026 have no WebSocket handlers.
const describeIfRouted =
  'createWebSocketRouter' in httpRouter ? describe : describe.skip;

const backends = signedBackends();
type Scene = Awaited<ReturnType<typeof startForeignScene>>;

describeIfRouted('[P61] an upgrade with the credential header', () => {
  it('reaches its handler as its user, and ends with its session', async () => {
    const live = webSocketPlugin('live', { '/closed': undefined });
    const scene = await startForeignScene(backends, {
      features: [live.feature],
    });
    const token = await scene.sign({ sub: 'user:default/jane' });
    const own = inHeader(token);
    const socket = await scene.upgrade('/api/live/closed', own);
    expect(socket.status).toBe(101);
    const [{ credentials, headers, rawHeaders }] = live.handled;
    expect(credentials).toMatchObject({
      principal: { userEntityRef: 'user:default/jane' },
    });
    expect(headers.authorization).toBe(`Bearer ${token}`);
    expect(rawHeaders.join()).not.toMatch(/x-backstage-token/i);
    await scene.request('DELETE', `/api/hello${COOKIE_ENDPOINT}`, [own]);
    await socket.closed;
    await backends.stopAll();
  });
});

describe('[P62] an upgrade at a foreign path of the proxy', () => {
  let scene: Scene;
  let token: string;

  beforeAll(async () => {
    scene = await startForeignScene(backends, {
      config: {
        proxy: {
          endpoints: {
            '/foreign': {
              ws: true,
              allowedHeaders: [
                'Authorization',
                HEADER,
                'Connection',
                'Upgrade',
                'Sec-WebSocket-Key',
                'Sec-WebSocket-Version',
                'Sec-WebSocket-Protocol',
              ],
            },
          },
        },
      },
    });
    token = await scene.sign();
    // The proxy plugin takes upgrades after its first request.
    await scene.get('/api/proxy/foreign/x', cookie(token));
  });
  afterAll(() => backends.stopAll());

  /** Returns what arrived at the target, which answers an upgrade with 200. */
  const open = async (...lines: string[]) => {
    scene.arrived.length = 0;
    const status = await scene.upgradeStatus(
      '/api/proxy/foreign/x',
      from(APP),
      ...lines,
    );
    return {
      status,
      arrived: scene.arrived.map(({ rawHeaders }) => rawHeaders),
    };
  };

  it.each([
    ['the cookie', () => [cookie(token)]],
    ['the header', () => [inHeader(token)]],
    [
      'the cookie beside a third party’s token',
      () => [cookie(token), bearer('opaque')],
    ],
    [
      'the header beside a third party’s protocol',
      () => [inHeader(token), protocol('v1, opaque')],
    ],
  ])('brings the target no token of %s', async (_, lines) => {
    const { arrived } = await open(...lines());
    expect(arrived).toHaveLength(1);
    const text = arrived.join(' ');
    expect(text).not.toContain(token);
    expect(text.includes('opaque')).toBe(lines().join().includes('opaque'));
  });

  it.each([
    ['in Authorization', () => [bearer(token)]],
    ['as a protocol', () => [protocol(token)]],
    [
      'as a protocol beside the cookie',
      () => [cookie(token), protocol(`v1, ${token}`)],
    ],
    [
      'as a protocol beside the header',
      () => [inHeader(token), protocol(token)],
    ],
    [
      'of a script, as a protocol',
      () => [inHeader(token), protocol('external-token')],
    ],
  ])('is refused with a token of Backstage %s', async (_, lines) => {
    const { status, arrived } = await open(...lines());
    expect([status, arrived]).toEqual([401, []]);
  });
});
