import type { Duplex } from 'node:stream';
import { MAX_TIMEOUT_MS } from '../util/maxTimeout';
import { now, SessionClaims } from './Revocation';
import type { Revocations } from './Revocations';

/** Whether refusals are carried out, and when that begins. */
interface SocketPolicy {
  readonly current: { isEnforced: boolean };
  onEnforced(callback: () => void): void;
}

/** WebSockets end with the session that opened them: at once when it is revoked, else when its token expires. */
export class SessionSockets {
  readonly #open = new Map<Duplex, SessionClaims | 'not-admitted'>();
  readonly #revocations: Revocations;
  readonly #source: SocketPolicy;

  constructor(options: { revocations: Revocations; source: SocketPolicy }) {
    this.#revocations = options.revocations;
    this.#source = options.source;
    const closeEnded = () => this.#open.forEach(this.#closeIfEnded);
    options.revocations.onRevoked(closeEnded);
    options.source.onEnforced(closeEnded);
  }

  /**
   * Closes a socket once its session has ended.
   *
   * @param session - `not-admitted`: the upgrade would have been refused, and is let through by report-only, until its end
   * @returns what leaves the socket alone again
   */
  track(socket: Duplex, session: SessionClaims | 'not-admitted'): () => void {
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
    this.#open.set(socket, session);
    const release = () => {
      clearTimeout(expiry);
      this.#open.delete(socket);
      socket.off('close', release);
    };
    socket.once('close', release);
    // Without a listener, an error would end the process.
    socket.on('error', ignoreError);
    // What has ended since it was judged.
    this.#closeIfEnded(session, socket);
    return release;
  }

  readonly #closeIfEnded = (
    session: SessionClaims | 'not-admitted',
    socket: Duplex,
  ) => {
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
