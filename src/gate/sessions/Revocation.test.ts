import { Revocation, RevocationList, userKey } from './Revocation';

const NOW = 1_780_000_000;
const DAY = 86_400;

const claims = { sub: 'user:default/a', iat: NOW - 10, exp: NOW + 3600 };
const ofSession = (change: Partial<Revocation> = {}): Revocation => ({
  scope: 'session',
  ...claims,
  ...change,
});
const ofUser = (change: Partial<Revocation> = {}): Revocation => ({
  scope: 'user',
  ...claims,
  ...change,
});

describe('RevocationList', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: NOW * 1000 });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('holds for the session alone, by all of its claims', () => {
    const list = new RevocationList();
    list.add([ofSession()]);
    expect(list.isRevoked({ ...claims })).toBe(true);
    for (const change of [
      { sub: 'user:default/b' },
      { iat: claims.iat - 1 },
      { exp: claims.exp + 1 },
    ]) {
      expect(list.isRevoked({ ...claims, ...change })).toBe(false);
    }
  });

  it('holds for a user up to the moment, in any spelling', () => {
    const list = new RevocationList();
    list.add([ofUser({ sub: 'User:Default/A' })]);
    for (const [change, expected] of [
      [{}, true],
      [{ iat: 0, exp: 1 }, true],
      [{ sub: 'USER:default/a' }, true],
      [{ iat: claims.iat + 1 }, false],
      [{ sub: 'user:default/b' }, false],
    ] as const) {
      expect(list.isRevoked({ ...claims, ...change })).toBe(expected);
    }
  });

  it.each(['later', '__proto__', 'constructor', undefined])(
    'refuses the tokens of a user by a scope of a later version: %s',
    scope => {
      const list = new RevocationList();
      list.add([ofUser({ scope: scope as 'user' })]);
      expect(list.isRevoked(claims)).toBe(true);
      expect(list.isRevoked({ ...claims, iat: claims.iat + 1 })).toBe(false);
    },
  );

  it('applies the longest of several revocations of one user', () => {
    const list = new RevocationList();
    list.add([
      ofUser({ iat: NOW - 5, exp: NOW + 10 }),
      ofUser({ iat: NOW - 20, exp: NOW + 20 }),
      ofUser({ iat: NOW - 30, exp: NOW + 5 }),
    ]);
    expect(list.size).toBe(1);
    expect(list.isRevoked({ ...claims, iat: NOW - 5 })).toBe(true);
    jest.setSystemTime((NOW + 20 + 300) * 1000);
    list.removeExpired();
    expect(list.size).toBe(1);
    jest.setSystemTime((NOW + 21 + 300) * 1000);
    list.removeExpired();
    expect(list.size).toBe(0);
  });

  it('forgets each five minutes after it has expired, and no other', () => {
    const list = new RevocationList();
    list.add([
      ofSession({ exp: NOW }),
      ofSession({ exp: NOW + 1 }),
      ofUser({ exp: NOW }),
      ofUser({ sub: 'user:default/b', exp: NOW + 1 }),
    ]);
    const sizes = [299, 300, 301, 302].map(seconds => {
      jest.setSystemTime((NOW + seconds) * 1000);
      list.removeExpired();
      return list.size;
    });
    expect(sizes).toEqual([4, 4, 2, 0]);
  });

  it('calls back once for all new revocations', () => {
    const list = new RevocationList();
    const calls: string[] = [];
    list.onRevoked(() => calls.push('a'));
    list.onRevoked(() => calls.push('b'));
    const callsOf = (...revocations: Revocation[]) => {
      calls.length = 0;
      list.add(revocations);
      return calls.join('');
    };
    expect(callsOf()).toBe('');
    expect(callsOf(ofSession(), ofUser())).toBe('ab');
    expect(callsOf(ofSession(), ofUser())).toBe('');
    expect(callsOf(ofSession({ exp: NOW }), ofSession())).toBe('ab');
    expect(callsOf(ofUser({ iat: NOW - 11 }))).toBe('');
    expect(callsOf(ofUser({ exp: NOW }))).toBe('');
    expect(callsOf(ofUser({ iat: NOW }))).toBe('ab');
    expect(callsOf(ofUser({ exp: NOW + 9999 }))).toBe('ab');
  });

  describe('[P80] of a user who is signed out until later', () => {
    const HOUR = 60 * 60;
    const until = (end: number, change: Partial<Revocation> = {}) =>
      ofUser({ iat: end, exp: end + DAY, ...change });
    const refuses = (list: RevocationList, ...iats: number[]) =>
      iats.map(iat => list.isRevoked({ ...claims, iat }));

    it('refuses every token that is issued up to the end, also afterwards, and no other', () => {
      const list = new RevocationList();
      const end = NOW + HOUR;
      list.add([until(end, { sub: 'User:Default/A' })]);
      for (const second of [NOW, end - 1, end, end + 3 * HOUR]) {
        jest.setSystemTime(second * 1000);
        const found = refuses(list, 0, NOW, end - 1, end, end + 1);
        expect(found).toEqual([true, true, true, true, false]);
      }
      expect(list.isRevoked({ ...claims, sub: 'user:default/b' })).toBe(false);
    });

    it.each([
      ['a sooner one', NOW + 60],
      ['a sign-out of this second', NOW],
      ['a later one', NOW + 2 * HOUR],
    ])('keeps the later end, in either order: beside %s', (_, other) => {
      const both = [until(NOW + HOUR), until(other)];
      const end = Math.max(NOW + HOUR, other);
      for (const order of [both, [...both].reverse()]) {
        const list = new RevocationList();
        for (const each of order) {
          list.add([each]);
        }
        expect(list.size).toBe(1);
        expect(refuses(list, end, end + 1)).toEqual([true, false]);
      }
    });

    it('is forgotten once the last of its tokens has expired', () => {
      const list = new RevocationList();
      list.add([until(NOW + HOUR)]);
      const sizes = [300, 301].map(seconds => {
        jest.setSystemTime((NOW + HOUR + DAY + seconds) * 1000);
        list.removeExpired();
        return list.size;
      });
      expect(sizes).toEqual([1, 0]);
    });
  });

  it('passes on the users of new revocations, and no others', () => {
    const list = new RevocationList();
    const passed: string[][] = [];
    list.onRevoked(users => passed.push([...users]));
    list.add([ofSession()]);
    list.add([ofSession(), ofUser({ sub: 'User:default/B' })]);
    expect(passed).toEqual([['user:default/a'], ['user:default/b']]);
  });
});

it('all spellings of a user have one key, and no other user has it', () => {
  expect(userKey('User:default/A')).toBe(userKey('user:Default/a'));
  expect(userKey('user:default/a')).not.toBe(userKey('user:default/b'));
  expect(userKey('user:default/weiß')).not.toBe(userKey('user:default/weiss'));
});
