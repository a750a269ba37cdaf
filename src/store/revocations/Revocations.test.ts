import type { LoggerService } from '@backstage/backend-plugin-api';
import { Revocation, SessionClaims } from '../../gate/sessions/Revocation';
import { Revocations } from './Revocations';
import type { RevocationPage, RevocationStore } from './RevocationStore';

// A day has thousands of timers, and each takes a turn of the event loop: a busy machine needs a minute for it.
jest.setTimeout(300_000);

let intervalMs = 2_000;
const withInterval = (logger: LoggerService) => ({
  logger,
  get pollIntervalMs() {
    return intervalMs;
  },
});
afterEach(() => {
  intervalMs = 2_000;
});

const now = () => Math.floor(Date.now() / 1000);
const session = (sub: string, iat = now() - 10) => ({
  sub,
  iat,
  exp: iat + 3600,
});
const revocationOfSession = (claims: SessionClaims): Revocation => ({
  scope: 'session',
  ...claims,
});
const revocationOfUser = (sub: string): Revocation => {
  const iat = now();
  return { scope: 'user', sub, iat, exp: iat + 86_400 };
};

/** Follows a store without cursors, which returns all revocations each time. */
function create({
  load = async () => [],
  ...store
}: Partial<RevocationStore> & { load?: () => Promise<Revocation[]> }) {
  const warnings: string[] = [];
  const infos: string[] = [];
  const logger = {
    warn: (message: string) => warnings.push(message),
    info: (message: string) => infos.push(message),
  } as unknown as LoggerService;
  const revocations = new Revocations(withInterval(logger));
  revocations.follow({
    read: async () => ({ revocations: await load() }),
    add: async () => {},
    ...store,
  });
  return { revocations, warnings, infos };
}

