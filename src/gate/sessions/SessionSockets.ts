import type { Duplex } from 'node:stream';
import { callAt } from '../util/time';
import { RevocationList, SessionClaims, userKey } from './Revocation';

/**
 * The session that opened a socket. For a token without one, a function returns the time at which its limits end the socket, in
 * milliseconds since 1970.
 */
export type SocketSession = SessionClaims | (() => number);

/** Ends a socket. `not-admitted` marks an upgrade that only report-only has let through, until report-only ends. */
export type SocketEnd = SocketSession | 'not-admitted';

/** Calls back when the gate begins to enforce refusals, and after each change of the configuration. */
export interface PolicyChanges {
  onEnforced(callback: () => void): void;
  onReload(callback: () => void): void;
}

/** A socket, and one of the things that may end it. */
interface Tracked {
  by: SocketEnd;
  socket: Duplex;
  cancelEnd: () => void;
}

/** Closes WebSockets when the session that opened them is revoked, when the limits of its token end it, or when its token expires. */
export class SessionSockets {
  /** Open sockets by user, those of no user at `''`: a revocation affects the sockets of one user only, and there may be many others. */
  readonly #open = new Map<string, Set<Tracked>>();

  constructor(
    private readonly options: {
      revocations: Pick<RevocationList, 'isRevoked' | 'onRevoked'>;
      source: PolicyChanges & { readonly current: { isEnforced: boolean } };
    },
  ) {
    options.revocations.onRevoked(users => this.#closeEnded(users));
    options.source.onEnforced(() => this.#closeEnded(this.#open.keys()));
    options.source.onReload(() => this.#closeEnded(['']));
  }

  /**
   * Closes a socket once it has to end.
   *
   * @returns a function that stops tracking the socket
   */
  track(socket: Duplex, by: SocketEnd): () => void {
    if (socket.destroyed) {
      return () => {};
    }
    const tracked = { by, socket, cancelEnd: () => {} };
    const user = typeof by === 'object' ? userKey(by.sub) : '';
    const sockets = this.#open.get(user) ?? new Set<Tracked>();
    this.#open.set(user, sockets.add(tracked));
    const release = () => {
      tracked.cancelEnd();
      socket.off('close', release);
      sockets.delete(tracked);
      if (sockets.size === 0 && this.#open.get(user) === sockets) {
        this.#open.delete(user);
      }
    };
    socket.once('close', release);
    // A socket error without a listener would end the process.
    socket.on('error', () => {});
    // Close the socket if its session has ended since the decision.
    this.#closeIfEnded(tracked);
    return release;
  }

  #closeEnded(users: Iterable<string>) {
    for (const user of users) {
      for (const tracked of this.#open.get(user) ?? []) {
        this.#closeIfEnded(tracked);
      }
    }
  }

  #closeIfEnded(tracked: Tracked) {
    const { revocations, source } = this.options;
    const { by } = tracked;
    const isRevoked = typeof by === 'object' && revocations.isRevoked(by);
    const end = isRevoked ? -Infinity : this.#endOf(by);
    tracked.cancelEnd();
    if (Date.now() < end) {
      // By then, the end of a token without a session may be another one.
      tracked.cancelEnd = callAt(end, () => this.#closeIfEnded(tracked));
    } else if (isRevoked || source.current.isEnforced) {
      // Report-only closes the sockets of revoked sessions only, and leaves the others until it ends.
      // Destroy the socket with an error, since http-proxy closes its connection to the target only after one.
      const error = new Error('The session of this WebSocket has ended');
      tracked.socket.destroy(error);
    }
  }

  /** Returns the end of a socket whose session is not revoked, in milliseconds since 1970. */
  #endOf(by: SocketEnd): number {
    if (typeof by === 'function') {
      return by();
    }
    return by === 'not-admitted' ? -Infinity : by.exp * 1000;
  }
}
