import type { LoggerService } from '@backstage/backend-plugin-api';
import {
  Revocation,
  revocationOfSession,
  revocationOfUser,
} from './Revocation';
import { Revocations } from './Revocations';
import type { RevocationStore } from './RevocationStore';

const now = () => Math.floor(Date.now() / 1000);
const session = (sub: string, iat = now() - 10) => ({
  sub,
  iat,
  exp: iat + 3600,
});

function create(store: Partial<RevocationStore>) {
  const warnings: string[] = [];
  const infos: string[] = [];
  const logger = {
    warn: (message: string) => warnings.push(message),
    info: (message: string) => infos.push(message),
  } as unknown as LoggerService;
  const revocations = new Revocations({ logger, pollIntervalMs: 2_000 });
  revocations.follow({
    load: async () => [],
    add: async () => {},
    ...store,
  });
  return { revocations, warnings, infos };
}

describe('Revocations', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('is not up before it follows a store', async () => {
    const logger = { warn: () => {} } as unknown as LoggerService;
    const revocations = new Revocations({ logger, pollIntervalMs: 2_000 });
    const claims = session('user:default/a');
    expect(revocations.isFollowing).toBe(false);
    expect(revocations.isLoaded).toBe(false);
    expect(revocations.staleness).toBeLessThan(1);
    await expect(revocations.load()).rejects.toThrow('store of revocations');
    await expect(
      revocations.revoke(revocationOfSession(claims)),
    ).rejects.toThrow('The store of revocations is not up');
    expect(revocations.isRevoked(claims)).toBe(true);
    const stored: string[] = [];
    await revocations.follow({
      load: async () => [],
      add: async ({ sub }) => {
        stored.push(sub);
      },
    });
    expect(revocations.isFollowing).toBe(true);
    expect(stored).toEqual(['user:default/a']);
    revocations.stop();
  });

  it('tells how old the list is, in seconds', async () => {
    const { revocations } = create({});
    await jest.advanceTimersByTimeAsync(0);
    expect(revocations.staleness).toBe(0);
    await jest.advanceTimersByTimeAsync(1_500);
    expect(revocations.staleness).toBe(1.5);
    revocations.stop();
  });

  it('asks the store at its interval, and twice a second until it has answered', async () => {
    let loads = 0;
    let gone = true;
    const { revocations } = create({
      load: async () => {
        loads += 1;
        if (gone) {
          throw new Error('gone');
        }
        return [];
      },
    });
    const loadsIn = async (milliseconds: number) => {
      loads = 0;
      await jest.advanceTimersByTimeAsync(milliseconds);
      return loads;
    };
    await jest.advanceTimersByTimeAsync(0);
    expect(await loadsIn(1_000)).toBe(2);
    gone = false;
    expect(await loadsIn(500)).toBe(1);
    expect(await loadsIn(1_999)).toBe(0);
    expect(await loadsIn(1)).toBe(1);
    gone = true;
    expect(await loadsIn(4_000)).toBe(2);
    revocations.setPollInterval(100);
    await jest.advanceTimersByTimeAsync(2_000);
    expect(await loadsIn(1_000)).toBe(10);
    revocations.stop();
    expect(await loadsIn(10_000)).toBe(0);
  });

  it('asks no more often before the store has answered than it does later', async () => {
    let loads = 0;
    const { revocations } = create({
      load: async () => {
        loads += 1;
        throw new Error('gone');
      },
    });
    revocations.setPollInterval(100);
    await jest.advanceTimersByTimeAsync(0);
    loads = 0;
    await jest.advanceTimersByTimeAsync(1_000);
    expect(loads).toBe(10);
    revocations.stop();
  });

  it('reads the store for who asks, in time', async () => {
    const theirs = revocationOfSession(session('user:default/theirs'));
    let silent = false;
    const { revocations } = create({
      load: async () => {
        await (silent && new Promise(() => {}));
        return [theirs];
      },
    });
    expect(await revocations.load()).toEqual([theirs]);
    silent = true;
    const failure = revocations.load().catch(error => error.message);
    await jest.advanceTimersByTimeAsync(6_000);
    expect(await failure).toContain('does not answer');
    revocations.stop();
  });

  it('calls back when a session was ended here or elsewhere', async () => {
    const theirs = revocationOfSession(session('user:default/theirs'));
    let rows: Revocation[] = [];
    const { revocations } = create({ load: async () => rows });
    let calls = 0;
    revocations.onRevoked(() => {
      calls += 1;
    });
    await revocations.revoke(revocationOfUser('user:default/a'));
    expect(calls).toBe(1);
    rows = [theirs];
    await jest.advanceTimersByTimeAsync(10_000);
    expect(calls).toBe(2);
    revocations.stop();
  });

  it('asks again where the store goes silent, and tells', async () => {
    let silent = false;
    let loads = 0;
    const { revocations, warnings } = create({
      load: () => {
        loads += 1;
        return silent ? new Promise(() => {}) : Promise.resolve([]);
      },
    });
    await jest.advanceTimersByTimeAsync(0);
    expect(revocations.isLoaded).toBe(true);
    silent = true;
    await jest.advanceTimersByTimeAsync(30_000);
    expect(loads).toBeGreaterThan(3);
    expect(warnings).toHaveLength(1);
    expect(revocations.staleness).toBeGreaterThan(25);
    silent = false;
    await jest.advanceTimersByTimeAsync(10_000);
    expect(revocations.staleness).toBeLessThan(3);
    revocations.stop();
  });

  it('is in force at once, and rejects, while the store is silent', async () => {
    let added = 0;
    let silent = true;
    const { revocations } = create({
      add: async () => {
        added += 1;
        await (silent && new Promise(() => {}));
      },
    });
    const claims = session('user:default/a');
    const revoking = revocations.revoke(revocationOfSession(claims));
    expect(revocations.isRevoked(claims)).toBe(true);
    const failure = revoking.catch(error => error.message);
    await jest.advanceTimersByTimeAsync(6_000);
    expect(await failure).toContain('does not answer');
    silent = false;
    await jest.advanceTimersByTimeAsync(20_000);
    expect(added).toBeGreaterThan(1);
    const writes = added;
    await jest.advanceTimersByTimeAsync(20_000);
    expect(added).toBe(writes);
    revocations.stop();
  });

  it('keeps what it knows when a reading that began before does not have it', async () => {
    const { revocations } = create({});
    const claims = session('user:default/a');
    await revocations.revoke(revocationOfSession(claims));
    await jest.advanceTimersByTimeAsync(10_000);
    expect(revocations.isRevoked(claims)).toBe(true);
    revocations.stop();
  });

  it('forgets what has expired, and not before', async () => {
    const { revocations } = create({});
    // A day of polls, one every two seconds, would take seconds.
    revocations.setPollInterval(60_000);
    const claims = session('user:default/a');
    await revocations.revoke(revocationOfSession(claims));
    await revocations.revoke(revocationOfUser('user:default/b'));
    await jest.advanceTimersByTimeAsync(3600_000);
    expect(revocations.size).toBe(2);
    await jest.advanceTimersByTimeAsync(600_000);
    expect(revocations.size).toBe(1);
    await jest.advanceTimersByTimeAsync(24 * 3600_000);
    expect(revocations.size).toBe(0);
    revocations.stop();
  });

  it('refuses what was issued up to the moment of a user, in any case, and nothing later', async () => {
    const { revocations } = create({});
    await revocations.revoke(revocationOfUser('User:Default/A'));
    expect(revocations.isRevoked(session('user:default/a', now()))).toBe(true);
    expect(revocations.isRevoked(session('user:default/a', now() + 1))).toBe(
      false,
    );
    expect(revocations.isRevoked(session('user:default/b'))).toBe(false);
    revocations.stop();
  });

  it('reads what others have revoked though its own can not be written', async () => {
    const theirs = session('user:default/theirs');
    const { revocations, warnings } = create({
      add: () => Promise.reject(new Error('no')),
      load: async () => [revocationOfSession(theirs)],
    });
    const mine = session('user:default/mine');
    await expect(revocations.revoke(revocationOfSession(mine))).rejects.toThrow(
      'no',
    );
    await jest.advanceTimersByTimeAsync(10_000);
    expect(revocations.isRevoked(theirs)).toBe(true);
    expect(revocations.isRevoked(mine)).toBe(true);
    expect(revocations.staleness).toBeLessThan(3);
    expect(warnings).toHaveLength(1);
    revocations.stop();
  });

  it('keeps one to write of many that are equal, and writes a few at a time', async () => {
    let underWay = 0;
    let most = 0;
    let added = 0;
    let gone = true;
    const { revocations, warnings } = create({
      add: async () => {
        underWay += 1;
        most = Math.max(most, underWay);
        await Promise.resolve();
        underWay -= 1;
        if (gone) {
          throw new Error('gone');
        }
        added += 1;
      },
    });
    for (let i = 0; i < 300; i += 1) {
      const claims = session(`user:default/u${i % 100}`, now());
      await revocations.revoke(revocationOfSession(claims)).catch(() => {});
    }
    most = 0;
    await jest.advanceTimersByTimeAsync(10_000);
    expect(warnings).toEqual([expect.stringContaining('can not write')]);
    gone = false;
    await jest.advanceTimersByTimeAsync(10_000);
    expect(added).toBe(100);
    expect(most).toBeLessThanOrEqual(10);
    revocations.stop();
  });

  it('writes what is revoked while it stops, and reads no more', async () => {
    const [load, add] = [jest.fn(async () => []), jest.fn(async () => {})];
    const { revocations } = create({ load, add });
    await jest.advanceTimersByTimeAsync(3_000);
    revocations.stop();
    expect(load).toHaveBeenCalledTimes(2);
    const late = revocationOfSession(session('user:default/late'));
    await revocations.revoke(late);
    expect(add).toHaveBeenCalledWith(late);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(load).toHaveBeenCalledTimes(2);
  });

  it('says which direction fails, and when it is back', async () => {
    let gone = true;
    const answer = async () => {
      if (gone) {
        throw new Error('gone');
      }
    };
    const { revocations, infos, warnings } = create({
      load: () => answer().then(() => []),
      add: answer,
    });
    const claims = session('user:default/a');
    await revocations.revoke(revocationOfSession(claims)).catch(() => {});
    await jest.advanceTimersByTimeAsync(5_000);
    expect(warnings).toEqual([
      expect.stringContaining('can not read the list of revoked sessions'),
      expect.stringContaining('can not write revoked sessions'),
    ]);
    gone = false;
    await jest.advanceTimersByTimeAsync(5_000);
    expect(infos).toEqual([
      expect.stringContaining('reads the list of revoked sessions again'),
      expect.stringContaining('has written the sessions'),
    ]);
    revocations.stop();
  });

  it('reads no more where it stops while it reads', async () => {
    let loads = 0;
    const { revocations } = create({
      load: async () => {
        loads += 1;
        await new Promise(resolve => setTimeout(resolve, 1_000));
        return [];
      },
    });
    await jest.advanceTimersByTimeAsync(500);
    revocations.stop();
    await jest.advanceTimersByTimeAsync(10_000);
    expect(loads).toBe(1);
  });

  it('does not write any more what has expired meanwhile', async () => {
    let gone = true;
    const stored: string[] = [];
    const { revocations } = create({
      add: async ({ sub }) => {
        if (gone) {
          throw new Error('gone');
        }
        stored.push(sub);
      },
    });
    for (const [sub, lifetime] of [
      ['user:default/short', 60],
      ['user:default/long', 3600],
    ] as const) {
      const claims = { sub, iat: now(), exp: now() + lifetime };
      await revocations.revoke(revocationOfSession(claims)).catch(() => {});
    }
    await jest.advanceTimersByTimeAsync(600_000);
    gone = false;
    await jest.advanceTimersByTimeAsync(10_000);
    expect(stored).toEqual(['user:default/long']);
    revocations.stop();
  });

  it('is not undone by a shorter one of the same user', async () => {
    const { revocations } = create({});
    const claims = session('user:default/a');
    await revocations.revoke(revocationOfUser('user:default/a'));
    await revocations.revoke({
      scope: 'user',
      sub: 'user:default/a',
      iat: now() + 1,
      exp: now() - 1_000,
    });
    await jest.advanceTimersByTimeAsync(10_000);
    expect(revocations.isRevoked(claims)).toBe(true);
    revocations.stop();
  });
});
