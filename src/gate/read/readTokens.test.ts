import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import { GateCookie } from '../cookie/GateCookie';
import { TokenCache } from '../verify/TokenCache';
import type { GateRequest } from './GateRequest';
import { readPlaces } from './readCredential';
import type { PresentedToken, Role } from './token';
import { readTokens } from './readTokens';

const cookie = new GateCookie(
  { enabled: true, name: 'token', attributes: {} } as never,
  'localhost',
);
const subject = { sub: 'user:default/a' };
const jwt = unsignedToken('vnd.backstage.user', subject);

/** Reads the tokens of one role in a protected request to a plugin, by default an upgrade. */
function read(
  role: Role,
  headers: Record<string, string>,
  {
    header = undefined as string | undefined,
    isForeignPath = false,
    isUpgrade = true,
    twice = [] as string[],
    ...change
  } = {},
): PresentedToken[] {
  const rawHeaders = [...Object.entries(headers).flat(), ...twice];
  const req = { headers, rawHeaders } as never;
  const request = {
    isInstalled: true,
    isUpgrade,
    places: readPlaces(req, { cookie, header, isForeignPath }),
    pluginId: 'hello',
    policy: { isCrossSite: () => false },
    req,
    route: 'protected',
    services: { tokens: new TokenCache({ ttlMs: 0 }) },
    ...change,
  } as unknown as GateRequest;
  return readTokens(request).filter(each => each.role === role);
}

const protocols = (...offered: string[]) => ({
  'sec-websocket-protocol': offered.join(', '),
});
const bearer = { authorization: 'Bearer b' };
const ofCookie = { cookie: 'token=c' };

describe('the tokens that authenticate an upgrade', () => {
  /** Returns the tokens of a handshake, each with the offered protocol that holds it, or the reason for a refusal. */
  const readAll = (
    headers: Record<string, string>,
    options: Parameters<typeof read>[2] = {},
  ) =>
    read('authenticates', headers, options).map(
      ({ authProtocol, kind, refused, token }) =>
        refused
          ? refused.reason
          : [kind, token!.text, ...(authProtocol ? [authProtocol] : [])],
    );

  it.each<[Record<string, string>, string[][]]>([
    [bearer, [['bearer', 'b']]],
    [ofCookie, [['cookie', 'c']]],
    [{ ...bearer, ...ofCookie }, [['bearer', 'b']]],
    [
      protocols('x', 'y'),
      [
        ['bearer', 'x', 'x'],
        ['bearer', 'y', 'y'],
      ],
    ],
    [
      { ...protocols('x'), ...bearer },
      [
        ['bearer', 'x', 'x'],
        ['bearer', 'b'],
      ],
    ],
    [
      { ...protocols('graphql-ws'), ...ofCookie },
      [
        ['bearer', 'graphql-ws', 'graphql-ws'],
        ['cookie', 'c'],
      ],
    ],
    [
      { ...protocols('graphql-ws', jwt), ...ofCookie },
      [
        ['bearer', 'graphql-ws', 'graphql-ws'],
        ['bearer', jwt, jwt],
      ],
    ],
    [
      { ...protocols('x'), authorization: 'Basic b', ...ofCookie },
      [['bearer', 'x', 'x']],
    ],
    [{ ...protocols('x'), cookie: 'token=c; token=d' }, [['bearer', 'x', 'x']]],
    [{ ...protocols(' ', ' '), ...ofCookie }, [['cookie', 'c']]],
  ])('are in %j %j', (headers, expected) => {
    expect(readAll(headers)).toEqual(expected);
  });

  it.each<[Record<string, string>, string]>([
    [{}, 'missing-credentials'],
    [{ cookie: 'backstage-auth=s' }, 'missing-credentials'],
    [{ authorization: 'Basic b' }, 'unsupported-scheme'],
    [{ cookie: 'token=c; token=d' }, 'conflicting-cookies'],
    [protocols('a', 'b', 'c', 'd', 'e', 'f'), 'too-many-tokens'],
    [{ ...protocols('a', 'b', 'c', 'd', 'e'), ...bearer }, 'too-many-tokens'],
  ])('are refused in %j: %s', (headers, reason) => {
    expect(readAll(headers)).toEqual([reason]);
  });

  it('are refused in two headers, whatever protocols are offered', () => {
    const headers = { ...protocols('x'), ...bearer };
    const twice = ['authorization', 'Bearer y'];
    expect(readAll(headers, { twice })).toEqual(['repeated-authorization']);
  });

  it.each([
    ['a credential header', { header: 'x-backstage-token' }, 'bearer', 'x'],
    ['a foreign path', { isForeignPath: true }, 'cookie', 'c'],
  ])('are in no protocol beside %s', (_, options, kind, token) => {
    const headers = { ...protocols('p'), 'x-backstage-token': 'x' };
    expect(readAll({ ...headers, ...bearer, ...ofCookie }, options)).toEqual([
      [kind, token],
    ]);
  });

  it('are five at most, besides the cookie', () => {
    const five = ['a', 'b', 'c', 'd', 'e'];
    expect(readAll({ ...protocols(...five), ...ofCookie })).toHaveLength(6);
    const four = protocols(...five.slice(1));
    expect(readAll({ ...four, ...bearer })).toHaveLength(5);
  });
});

