import {
  BareGate,
  ISSUER,
  startBareGate,
} from '../../__tests__/__testUtils__/startBareGate';
import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';

const NOW = Math.floor(Date.now() / 1000);
const claims = { sub: 'user:default/a', iat: NOW, exp: NOW + 3600 };
const user = unsignedToken('vnd.backstage.user', { iss: ISSUER, ...claims });
const limited = unsignedToken('vnd.backstage.limited-user', claims);

const PASSWORD = 'Authorization: Basic x';
const inHeader = (token: string) => `X-Backstage-Token: ${token}`;
const cookie = `Cookie: a=1; token=${user}`;
const userCookie = `Cookie: a=1; backstage-auth=${limited}`;
const upgrade = ['Upgrade: websocket', `Sec-WebSocket-Protocol: ${user}`];

let gate: BareGate;

beforeAll(async () => {
  gate = await startBareGate({ installed: ['hello', 'proxy', 'unbound'] });
  // The gate's `httpAuth` reads the token that is bound to a request. That of `unbound` is the app's own.
  for (const id of ['hello', 'proxy']) {
    Object.assign(gate.plugins.installed(id)!, { readsBoundTokens: true });
  }
  const principal = { type: 'user', userEntityRef: claims.sub };
  gate.tokens = new Map<string, object>([
    [user, principal],
    [limited, principal],
    ['static', { type: 'service', subject: 'external:ci' }],
  ]);
});
beforeEach(() => {
  gate.policy = {
    credentialHeader: 'x-backstage-token',
    foreignAuthorization: [{ plugin: 'hello', path: '/foreign/**' }],
    allow: [{ plugin: 'hello', path: '/open', methods: ['GET'] }],
  };
  gate.handled.length = 0;
});
afterAll(() => gate.stop());

/** Returns `Authorization` of a request as its handler gets it, with the token that `httpAuth` reads. */
async function forwarded(target: string, headerLines: string[]) {
  const { status } = await gate.send('GET', target, ...headerLines);
  expect(status).toBe(200);
  const [{ headers, rawHeaders, token }] = gate.handled;
  expect(headers).not.toHaveProperty('x-backstage-token');
  expect(rawHeaders).not.toContain('X-Backstage-Token');
  return [headers.authorization, token];
}

describe('a handler', () => {
  const bearer = `Bearer ${user}`;

  it.each<[string, string, string[], (string | undefined)[]]>([
    ['a token', 'hello/x', [inHeader(user)], [bearer, user]],
    [
      'a token beside a password',
      'hello/x',
      [inHeader(user), PASSWORD],
      ['Basic x', user],
    ],
    [
      'a cookie beside a password',
      'hello/x',
      [cookie, PASSWORD],
      ['Basic x', user],
    ],
    [
      'a token beside a password, with an httpAuth of the app’s own',
      'unbound/x',
      [inHeader(user), PASSWORD],
      [bearer, user],
    ],
    [
      'a user cookie beside a password, with an httpAuth of the app’s own',
      'unbound/static/x',
      [userCookie, PASSWORD],
      ['Basic x', undefined],
    ],
    [
      'a token beside a password, in another backend',
      'absent/x',
      [inHeader(user), PASSWORD],
      [bearer, user],
    ],
    [
      'a token, and may send Authorization on',
      'proxy/x',
      [inHeader(user)],
      [undefined, user],
    ],
    [
      'a cookie beside a token for another server',
      'hello/foreign/x',
      [cookie, 'Authorization: Bearer opaque'],
      ['Bearer opaque', user],
    ],
    [
      'a token on a public path',
      'hello/open',
      [inHeader('x'), PASSWORD],
      ['Basic x', 'x'],
    ],
    [
      'a token on a public path, without a password',
      'hello/open',
      [inHeader('x')],
      ['Bearer x', 'x'],
    ],
    [
      'a password on a public path',
      'hello/open',
      [PASSWORD],
      ['Basic x', undefined],
    ],
    ['a token among protocols', 'hello/ws', upgrade, [undefined, undefined]],
    [
      'a token among protocols beside one that fails',
      'hello/ws',
      [...upgrade, 'Authorization: Bearer x'],
      [bearer, user],
    ],
  ])('gets %s', async (_, target, headerLines, expected) => {
    expect(await forwarded(`/api/${target}`, headerLines)).toEqual(expected);
  });

  it('gets no token of a request that is refused, in report-only', async () => {
    gate.policy.mode = 'report-only';
    const lines = [inHeader('x'), PASSWORD];
    expect(await forwarded('/api/hello/x', lines)).toEqual([
      'Basic x',
      undefined,
    ]);
  });

  it('gets Backstage’s own cookie unless it may send that on', async () => {
    await forwarded('/api/hello/x', [inHeader(user), userCookie]);
    await forwarded('/api/hello/foreign/x', [inHeader(user), userCookie]);
    expect(gate.handled.map(({ headers }) => headers.cookie)).toEqual([
      userCookie.slice(8),
      'a=1',
    ]);
  });
});

it('keeps the answer to a service out of shared caches, which know no other header than Authorization', async () => {
  const answers = [
    await gate.send('GET', '/api/hello/x', inHeader('static')),
    await gate.send('GET', '/api/hello/x', 'Authorization: Bearer static'),
  ];
  expect(answers.map(({ headers }) => headers['cache-control'])).toEqual([
    'private',
    undefined,
  ]);
});