describe('Revocations', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('is not up before it follows a store', async () => {
    const logger = { warn: () => {} } as unknown as LoggerService;
    const revocations = new Revocations(withInterval(logger));
    const claims = session('user:default/a');
    expect(revocations.isSyncing).toBe(false);
    expect(revocations.isLoaded).toBe(false);
    await jest.advanceTimersByTimeAsync(1_500);
    expect(revocations.staleness).toBe(1.5);
    expect(await revocations.revoke(revocationOfSession(claims))).toBe(false);
    expect(revocations.isRevoked(claims)).toBe(true);
    await expect(revocations.readPage('')).rejects.toThrow(
      'The store of revocations is not up',
    );
    const stored: string[] = [];
    await revocations.follow({
      read: async () => ({ revocations: [] }),
      add: async ({ sub }) => {
        stored.push(sub);
      },
    });
    expect(revocations.isSyncing).toBe(true);
    expect(stored).toEqual(['user:default/a']);
  });

  it('reads the store at its interval, and twice a second until it has answered', async () => {
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
    intervalMs = 100;
    await jest.advanceTimersByTimeAsync(2_000);
    expect(await loadsIn(1_000)).toBe(10);
    revocations.stop();
    expect(await loadsIn(10_000)).toBe(0);
  });

  it('reads a page on request, in bounded time', async () => {
    const theirs = revocationOfSession(session('user:default/theirs'));
    let silent = false;
    const { revocations } = create({
      load: async () => {
        await (silent && new Promise(() => {}));
        return [theirs];
      },
    });
    expect(await revocations.readPage('')).toEqual({ revocations: [theirs] });
    silent = true;
    const failure = revocations.readPage('').catch(error => error.message);
    await jest.advanceTimersByTimeAsync(6_000);
    expect(await failure).toContain('does not answer');
  });

  it('calls back when a session was revoked here or elsewhere', async () => {
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
    await jest.advanceTimersByTimeAsync(6_000);
    expect(await revoking).toBe(false);
    silent = false;
    await jest.advanceTimersByTimeAsync(20_000);
    expect(added).toBeGreaterThan(1);
    const writes = added;
    await jest.advanceTimersByTimeAsync(20_000);
    expect(added).toBe(writes);
  });

  it('reads the revocations of others even if its own can not be written', async () => {
    const theirs = session('user:default/theirs');
    const { revocations, warnings } = create({
      add: () => Promise.reject(new Error('no')),
      load: async () => [revocationOfSession(theirs)],
    });
    const mine = session('user:default/mine');
    expect(await revocations.revoke(revocationOfSession(mine))).toBe(false);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(revocations.isRevoked(theirs)).toBe(true);
    expect(revocations.isRevoked(mine)).toBe(true);
    expect(revocations.staleness).toBeLessThan(3);
    expect(warnings).toHaveLength(1);
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

  it('logs which direction fails, and when it works again', async () => {
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
    await revocations.revoke(revocationOfSession(claims));
    await jest.advanceTimersByTimeAsync(5_000);
    expect(warnings).toEqual([
      expect.stringContaining('can not read the list of revoked sessions'),
      expect.stringContaining('can not write revoked sessions'),
    ]);
    gone = false;
    await jest.advanceTimersByTimeAsync(5_000);
    expect(infos.sort()).toEqual([
      expect.stringContaining('has written the sessions'),
      expect.stringContaining('reads the list of revoked sessions again'),
    ]);
  });

  it('is not complete if it is stopped between two pages', async () => {
    const { revocations, following, cursors } = follow(async cursor => {
      await new Promise(resolve => setTimeout(resolve, 1_000));
      const page = Number(cursor ?? 0) + 1;
      return { revocations: [], cursor: String(page), hasMore: true };
    });
    await jest.advanceTimersByTimeAsync(500);
    revocations.stop();
    await jest.advanceTimersByTimeAsync(10_000);
    await following;
    expect(cursors().length).toBeLessThanOrEqual(2);
    expect(revocations.isLoaded).toBe(false);
  });

  it('writes what is pending in one run at a time', async () => {
    let writes = 0;
    const { revocations } = create({
      add: () => {
        writes += 1;
        return new Promise(() => {});
      },
    });
    await jest.advanceTimersByTimeAsync(500);
    const revoking = revocations.revoke(
      revocationOfSession(session('user:default/a')),
    );
    await jest.advanceTimersByTimeAsync(1_000);
    expect(writes).toBe(1);
    // The run that begins after two seconds waits six seconds for the store.
    await jest.advanceTimersByTimeAsync(6_999);
    expect(await revoking).toBe(false);
    expect(writes).toBe(2);
  });
});

/** Follows a store that returns the pages of `pages`, by cursor. */
function follow(
  pages: (cursor: string | undefined) => Promise<RevocationPage>,
) {
  const read = jest.fn(pages);
  const removeExpired = jest.fn(async () => false);
  const warn = jest.fn();
  const logger = { warn, info: () => {} } as unknown as LoggerService;
  const revocations = new Revocations(withInterval(logger));
  const following = revocations.follow({
    read,
    add: async () => {},
    removeExpired,
  });
  const cursors = () => read.mock.calls.splice(0).map(([cursor]) => cursor);
  return { revocations, following, read, removeExpired, cursors, warn };
}

describe('Revocations of a store with a cursor', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());
  const of = (sub: string) => [revocationOfSession(session(sub))];

  it('[P24] reads all pages, and then what is new', async () => {
    const { revocations, following, cursors } = follow(async cursor => {
      switch (cursor) {
        case undefined:
          return { revocations: of('a'), cursor: 'page 2', hasMore: true };
        case 'page 2':
          return { revocations: of('b'), cursor: 'end 1' };
        default:
          return {
            revocations: of(`after ${cursor}`),
            cursor: `end ${Number(cursor.slice(4)) + 1}`,
          };
      }
    });
    await following;
    expect(cursors()).toEqual([undefined, 'page 2']);
    expect(revocations.size).toBe(2);
    await jest.advanceTimersByTimeAsync(4_000);
    expect(cursors()).toEqual(['end 1', 'end 2']);
    expect(revocations.size).toBe(4);
  });

  it('goes on from the page that failed, and is loaded after the last', async () => {
    let failures = 2;
    const { revocations, following, cursors } = follow(async cursor => {
      if (cursor === 'page 2' && failures > 0) {
        failures -= 1;
        throw new Error('slow');
      }
      return cursor === undefined
        ? { revocations: of('a'), cursor: 'page 2', hasMore: true }
        : { revocations: of('b'), cursor: 'end' };
    });
    await following;
    await jest.advanceTimersByTimeAsync(500);
    expect(revocations.isLoaded).toBe(false);
    expect(revocations.staleness).toBe(0.5);
    expect(revocations.size).toBe(1);
    expect(cursors()).toEqual([undefined, 'page 2', 'page 2']);
    await jest.advanceTimersByTimeAsync(500);
    expect(revocations.isLoaded).toBe(true);
    expect(cursors()).toEqual(['page 2']);
  });

  it('reports the age of a list that took long to read', async () => {
    const { revocations, following } = follow(async cursor => {
      await new Promise(resolve => setTimeout(resolve, 1_500));
      return { revocations: [], cursor: cursor ? 'end' : 'begun' };
    });
    await jest.advanceTimersByTimeAsync(1_500);
    await following;
    expect(revocations.staleness).toBe(1.5);
  });

  it('is followed in six seconds, and read on after that, where the store is slow', async () => {
    const { revocations, following, cursors } = follow(async cursor => {
      await new Promise(resolve => setTimeout(resolve, 1_000));
      const page = Number(cursor ?? 0) + 1;
      return {
        revocations: of(`user ${page}`),
        cursor: String(page),
        hasMore: page < 100,
      };
    });
    let isFollowed = false;
    following.then(() => {
      isFollowed = true;
    });
    await jest.advanceTimersByTimeAsync(5_999);
    expect(isFollowed).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect([isFollowed, revocations.isLoaded]).toEqual([true, false]);
    await jest.advanceTimersByTimeAsync(95_000);
    expect([revocations.isLoaded, revocations.size]).toEqual([true, 100]);
    expect(cursors()).toHaveLength(100);
  });

  it.each([500, 2_000, 6_000])(
    'reads all again after ten minutes, a page every two seconds: with a poll every %i ms',
    async interval => {
      const { following, read } = follow(async cursor => {
        const [kind, page] = cursor?.split(' ') ?? ['all', '0'];
        return kind === 'end' || page === '6'
          ? { revocations: [], cursor: 'end' }
          : {
              revocations: of(`user ${page}`),
              cursor: `all ${Number(page) + 1}`,
              hasMore: true,
            };
      });
      intervalMs = interval;
      await following;
      read.mockClear();
      const allPages = () =>
        read.mock.calls.filter(([cursor]) => cursor !== 'end').length;
      await jest.advanceTimersByTimeAsync(600_000 - 1);
      expect(allPages()).toBe(0);
      await jest.advanceTimersByTimeAsync(1);
      expect(allPages()).toBe(1);
      await jest.advanceTimersByTimeAsync(2_000);
      expect(allPages()).toBe(2);
      await jest.advanceTimersByTimeAsync(300_000);
      expect(allPages()).toBe(7);
      await jest.advanceTimersByTimeAsync(400_000);
      expect(allPages()).toBe(14);
    },
  );

  it('reads all no further once it is stopped', async () => {
    let isSlow = false;
    const { revocations, following, cursors } = follow(async cursor => {
      if (cursor === 'end') {
        return { revocations: [], cursor };
      }
      if (isSlow) {
        await new Promise(resolve => setTimeout(resolve, 1_000));
      }
      return cursor === undefined
        ? { revocations: [], cursor: 'page 2', hasMore: true }
        : { revocations: [], cursor: 'end' };
    });
    intervalMs = 6_000;
    await following;
    await jest.advanceTimersByTimeAsync(599_999);
    cursors();
    isSlow = true;
    await jest.advanceTimersByTimeAsync(501);
    expect(cursors().sort()).toEqual(['end', undefined]);
    revocations.stop();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(cursors()).toEqual([]);
  });

  it('reads again what failed, and what is new meanwhile', async () => {
    let fails = false;
    const { revocations, following, read, warn } = follow(async cursor => {
      if (fails && cursor === 'page 2') {
        throw new Error('slow');
      }
      return cursor === undefined
        ? { revocations: [], cursor: 'page 2', hasMore: true }
        : { revocations: [], cursor: 'end' };
    });
    await following;
    fails = true;
    await jest.advanceTimersByTimeAsync(601_000);
    read.mockClear();
    await jest.advanceTimersByTimeAsync(6_000);
    const asked = () =>
      read.mock.calls
        .splice(0)
        .map(([cursor]) => cursor)
        .sort();
    const each = ['end', 'end', 'end', 'page 2', 'page 2', 'page 2'];
    expect(asked()).toEqual(each);
    expect(warn.mock.calls).toEqual([
      [expect.stringContaining('can not read the list'), expect.anything()],
    ]);
    expect(revocations.staleness).toBeLessThan(3);
    fails = false;
    await jest.advanceTimersByTimeAsync(4_000);
    expect(asked()).toEqual(['end', 'end', 'page 2']);
  });

  it('reads no page twice whose cursor the store returns again', async () => {
    const { revocations, following, cursors } = follow(async () => ({
      revocations: [],
      cursor: 'same',
      hasMore: true,
    }));
    await following;
    expect(cursors()).toEqual([undefined, 'same']);
    expect(revocations.isLoaded).toBe(false);
    await expect(revocations.readPage('same')).rejects.toThrow(
      'cursor of the same page',
    );
  });

  it.each([
    [0, 300_000],
    [0.5, 600_000],
    [1, 900_000],
  ])(
    'has expired rows removed every five to fifteen minutes, all that there are',
    async (random, milliseconds) => {
      jest.spyOn(Math, 'random').mockReturnValue(random);
      const { revocations, following, removeExpired } = follow(async () => ({
        revocations: [],
        cursor: 'end',
      }));
      await following;
      const forget = jest.spyOn(revocations, 'removeExpired');
      await jest.advanceTimersByTimeAsync(milliseconds - 2_000);
      expect(removeExpired).not.toHaveBeenCalled();
      expect(forget).not.toHaveBeenCalled();
      removeExpired.mockResolvedValueOnce(true).mockResolvedValueOnce(true);
      await jest.advanceTimersByTimeAsync(2_000);
      expect(removeExpired).toHaveBeenCalledTimes(3);
      expect(forget).toHaveBeenCalledTimes(1);
      removeExpired.mockRejectedValue(new Error('gone'));
      await jest.advanceTimersByTimeAsync(2 * milliseconds);
      expect(removeExpired).toHaveBeenCalledTimes(5);
      removeExpired.mockResolvedValue(true);
      await jest.advanceTimersByTimeAsync(0);
      revocations.stop();
      await jest.advanceTimersByTimeAsync(3600_000);
      expect(removeExpired).toHaveBeenCalledTimes(5);
      jest.mocked(Math.random).mockRestore();
    },
  );

  it('has no more expired rows removed once it is stopped', async () => {
    const { revocations, following, removeExpired } = follow(async () => ({
      revocations: [],
      cursor: 'end',
    }));
    removeExpired.mockImplementation(async () => {
      await new Promise(resolve => setTimeout(resolve, 1_000));
      return true;
    });
    await following;
    await jest.advanceTimersByTimeAsync(902_000);
    const calls = removeExpired.mock.calls.length;
    expect(calls).toBeGreaterThan(0);
    revocations.stop();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(removeExpired).toHaveBeenCalledTimes(calls);
  });
});
