import { decodeToken } from './token';

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
