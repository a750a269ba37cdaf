import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Revocations } from '../../store/revocations/Revocations';
import { SessionSockets } from './SessionSockets';

const DAY_SECONDS = 24 * 60 * 60;
const SUB = 'user:default/jane';

/** Creates sockets of sessions, with functions that revoke a user and that end report-only. */
function create(isEnforced = true) {
  const revoked = new Set<string>();
  const source = {
    current: { isEnforced },
    onEnforced: (callback: () => void) => {
      source.enforce = () => {
        source.current = { isEnforced: true };
        callback();
      };
    },
    onReload: (callback: () => void) => {
      source.reload = callback;
    },
    enforce: () => {},
    reload: () => {},
  };
  let report!: (users: Set<string>) => void;
  const isRevoked = jest.fn(({ sub }) => revoked.has(sub.toLowerCase()));
  const sockets = new SessionSockets({
    revocations: {
      isRevoked,
      onRevoked: (listener: typeof report) => {
        report = listener;
      },
    } as unknown as Revocations,
    source,
  });
  return {
    enforce: () => source.enforce(),
    reload: () => source.reload(),
    isRevoked,
    revoke(...users: string[]) {
      users.forEach(user => revoked.add(user));
      report(new Set(users));
    },
    sockets,
  };
}

/** Returns a session whose token expires in a number of seconds. */
function sessionOf(seconds = 3600, sub = SUB) {
  const iat = Math.floor(Date.now() / 1000);
  return { sub, iat, exp: iat + seconds };
}

/** Opens a WebSocket whose token expires in a number of seconds. */
function open(seconds: number) {
  const socket = new PassThrough();
  create().sockets.track(socket, sessionOf(seconds));
  return socket;
}

beforeEach(() => jest.useFakeTimers({ now: new Date('2026-06-01T00:00:00Z') }));
afterEach(() => jest.useRealTimers());

describe('a WebSocket whose token expires', () => {
  it.each([
    [1, 1],
    [3600, 1],
    // Two timers wait so long, and the expiry of a token is in whole seconds.
    [30 * DAY_SECONDS, 1000],
  ])('in %d s is closed then, within %d ms', (seconds, lateMs) => {
    const socket = open(seconds);
    jest.advanceTimersByTime(seconds * 1000 - 1);
    expect(socket.destroyed).toBe(false);
    jest.advanceTimersByTime(lateMs);
    expect(socket.destroyed).toBe(true);
  });

  it('is closed when it expires by a clock that was set back', () => {
    const socket = open(3600);
    jest.setSystemTime(Date.now() - 60_000);
    jest.advanceTimersByTime(3_600_000);
    expect(socket.destroyed).toBe(false);
    jest.advanceTimersByTime(60_000);
    expect(socket.destroyed).toBe(true);
  });

  it('leaves nothing behind once it is closed', async () => {
    await once(open(3600).destroy(), 'close');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is closed at once if it has expired', () => {
    expect(open(-1).destroyed).toBe(true);
  });
});

describe('a WebSocket of a token without a session', () => {
  it('[P83] is closed at the end that the configuration has by then', () => {
    const { reload, sockets } = create();
    const socket = new PassThrough();
    let end = Infinity;
    sockets.track(socket, () => end);
    end = Date.now() + 2_000;
    reload();
    jest.advanceTimersByTime(1_000);
    // The configuration moves the end, and moves it again.
    end = Date.now() + 5_000;
    reload();
    jest.advanceTimersByTime(4_999);
    expect(socket.destroyed).toBe(false);
    jest.advanceTimersByTime(1);
    expect(socket.destroyed).toBe(true);
  });

  it('[P82] is closed by a change that excludes it, once the gate enforces', () => {
    const { enforce, reload, sockets } = create(false);
    const [excluded, other] = [new PassThrough(), new PassThrough()];
    let end = Infinity;
    sockets.track(excluded, () => end);
    sockets.track(other, () => Infinity);
    end = -Infinity;
    reload();
    expect(excluded.destroyed).toBe(false);
    enforce();
    expect([excluded.destroyed, other.destroyed]).toEqual([true, false]);
  });
});

describe('WebSockets of many users', () => {
  it('are checked only if a revocation concerns their user', () => {
    const { isRevoked, revoke, sockets } = create();
    const opened = ['jane', 'JANE', 'john'].map(name => {
      const socket = new PassThrough();
      sockets.track(socket, sessionOf(3600, `user:default/${name}`));
      return socket;
    });
    isRevoked.mockClear();
    revoke('user:default/nobody');
    expect(isRevoked).not.toHaveBeenCalled();
    revoke(SUB, 'user:default/nobody');
    expect(isRevoked).toHaveBeenCalledTimes(2);
    expect(opened.map(({ destroyed }) => destroyed)).toEqual([
      true,
      true,
      false,
    ]);
  });
});

