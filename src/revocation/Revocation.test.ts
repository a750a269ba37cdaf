import { revocationOfSession, revocationOfUser } from './Revocation';

const NOW = 1_780_000_000;
const DAY = 86_400;

describe('Revocation', () => {
  beforeEach(() => jest.useFakeTimers({ now: NOW * 1000 + 999 }));
  afterEach(() => jest.useRealTimers());

  it('of a session has its claims, and nothing else of the token', () => {
    const claims = { sub: 'user:default/a', iat: NOW - 10, exp: NOW, ent: [] };
    expect(revocationOfSession(claims)).toEqual({
      scope: 'session',
      sub: 'user:default/a',
      iat: NOW - 10,
      exp: NOW,
    });
  });

  it.each([
    [undefined, NOW + DAY],
    [NOW + DAY - 1, NOW + DAY],
    [NOW + DAY + 1, NOW + DAY + 1],
  ])(
    'of a user with a session until %s is kept until %i',
    (sessionUntil, exp) => {
      const sub = 'user:default/a';
      expect(
        revocationOfUser(
          sub,
          sessionUntil === undefined
            ? undefined
            : { sub, iat: NOW - 10, exp: sessionUntil },
        ),
      ).toEqual({ scope: 'user', sub, iat: NOW, exp });
    },
  );

  it('of a user covers a session from a clock that is ahead', () => {
    const sub = 'user:default/a';
    const session = { sub, iat: NOW + 60, exp: NOW + 120 };
    expect(revocationOfUser(sub, session)).toEqual({
      scope: 'user',
      sub,
      iat: NOW + 60,
      exp: NOW + 60 + DAY,
    });
  });
});
