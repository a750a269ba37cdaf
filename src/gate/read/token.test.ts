import type { IncomingMessage } from 'node:http';
import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import {
  bindToken,
  decodeToken,
  effectiveUserToken,
  isExpired,
  readBearer,
  sameSession,
  Token,
  tokenOf,
} from './token';

const jwtOf = (payload: unknown) =>
  [{ typ: 'vnd.backstage.user', alg: 'ES256' }, payload, '']
    .map(part => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');

describe('decodeToken', () => {
  it('reads the claims of a token', () => {
    const claims = {
      sub: 'user:default/jane',
      iss: 'http://localhost/api/auth',
      aud: 'backstage',
      iat: 1,
      exp: 2,
      ent: ['group:default/a'],
    };
    expect(decodeToken(jwtOf(claims))).toEqual({
      typ: 'vnd.backstage.user',
      obo: undefined,
      ...claims,
    });
  });

  it.each([7, null, {}, ['user:default/jane'], true])(
    'ignores a claim that is %j',
    odd => {
      const decoded = decodeToken(
        jwtOf({ sub: odd, iss: odd, obo: odd, ent: [odd, 'a'] }),
      );
      expect(decoded).toMatchObject({ sub: undefined, iss: undefined });
      expect(decoded!.obo).toBeUndefined();
      expect(decoded!.ent).toEqual(['a']);
    },
  );

  it.each([7, null, {}, true])('ignores a typ that is %j', odd => {
    const token = unsignedToken(odd as never, { sub: 'a' });
    expect(decodeToken(token)).toMatchObject({ typ: undefined, sub: 'a' });
  });

  it.each(['1', null, {}, [1], true])('ignores a time that is %j', odd =>
    expect(decodeToken(jwtOf({ iat: odd, exp: odd }))).toMatchObject({
      iat: undefined,
      exp: undefined,
    }),
  );

  it.each([
    '',
    'a',
    'a.b',
    'a.b.c.d',
    'e30.e30.',
    '..',
    'W10.W10.x',
    'e30.bnVsbA.x',
  ])('returns undefined for text that is no JWT: %j', text => {
    const decoded = decodeToken(text);
    expect(decoded?.sub).toBeUndefined();
    expect(decoded?.typ).toBeUndefined();
  });
});

const NOW = Date.parse('2026-06-01T00:00:00Z') / 1000;
const user = { typ: 'vnd.backstage.user', sub: 'user:default/a', exp: NOW };
const limited = { ...user, typ: 'vnd.backstage.limited-user' };
// Backstage before 1.24 has set no `typ`.
const old = { ...user, typ: undefined, aud: 'backstage' };
const plugin = { typ: 'vnd.backstage.plugin', sub: 'search', exp: NOW };
const other = { typ: 'JWT', sub: 'user:default/a', exp: NOW };

describe('effectiveUserToken', () => {
  it.each([
    ['a user’s token', user, user],
    ['a limited one', limited, limited],
    ['one of an old release', old, old],
    ['a service token', plugin, undefined],
    [
      'a service token for a user',
      { ...plugin, aud: 'backstage', obo: limited },
      limited,
    ],
    [
      'a service token with its own audience',
      { ...plugin, aud: 'backstage' },
      undefined,
    ],
    ['another token', other, undefined],
  ])('of %s', (_, token, expected) => {
    expect(effectiveUserToken(token)).toBe(expected);
  });
});

describe('isExpired', () => {
  afterEach(() => jest.restoreAllMocks());
  const isExpiredAt = (token: object, seconds: number) => {
    jest.spyOn(Date, 'now').mockReturnValue(seconds * 1000);
    return isExpired(token, Date.now());
  };

  it.each([user, limited, old, plugin])('of %j is at its `exp`', token => {
    expect(isExpiredAt(token, NOW - 0.001)).toBe(false);
    expect(isExpiredAt(token, NOW)).toBe(true);
    expect(isExpiredAt(token, NOW + 1)).toBe(true);
    expect(isExpiredAt({ ...token, exp: undefined }, NOW)).toBe(false);
  });

  it('is never for another token, whose verifier decides', () => {
    expect(isExpiredAt(other, NOW + 1)).toBe(false);
  });
});

describe('sameSession', () => {
  const token = { sub: 'user:default/a', iat: 1, exp: 2 };
  it('compares the subject and both times', () => {
    expect(sameSession(token, { ...token, ent: [] })).toBe(true);
    expect(sameSession(token, { ...token, sub: 'user:default/b' })).toBe(false);
    expect(sameSession(token, { ...token, iat: 2 })).toBe(false);
    expect(sameSession(token, { ...token, exp: 3 })).toBe(false);
  });
});

describe('Token', () => {
  it('decodes its text once', () => {
    const token = new Token(jwtOf({ sub: 'user:default/a' }));
    expect(token.claims).toMatchObject({ sub: 'user:default/a' });
    expect(token.claims).toBe(token.claims);
    expect(token.userToken).toBe(token.claims);
  });

  it('has no claims if its text is no JWT', () => {
    const token = new Token('static');
    expect(token.claims).toBeUndefined();
    expect(token.userToken).toBeUndefined();
  });

  const session = { sub: 'user:default/a', iat: 1, exp: 2 };

  it.each([
    [{ ...session, iss: 'x' }, session],
    [
      { ...session, iat: 0, exp: 0 },
      { ...session, iat: 0, exp: 0 },
    ],
    [{ ...session, sub: undefined }, undefined],
    [{ ...session, iat: undefined }, undefined],
    [{ ...session, exp: undefined }, undefined],
  ])('with the claims %j has the session %j', (claims, expected) => {
    expect(new Token(jwtOf(claims)).session).toEqual(expected);
  });

  it.each([
    ['aZ09-_.', true],
    ['', false],
    ['a b', false],
    [' a', false],
    ['a=', false],
    ['a\n', false],
  ])('%j has the characters of a compact JWS only: %s', (text, expected) => {
    expect(new Token(text).isCompact).toBe(expected);
  });

  it('has no session if it is of no user', () => {
    expect(new Token('static').session).toBeUndefined();
  });

  it('has the SHA-256 of its text', () => {
    expect(new Token('abc').digest).toBe(
      'ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=',
    );
  });
});

describe('readBearer', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['Bearer x', 'x'],
    ['BEARER  x', 'x'],
    ['Bearer x y', undefined],
    ['Bearer x ', undefined],
    ['Bearerx', undefined],
    ['xBearer x', undefined],
    [' Bearer x', undefined],
    ['Bearer\tx', undefined],
    ['Basic x', undefined],
  ])('for %j returns %j', (authorization, expected) => {
    expect(readBearer({ headers: { authorization } } as never)).toBe(expected);
  });
});

describe('tokenOf', () => {
  it.each([{ authorization: 'Bearer x' }, { authorization: 'Basic x' }, {}])(
    'returns the token that is bound to a request with %j, until none is',
    headers => {
      const req = { headers } as IncomingMessage;
      const unbound = readBearer(req);
      expect(tokenOf(req)).toBe(unbound);
      bindToken(req, 'y');
      expect(tokenOf(req)).toBe('y');
      expect(tokenOf({ ...req } as IncomingMessage)).toBe(unbound);
      bindToken(req, undefined);
      expect(tokenOf(req)).toBe(unbound);
    },
  );
});