describe('a WebSocket', () => {
  it('is closed with an error when its session is revoked', async () => {
    const { revoke, sockets } = create();
    const socket = new PassThrough();
    sockets.track(socket, sessionOf());
    const errors: Error[] = [];
    socket.on('error', error => errors.push(error));
    revoke(SUB);
    await new Promise(resolve => socket.once('close', resolve));
    expect(errors.map(({ message }) => message)).toEqual([
      'The session of this WebSocket has ended',
    ]);
  });

  it('is closed at once if its session was revoked since the decision', () => {
    const { revoke, sockets } = create();
    revoke(SUB);
    const socket = new PassThrough();
    sockets.track(socket, sessionOf());
    expect(socket.destroyed).toBe(true);
  });

  it('is closed when one of several sessions of a user is revoked', () => {
    const { isRevoked, revoke, sockets } = create();
    const socket = new PassThrough();
    const [first, second] = [sessionOf(3600), sessionOf(7200)];
    sockets.track(socket, first);
    sockets.track(socket, second);
    isRevoked.mockImplementation(({ exp }) => exp === first.exp);
    revoke(SUB);
    expect(socket.destroyed).toBe(true);
  });

  it('ends no process by an error of its connection', () => {
    const { sockets } = create();
    const socket = new PassThrough();
    sockets.track(socket, sessionOf());
    expect(() => socket.emit('error', new Error('reset'))).not.toThrow();
  });

  it('is not tracked if it is closed already', () => {
    const { sockets } = create();
    const socket = new PassThrough().destroy();
    const before = socket.listenerCount('error');
    const release = sockets.track(socket, sessionOf());
    expect(socket.listenerCount('error')).toBe(before);
    expect(jest.getTimerCount()).toBe(0);
    expect(release()).toBeUndefined();
  });

  it('is tracked no more once it is released', () => {
    const { revoke, sockets } = create();
    const socket = new PassThrough();
    const before = socket.listenerCount('close');
    const release = sockets.track(socket, sessionOf());
    release();
    expect(socket.listenerCount('close')).toBe(before);
    expect(jest.getTimerCount()).toBe(0);
    revoke(SUB);
    expect(socket.destroyed).toBe(false);
  });

  it('is closed also if others of its user were released', () => {
    const { revoke, sockets } = create();
    const opened = [new PassThrough(), new PassThrough(), new PassThrough()];
    const [first, second] = opened
      .slice(0, 2)
      .map(socket => sockets.track(socket, sessionOf()));
    first();
    second();
    sockets.track(opened[2], sessionOf());
    first();
    const last = new PassThrough();
    sockets.track(last, sessionOf())();
    revoke(SUB);
    expect(opened.map(({ destroyed }) => destroyed)).toEqual([
      false,
      false,
      true,
    ]);
  });

  it('waits for the expiry of its token by one timer', () => {
    const socket = open(3600);
    jest.advanceTimersToNextTimer();
    expect(socket.destroyed).toBe(true);
  });
});

describe('a WebSocket in report-only', () => {
  it('[P96] closes when its session is revoked; any other stays open until report-only ends, whether or not it was admitted', () => {
    const { enforce, revoke, sockets } = create(false);
    const [admitted, revoked, expired, notAdmitted] = Array.from(
      { length: 4 },
      () => new PassThrough(),
    );
    sockets.track(admitted, sessionOf(3600, 'user:default/john'));
    sockets.track(revoked, sessionOf());
    sockets.track(expired, sessionOf(1, 'user:default/joe'));
    sockets.track(notAdmitted, 'not-admitted');
    // Only sessions have an expiry to wait for.
    expect(jest.getTimerCount()).toBe(3);
    revoke(SUB);
    jest.advanceTimersByTime(2_000);
    const all = [admitted, revoked, expired, notAdmitted];
    expect(all.map(({ destroyed }) => destroyed)).toEqual([
      false,
      true,
      false,
      false,
    ]);
    enforce();
    expect(all.map(({ destroyed }) => destroyed)).toEqual([
      false,
      true,
      true,
      true,
    ]);
  });

  it('that was not admitted is closed at once if report-only has just ended', () => {
    const socket = new PassThrough();
    create().sockets.track(socket, 'not-admitted');
    expect(socket.destroyed).toBe(true);
  });
});
