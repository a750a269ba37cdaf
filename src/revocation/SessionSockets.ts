import type { Duplex } from 'node:stream';
import { userKey } from '../util/entityRef';
import { callAt } from '../util/time';
import { now, SessionClaims } from './Revocation';
import type { Revocations } from './Revocations';

/**
 * The session that opened a socket. `not-admitted` marks an upgrade that only report-only has let through, until report-only
 * ends.
 */
type Session = SessionClaims | 'not-admitted';

/** A socket that was opened for a session. Several sessions may share one. */
interface Tracked {
  session: Session;
  socket: Duplex;
}

/** Closes WebSockets when the session that opened them ends: immediately when it is revoked, otherwise when its token expires. */
export class SessionSockets {
  /** Open sockets by user: a revocation affects the sockets of one user only, and there may be many other sockets. */
  readonly #open = new Map<string, Set<Tracked>>();

  constructor(
    private readonly options: {
      revocations: Revocations;
      /** Whether the gate enforces refusals, and a callback for when it begins to. */
      source: {
        readonly current: { isEnforced: boolean };
        onEnforced(callback: () => void): void;
      };
    },
  ) {
    options.revocations.onRevoked(users =>
      users.forEach(user => this.#open.get(user)?.forEach(this.#closeIfEnded)),
    );
    options.source.onEnforced(() =>
      this.#open.forEach(sockets => sockets.forEach(this.#closeIfEnded)),
    );
  }

  /**
   * Closes a socket once its session has ended.
   *
   * @returns a function that stops tracking the socket
   */
  track(socket: Duplex, session: Session): () => void {
    if (socket.destroyed) {
      return () => {};
    }
    const tracked = { session, socket };
    let user = 'not-admitted';
    let cancelExpiry = () => {};
    if (session !== 'not-admitted') {
      user = userKey(session.sub);
      cancelExpiry = callAt(session.exp * 1000, () =>
        this.#closeIfEnded(tracked),
      );
    }
    const sockets = this.#open.get(user) ?? new Set<Tracked>();
    this.#open.set(user, sockets.add(tracked));
    const release = () => {
      cancelExpiry();
      socket.off('close', release);
      sockets.delete(tracked);
      if (sockets.size === 0 && this.#open.get(user) === sockets) {
        this.#open.delete(user);
      }
    };
    socket.once('close', release);
    // A socket error without a listener would end the process.
    socket.on('error', ignoreError);
    // Close the socket if its session has ended since the decision.
    this.#closeIfEnded(tracked);
    return release;
  }

  readonly #closeIfEnded = ({ session, socket }: Tracked) => {
    const { revocations, source } = this.options;
    if (
      source.current.isEnforced &&
      (session === 'not-admitted' ||
        revocations.isRevoked(session) ||
        session.exp <= now())
    ) {
      // Destroy the socket with an error, since http-proxy closes its connection to the target only after one.
      socket.destroy(new Error('The session of this WebSocket has ended'));
    }
  };
}

function ignoreError() {}
