import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Revocations } from './Revocations';
import { SessionSockets } from './SessionSockets';

const DAY_SECONDS = 24 * 60 * 60;

/** Creates sockets of sessions that are never revoked. */
const create = () =>
  new SessionSockets({
    revocations: {
      isRevoked: () => false,
      onRevoked: () => {},
    } as unknown as Revocations,
    source: { current: { isEnforced: true }, onEnforced: () => {} },
  });

/** Opens a WebSocket whose token expires in a number of seconds. */
function open(seconds: number) {
  const socket = new PassThrough();
  const iat = Math.floor(Date.now() / 1000);
  create().track(socket, { sub: 'user:default/jane', iat, exp: iat + seconds });
  return socket;
}

describe('a WebSocket whose token expires', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: new Date('2026-06-01T00:00:00Z') });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it.each([1, 3600, 30 * DAY_SECONDS])('in %d s is closed then', seconds => {
    const socket = open(seconds);
    jest.advanceTimersByTime(seconds * 1000 - 1);
    expect(socket.destroyed).toBe(false);
    // The expiry of a token is in whole seconds.
    jest.advanceTimersByTime(1000);
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

describe('WebSockets of many users', () => {
  it('are checked only if a revocation concerns their user', async () => {
    const ended = new Set<string>();
    const isRevoked = jest.fn(({ sub }) => ended.has(sub.toLowerCase()));
    let revoked!: (users: Set<string>) => void;
    const sockets = new SessionSockets({
      revocations: {
        isRevoked,
        onRevoked: (listener: typeof revoked) => {
          revoked = listener;
        },
      } as unknown as Revocations,
      source: { current: { isEnforced: true }, onEnforced: () => {} },
    });
    const opened = ['jane', 'JANE', 'john'].map(name => {
      const socket = new PassThrough();
      const iat = Math.floor(Date.now() / 1000);
      const sub = `user:default/${name}`;
      sockets.track(socket, { sub, iat, exp: iat + 3600 });
      return socket;
    });
    isRevoked.mockClear();
    ended.add('user:default/jane');
    revoked(new Set(['user:default/nobody']));
    expect(isRevoked).not.toHaveBeenCalled();
    revoked(new Set(['user:default/jane', 'user:default/nobody']));
    expect(isRevoked).toHaveBeenCalledTimes(2);
    expect(opened.map(({ destroyed }) => destroyed)).toEqual([
      true,
      true,
      false,
    ]);
  });
});
