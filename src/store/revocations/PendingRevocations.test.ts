import { InputError } from '@backstage/errors';
import { PendingRevocations } from './PendingRevocations';
import type { Revocation } from '../../gate/sessions/Revocation';

const NOW = 1_780_000_000;
const revocation = (change: Partial<Revocation> = {}): Revocation => ({
  scope: 'session',
  sub: 'user:default/a',
  iat: NOW - 10,
  exp: NOW + 36_000,
  ...change,
});
const many = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, i) =>
    revocation({ sub: `user:default/${prefix}${i}` }),
  );

/** Creates a store that accepts the users for whom `fails` returns false. */
function create(fails: (sub: string) => Error | false = () => false) {
  const logged: [string, object][] = [];
  const stored: Revocation[] = [];
  const state = { fails, calls: 0 };
  const pending = new PendingRevocations({
    logger: {
      warn: (message: string, meta: object) => logged.push([message, meta]),
    } as never,
    store: async each => {
      state.calls += 1;
      const error = state.fails(each.sub);
      if (error) {
        throw error;
      }
      stored.push(each);
    },
  });
  const writeAll = (revocations: Revocation[]) =>
    Promise.allSettled(revocations.map(each => pending.write(each)));
  return { pending, state, stored, logged, writeAll };
}

const gone = () => new Error('gone');

