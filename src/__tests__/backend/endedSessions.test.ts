import { limitedTokenOf } from '../__testUtils__/limitedTokenOf';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  cookie,
  forge,
  now,
  protocol,
} from '../__testUtils__/requestParts';
import { SignedBackend, signedBackends } from '../__testUtils__/signedBackends';
import { webSocketPlugin } from '../__testUtils__/webSocketPlugin';

const backends = signedBackends();
afterAll(backends.stopAll);

/** Where a token is, and who verifies it there. */
const PLACES: Record<string, (token: string) => [string, ...string[]]> = {
  'a protected route': token => ['/api/hello/x', bearer(token)],
  'httpAuth on a public route': token => [
    '/api/hello/open?by=httpAuth',
    bearer(token),
  ],
  'httpAuth, which allows limited access': token => [
    '/api/hello/open?by=limited',
    `Cookie: backstage-auth=${limitedTokenOf(token)}`,
  ],
  'a handler, in a header of its own': token => [
    '/api/hello/open',
    `X-Own-Token: ${token}`,
  ],
  'a handler, in a query': token => [`/api/hello/open?token=${token}`],
  'the auth plugin, for its userinfo': token => [
    '/api/auth/v1/userinfo',
    bearer(token),
  ],
};

describe.each(['enforce', 'report-only'])('[P122] in %s', mode => {
  let backend: SignedBackend;
  let users = 0;
  const live = webSocketPlugin('live', { '/ws': undefined });

  beforeAll(async () => {
    const hello = recordingPlugin('hello', {
      policies: [{ path: '/open', allow: 'unauthenticated' }],
      async handle(req, res, { auth, httpAuth }) {
        const { by } = req.query;
        const own = req.get('X-Own-Token') ?? req.query.token;
        const { principal } = own
          ? await auth.authenticate(String(own))
          : await httpAuth.credentials(req, {
              allow: ['user'],
              allowLimitedAccess: by === 'limited',
            });
        res.json(principal);
      },
    });
    backend = await backends.start({
      features: [hello.feature, live.feature],
      apiGate: { mode, allow: [{ plugin: 'hello', path: '/open' }] },
    });
    await backend.get('/api/live/x', bearer(await backend.sign()));
  });

  it.each(Object.entries(PLACES))(
    'the token of a session that has ended is refused by %s, and that of no other session',
    async (_, requestWith) => {
      users += 1;
      const sub = `user:default/jane-${users}`;
      const token = await backend.sign({ sub, iat: now() - 60 });
      const other = await backend.sign({ sub });
      const statusOf = (presented: string) =>
        backend.statusOf(...requestWith(presented));
      const passed = await statusOf(token);
      // The user info of a user who has not signed in is not found.
      expect([200, 404]).toContain(passed);
      expect((await backend.signOut(bearer(token))).status).toBe(204);
      expect(await statusOf(token)).toBe(401);
      expect(await statusOf(other)).toBe(passed);
      // Whoever makes up a token finds out about no session.
      const [ofForged, ofOther] = [token, other].map(presented =>
        requestWith(presented).map(part =>
          part.length > 100 ? forge(part) : part,
        ),
      ) as [string, ...string[]][];
      expect(await backend.statusOf(...ofForged)).toBe(
        await backend.statusOf(...ofOther),
      );
    },
  );

  it('a WebSocket is not opened by the token of a session that has ended', async () => {
    const token = await backend.sign({ iat: now() - 60 });
    const open = () => backend.upgradeOnce('/api/live/ws', protocol(token));
    expect((await open()).status).toBe(101);
    await backend.signOut(cookie(token));
    expect((await open()).status).toBe(401);
  });

  it('a sign-out by a bearer token clears the cookie of Backstage, and does so again', async () => {
    const token = await backend.sign({ iat: now() - 120 });
    for (let i = 0; i < 2; i += 1) {
      const answer = await backend.signOut(bearer(token));
      expect(answer.status).toBe(204);
      expect(String(answer.headers['set-cookie'])).toContain(
        'backstage-auth=;',
      );
    }
  });
});
