import type { IncomingMessage } from 'node:http';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import { GateCookie } from '../cookie/GateCookie';
import { Refusal } from '../decision/Refusal';
import { readUpgradeTokens } from './readUpgradeTokens';

const cookie = new GateCookie(
  { enabled: true, name: 'token', attributes: {} } as never,
  'localhost',
);
const jwt = unsignedToken('vnd.backstage.user', { sub: 'user:default/a' });

/** Returns the tokens of a handshake, with the prefix `protocol` for an offered protocol. */
function read(headers: Record<string, string>, rawHeaders: string[] = []) {
  const req = {
    headers,
    rawHeaders: [...Object.entries(headers).flat(), ...rawHeaders],
  } as IncomingMessage;
  return readUpgradeTokens(req, cookie).map(({ kind, token, authProtocol }) =>
    authProtocol === undefined
      ? [kind, token]
      : [kind, token, 'protocol', authProtocol],
  );
}

describe('readUpgradeTokens', () => {
  const protocols = (value: string) => ({ 'sec-websocket-protocol': value });
  const bearer = { authorization: 'Bearer b' };
  const ofCookie = { cookie: 'token=c' };

  it.each([
    [bearer, [['bearer', 'b']]],
    [ofCookie, [['cookie', 'c']]],
    [{ ...bearer, ...ofCookie }, [['bearer', 'b']]],
    [
      { ...protocols('x, y') },
      [
        ['bearer', 'x', 'protocol', 'x'],
        ['bearer', 'y', 'protocol', 'y'],
      ],
    ],
    [
      { ...protocols('x'), ...bearer },
      [
        ['bearer', 'x', 'protocol', 'x'],
        ['bearer', 'b'],
      ],
    ],
    [
      { ...protocols('graphql-ws'), ...ofCookie },
      [
        ['bearer', 'graphql-ws', 'protocol', 'graphql-ws'],
        ['cookie', 'c'],
      ],
    ],
    [
      { ...protocols(`graphql-ws, ${jwt}`), ...ofCookie },
      [
        ['bearer', 'graphql-ws', 'protocol', 'graphql-ws'],
        ['bearer', jwt, 'protocol', jwt],
      ],
    ],
    [
      { ...protocols('x'), authorization: 'Basic b', ...ofCookie },
      [['bearer', 'x', 'protocol', 'x']],
    ],
    [
      { ...protocols('x'), cookie: 'token=c; token=d' },
      [['bearer', 'x', 'protocol', 'x']],
    ],
    [{ ...protocols(' , '), ...ofCookie }, [['cookie', 'c']]],
  ])('returns for %j %j', (headers, expected) => {
    expect(read(headers as never)).toEqual(expected);
  });

  it.each([
    [{}, Refusal.missingCredentials],
    [{ cookie: 'backstage-auth=s' }, Refusal.missingCredentials],
    [{ authorization: 'Basic b' }, Refusal.unsupportedScheme],
    [{ cookie: 'token=c; token=d' }, Refusal.conflictingCookies],
    [protocols('a, b, c, d, e, f'), Refusal.tooManyTokens],
    [{ ...protocols('a, b, c, d, e'), ...bearer }, Refusal.tooManyTokens],
  ])('refuses %j', (headers, refusal) => {
    expect(() => read(headers as never)).toThrow(refusal);
  });

  it('refuses two headers, whatever protocols are offered', () => {
    const twice = ['authorization', 'Bearer y'];
    expect(() => read({ ...protocols('x'), ...bearer }, twice)).toThrow(
      Refusal.repeatedAuthorization,
    );
  });

  it('returns at most five tokens, besides the cookie', () => {
    expect(read({ ...protocols('a, b, c, d, e'), ...ofCookie })).toHaveLength(
      6,
    );
    expect(read({ ...protocols('a, b, c, d'), ...bearer })).toHaveLength(5);
  });
});
