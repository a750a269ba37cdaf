import type { Duplex } from 'node:stream';
import { MAX_TIMEOUT_MS } from '../util/maxTimeout';
import { now, SessionClaims, userKey } from './Revocation';
import type { Revocations } from './Revocations';

/** `not-admitted`: the upgrade would have been refused, and is let through by report-only, until its end. */
type Session = SessionClaims | 'not-admitted';

/** Whether refusals are carried out, and when that begins. */
interface SocketPolicy {
  readonly current: { isEnforced: boolean };
  onEnforced(callback: () => void): void;
}

/** WebSockets end with the session that opened them: at once when it is revoked, else when its token expires. */
export class SessionSockets {
  /** By user: a revocation concerns the sockets of one user only, and there may be many others. */
  readonly #open = new Map<string, Map<Duplex, Session>>();
  readonly #revocations: Revocations;
  readonly #source: SocketPolicy;

  constructor(options: { revocations: Revocations; source: SocketPolicy }) {
    this.#revocations = options.revocations;
    this.#source = options.source;
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
   * @returns a function that leaves the socket alone again
   */
  track(socket: Duplex, session: Session): () => void {
    if (socket.destroyed) {
      return () => {};
    }
    let expiry: NodeJS.Timeout | undefined;
    const watchExpiry = (exp: number) => {
      // Again if it is not over then: a timer reaches only so far, and clocks are set back.
      expiry = setTimeout(
        () =>
          exp > now() ? watchExpiry(exp) : this.#closeIfEnded(session, socket),
        Math.min((exp - now()) * 1000, MAX_TIMEOUT_MS),
      );
      expiry.unref();
    };
    if (session !== 'not-admitted') {
      watchExpiry(session.exp);
    }
    const user = session === 'not-admitted' ? session : userKey(session.sub);
    const sockets = this.#open.get(user) ?? new Map<Duplex, Session>();
    this.#open.set(user, sockets.set(socket, session));
    const release = () => {
      clearTimeout(expiry);
      socket.off('close', release);
      sockets.delete(socket);
      if (sockets.size === 0 && this.#open.get(user) === sockets) {
        this.#open.delete(user);
      }
    };
    socket.once('close', release);
    // Without a listener, an error would end the process.
    socket.on('error', ignoreError);
    // What has ended since it was judged.
    this.#closeIfEnded(session, socket);
    return release;
  }

  readonly #closeIfEnded = (session: Session, socket: Duplex) => {
    if (
      this.#source.current.isEnforced &&
      (session === 'not-admitted' ||
        this.#revocations.isRevoked(session) ||
        session.exp <= now())
    ) {
      // An error, since http-proxy closes its connection to the target only for one.
      socket.destroy(new Error('The session of this WebSocket has ended'));
    }
  };
}

function ignoreError() {}
