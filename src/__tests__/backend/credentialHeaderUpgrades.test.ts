import * as httpRouter from '@backstage/backend-defaults/httpRouter';
import {
  authorization,
  BASIC,
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
  const live = webSocketPlugin('live', {
    '/closed': undefined,
    '/public': 'unauthenticated',
  });
  let scene: Scene;
  let token: string;

  beforeAll(async () => {
    scene = await startForeignScene(backends, { features: [live.feature] });
    token = await scene.sign({ sub: 'user:default/jane' });
  });
  afterAll(() => backends.stopAll());
  beforeEach(() => {
    live.handled.length = 0;
  });

  const open = async (...lines: string[]) => {
    const status = await scene.upgradeStatus('/api/live/closed', ...lines);
    const [handled] = live.handled;
    return {
      status,
      user: (handled?.credentials as any)?.principal.userEntityRef,
      authorization: handled?.headers.authorization,
      rawHeaders: handled?.rawHeaders.join(' ') ?? '',
    };
  };

  it.each<[string, string[], string | undefined]>([
    ['alone', [], `Bearer {token}`],
    ['beside Basic', [authorization(BASIC)], BASIC],
    ["beside a third party's token", [bearer('opaque')], 'Bearer opaque'],
    ['beside another protocol', [protocol('graphql-ws')], `Bearer {token}`],
  ])('reaches its handler as its user, %s', async (_, lines, expected) => {
    const { status, user, rawHeaders, ...opened } = await open(
      inHeader(token),
      ...lines,
    );
    expect([status, user]).toEqual([101, 'user:default/jane']);
    expect(opened.authorization).toBe(expected?.replace('{token}', token));
    expect(rawHeaders).not.toMatch(/x-backstage-token/i);
  });

  it('ends with its session', async () => {
    const own = await scene.sign({ sub: 'user:default/leaves' });
    const socket = await scene.upgrade('/api/live/closed', inHeader(own));
    expect(socket.status).toBe(101);
    await scene.request('DELETE', `/api/hello${COOKIE_ENDPOINT}`, [
      inHeader(own),
    ]);
    await socket.closed;
    expect((await open(inHeader(own))).status).toBe(401);
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
