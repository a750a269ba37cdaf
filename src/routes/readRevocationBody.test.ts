import { readRevocationBody } from './readRevocationBody';

const NOON = Date.parse('2026-11-25T12:00:00Z');
const noon = NOON / 1000;
const DAY = 24 * 60 * 60;
const session = { sub: 'user:default/Jane', iat: noon, exp: noon + 60 };

beforeEach(() => jest.useFakeTimers({ now: NOON }));
afterEach(() => jest.useRealTimers());

describe('readRevocationBody', () => {
  it.each([
    ['User:Default/Jörg@Example.com', 'user:default/jörg@example.com'],
    // The Kelvin sign equals a K in a comparison without case.
    ['USER:default/\u212Aim', 'user:default/kim'],
  ])('reads the user %s without case', (userEntityRef, read) => {
    expect(readRevocationBody({ userEntityRef })).toEqual({
      userEntityRef: read,
    });
  });

  it.each([
    [session, { ...session, scope: 'session' }],
    [
      { ...session, scope: 'user' },
      { ...session, scope: 'user' },
    ],
    // Two clocks may be ahead by five minutes each.
    [
      { ...session, iat: noon + 600, exp: noon + 600 + DAY },
      { ...session, iat: noon + 600, exp: noon + 600 + DAY, scope: 'session' },
    ],
    [
      { ...session, sub: 'x'.repeat(1000), exp: noon },
      { ...session, sub: 'x'.repeat(1000), exp: noon, scope: 'session' },
    ],
  ])('reads %j', (body, revocation) => {
    expect(readRevocationBody(body)).toEqual({ revocation });
  });

  it.each<[unknown, string]>([
    [undefined, 'The body must be a JSON object'],
    [null, 'The body must be a JSON object'],
    ['x', 'The body must be a JSON object'],
    [[], 'The body must be a JSON object'],
    [{}, 'userEntityRef is missing'],
    [{ userEntityRef: null }, 'userEntityRef must be a full'],
    [{ userEntityRef: 'jane' }, 'userEntityRef must be a full'],
    [{ userEntityRef: 'user:default/a\nb' }, 'userEntityRef must be a full'],
    [{ userEntityRef: 'user:default/a\u0000' }, 'userEntityRef must be a full'],
    [
      { userEntityRef: `user:default/${'a'.repeat(1000)}` },
      'userEntityRef must be a full',
    ],
    [{ userEntityRef: 'user:default/\ud800' }, 'userEntityRef must be a full'],
    [{ userEntityRef: 'user:default/a', x: 1 }, 'x is not known'],
    [{ ...session, sub: '' }, 'sub must be text'],
    [{ ...session, sub: 5 }, 'sub must be text'],
    [{ ...session, sub: ['user:default/a'] }, 'sub must be text'],
    [{ ...session, sub: '\u0000a' }, 'sub must be text'],
    [{ ...session, sub: 'x'.repeat(1001) }, 'sub must be text'],
    [{ ...session, sub: 'a\u0000' }, 'sub must be text'],
    [{ ...session, sub: 'a\u0085' }, 'sub must be text'],
    [{ ...session, sub: '\udfff' }, 'sub must be text'],
    [{ ...session, iat: noon + 601 }, 'iat must be'],
    [{ ...session, iat: 1.5 }, 'iat must be'],
    [{ ...session, iat: '1' }, 'iat must be'],
    [{ ...session, exp: noon - 1 }, 'exp must be'],
    [{ ...session, exp: noon + 601 + DAY }, 'exp must be'],
    [{ ...session, exp: undefined }, 'exp must be'],
    [{ ...session, exp: noon + 0.5 }, 'exp must be'],
    [{ ...session, scope: 'all' }, 'scope must be'],
    [{ ...session, x: 1 }, 'x is not known'],
  ])('refuses %j', (body, message) => {
    expect(() => readRevocationBody(body)).toThrow(message);
  });
});
