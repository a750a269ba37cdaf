import { Revocation } from './Revocation';
import { RevocationList } from './RevocationList';

const NOW = 1_780_000_000;
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

  it('passes on the users of new revocations, and no others', () => {
    const list = new RevocationList();
    const passed: string[][] = [];
    list.onRevoked(users => passed.push([...users]));
    list.add([ofSession()]);
    list.add([ofSession(), ofUser({ sub: 'User:default/B' })]);
    expect(passed).toEqual([['user:default/a'], ['user:default/b']]);
  });
});
