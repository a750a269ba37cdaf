import {
  HEADER,
  inHeader,
  startForeignScene,
} from '../__testUtils__/foreignScene';
import { bearer, cookie, from, protocol } from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';

const APP = 'http://localhost:3000';

const backends = signedBackends();
type Scene = Awaited<ReturnType<typeof startForeignScene>>;

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