describe('[P22] PendingRevocations', () => {
  beforeEach(() => jest.useFakeTimers({ now: NOW * 1000 }));
  afterEach(() => jest.useRealTimers());

  it('holds what could not be written, until it is', async () => {
    const { pending, state, stored } = create(gone);
    await expect(pending.write(revocation())).rejects.toThrow('gone');
    await expect(pending.retry()).rejects.toThrow('gone');
    expect(pending.size).toBe(1);
    state.fails = () => false;
    await pending.retry();
    await pending.retry();
    expect([pending.size, stored]).toEqual([0, [revocation()]]);
  });

  it('writes all but those that fail, however many of them come first', async () => {
    const { pending, state, stored, writeAll } = create(gone);
    await writeAll(many(35, 'failing'));
    await writeAll(many(20, 'good'));
    state.fails = sub => sub.includes('failing') && gone();
    for (let i = 0; i < 5; i += 1) {
      await expect(pending.retry()).rejects.toThrow('gone');
    }
    expect(stored).toHaveLength(20);
    expect(pending.size).toBe(35);
  });

  it('tries no more than ten while none of them can be written', async () => {
    const { pending, state, writeAll } = create(gone);
    await writeAll(many(300, ''));
    state.calls = 0;
    await expect(pending.retry()).rejects.toThrow('gone');
    expect(state.calls).toBe(10);
  });

  it.each([
    ['a NUL', 'user:default/\0'],
    ['a NUL at the start', '\0user:default/a'],
    ['a control character', 'user:default/\u0085'],
    ['a line end', 'user:default/\n'],
    ['half of a character', 'user:default/\ud83d'],
    ['the other half', 'user:default/\ude00'],
    ['nothing', ''],
    ['1001 characters', 'u'.repeat(1_001)],
  ])('refuses %s at once, and logs that once', async (_, sub) => {
    const { pending, state, logged } = create();
    for (let i = 0; i < 3; i += 1) {
      const writing = pending.write(revocation({ sub }));
      await expect(writing).rejects.toMatchObject({
        name: 'InputError',
        message:
          'sub must be at most 1000 characters of text without control characters',
      });
    }
    expect([pending.size, state.calls]).toEqual([0, 0]);
    expect(logged).toEqual([
      [
        'API gate drops revocations: the database can not store such a user or such a time. They stay in force at this replica until it stops, and others do not see them',
        { dropped: 1 },
      ],
    ]);
    expect(JSON.stringify(logged)).not.toContain('user:default');
  });

  it.each([NaN, Infinity, 2 ** 53, 1.5])(
    'refuses the time %s at once',
    async time => {
      const { pending } = create();
      for (const change of [{ iat: time }, { exp: time }]) {
        await expect(pending.write(revocation(change))).rejects.toMatchObject({
          name: 'InputError',
        });
      }
    },
  );

  it.each(['user:default/a', '👍', 'u'.repeat(1_000)])(
    'writes %s',
    async sub => {
      const { pending, stored } = create();
      await pending.write(revocation({ sub }));
      expect(stored).toHaveLength(1);
    },
  );

  it('drops what the store never takes, while it writes and later', async () => {
    const { pending, state, stored, logged } = create(
      () => new InputError('never'),
    );
    await expect(pending.write(revocation())).rejects.toThrow('never');
    expect(pending.size).toBe(0);
    state.fails = gone;
    await expect(pending.write(revocation())).rejects.toThrow('gone');
    state.fails = () => new InputError('never');
    await pending.retry();
    await pending.retry();
    expect([pending.size, stored]).toEqual([0, []]);
    expect(logged).toHaveLength(1);
    jest.advanceTimersByTime(60_000);
    await expect(pending.write(revocation())).rejects.toThrow('never');
    expect(logged[1][1]).toEqual({ dropped: 3 });
  });

  it('holds ten thousand: the oldest make room for others', async () => {
    const { pending, state, stored, logged, writeAll } = create(gone);
    await writeAll(many(10_000, 'old'));
    expect(logged).toEqual([]);
    await writeAll(many(3, 'new'));
    expect(pending.size).toBe(10_000);
    expect(logged).toEqual([
      [expect.stringContaining('the oldest make room'), { dropped: 1 }],
    ]);
    state.fails = () => false;
    await pending.retry();
    const subs = new Set(stored.map(({ sub }) => sub));
    expect(
      ['old0', 'old1', 'old2', 'old3', 'new2'].map(name =>
        subs.has(`user:default/${name}`),
      ),
    ).toEqual([false, false, false, true, true]);
  });

  it('joins revocations of one user in any spelling, and holds a session once', async () => {
    const { pending, state, stored, writeAll } = create(gone);
    const [iat, exp] = [NOW - 20, NOW + 90_000];
    await writeAll([
      revocation({ scope: 'user' }),
      revocation({ scope: 'user', sub: 'USER:default/A', iat, exp }),
      revocation({ scope: 'user', sub: 'user:default/b' }),
      revocation(),
      revocation(),
      revocation({ iat }),
    ]);
    expect(pending.size).toBe(4);
    state.fails = () => false;
    await pending.retry();
    expect(stored).toContainEqual(
      expect.objectContaining({ scope: 'user', iat: NOW - 10, exp }),
    );
  });

  it('writes a later revocation of a user too that comes while the first is written', async () => {
    let answer!: () => void;
    const stored: number[] = [];
    const pending = new PendingRevocations({
      logger: {} as never,
      store: async ({ iat }) => {
        stored.push(iat);
        if (stored.length === 1) {
          await new Promise<void>(resolve => {
            answer = resolve;
          });
        } else if (stored.length === 2) {
          throw gone();
        }
      },
    });
    const first = pending.write(revocation({ scope: 'user', iat: 1 }));
    const later = pending.write(revocation({ scope: 'user', iat: 2 }));
    await expect(later).rejects.toThrow('gone');
    answer();
    await first;
    await pending.retry();
    expect([pending.size, stored]).toEqual([0, [1, 2, 2]]);
  });

  it('writes nothing again that was written while the others were', async () => {
    const { pending, state, stored, writeAll } = create(gone);
    const revocations = many(11, '');
    const last = revocations[10];
    await writeAll(revocations);
    state.fails = () => false;
    const retrying = pending.retry();
    await pending.write(last);
    await retrying;
    expect(stored.filter(({ sub }) => sub === last.sub)).toHaveLength(1);
    expect([pending.size, stored.length]).toEqual([0, 11]);
  });

  it('holds what a store has refused without an error', async () => {
    const pending = new PendingRevocations({
      logger: {} as never,
      store: () => Promise.reject(undefined),
    });
    await expect(pending.write(revocation())).rejects.toBeUndefined();
    expect(pending.size).toBe(1);
  });

  it('forgets what has expired meanwhile', async () => {
    const { pending, state, writeAll } = create(gone);
    await writeAll([revocation({ exp: NOW + 60 }), revocation()]);
    jest.advanceTimersByTime(59_000);
    state.calls = 0;
    await expect(pending.retry()).rejects.toThrow('gone');
    expect([pending.size, state.calls]).toEqual([2, 2]);
    jest.advanceTimersByTime(1_000);
    await expect(pending.retry()).rejects.toThrow('gone');
    expect([pending.size, state.calls]).toEqual([1, 3]);
  });
});