describe('the tokens that go elsewhere', () => {
  const header = 'x-backstage-token';
  const offered = { [header]: 'x', ...protocols('a', 'b') };

  /** Returns whether each token is refused. */
  const readForeign = (
    headers: Record<string, string>,
    options: Parameters<typeof read>[2] = {},
  ) =>
    read('goes elsewhere', headers, { isUpgrade: false, ...options }).map(
      ({ refused, token }) => [token!.text, refused?.reason],
    );

  it.each<[Record<string, string>, string[]]>([
    [{}, []],
    [{ authorization: 'Basic x' }, []],
    [{ authorization: 'bearer  opaque' }, ['opaque']],
    [{ authorization: `x, Token a="${jwt}", b=eyJ.c;d` }, [jwt, 'eyJ.c']],
  ])('are in %j: %j', (headers, expected) => {
    const found = readForeign({ [header]: 'x', ...headers }, { header });
    expect(found.map(([text]) => text)).toEqual(expected);
  });

  it.each([
    ['hello', true, true, true, true],
    ['hello', true, true, false, false],
    ['hello', false, true, true, false],
    ['proxy', false, true, true, true],
    ['proxy', false, true, false, false],
    // In another backend, where the gate decides again.
    ['proxy', false, false, true, false],
  ])(
    'are among the protocols of %s, on a foreign path: %s, installed: %s, of an upgrade: %s; %s',
    (pluginId, isForeignPath, isInstalled, isUpgrade, expected) => {
      const change = { isForeignPath, isInstalled, isUpgrade, pluginId };
      expect(readForeign(offered, { header, ...change })).toEqual(
        expected
          ? [
              ['a', undefined],
              ['b', undefined],
            ]
          : [],
      );
    },
  );

  it('are none where Authorization is the credential', () => {
    expect(readForeign({ authorization: 'Bearer static' })).toEqual([]);
  });

  it.each<[string, string, string | undefined]>([
    ['a user', jwt, 'invalid-token'],
    [
      'a user by its audience',
      unsignedToken(undefined, { aud: 'backstage', ...subject }),
      'invalid-token',
    ],
    [
      'a plugin',
      unsignedToken('vnd.backstage.plugin', { sub: 'search' }),
      'invalid-token',
    ],
    ['another server', unsignedToken('JWT', { aud: 'x' }), undefined],
    ['nobody that its text names', 'static', undefined],
  ])('are refused by their type: that of %s', (_, token, reason) => {
    const headers = { authorization: `Bearer ${token}` };
    expect(readForeign(headers, { isForeignPath: true })).toEqual([
      [token, reason],
    ]);
  });
});
