import type { Duplex } from 'node:stream';
import { MAX_TIMEOUT_MS } from '../maxTimeout';
import { now, SessionClaims } from './Revocation';
import type { Revocations } from './Revocations';

/** WebSockets end with the session that opened them: at once when it is revoked, else when its token expires. */
export class SessionSockets {
  readonly #open = new Map<Duplex, SessionClaims | 'not-admitted'>();
  readonly #revocations: Revocations;
  readonly #isEnforced: () => boolean;

  /**
   * @param options.isEnforced - whether refusals are carried out
   * @param options.onEnforced - calls back once they are
   */
  constructor(options: {
    revocations: Revocations;
    isEnforced: () => boolean;
    onEnforced: (callback: () => void) => void;
  }) {
    this.#revocations = options.revocations;
    this.#isEnforced = options.isEnforced;
    const closeEnded = () => this.#open.forEach(this.#closeIfEnded);
    options.revocations.onRevoked(closeEnded);
    options.onEnforced(closeEnded);
  }

  /** @param session - `not-admitted`: the upgrade would have been refused, and is let through by report-only, until its end */
  track(socket: Duplex, session: SessionClaims | 'not-admitted'): void {
    if (socket.destroyed) {
      return;
    }
    const expiry =
      session === 'not-admitted'
        ? undefined
        : setTimeout(
            () => this.#closeIfEnded(session, socket),
            Math.min((session.exp - now()) * 1000, MAX_TIMEOUT_MS),
          );
    expiry?.unref();
    this.#open.set(socket, session);
    socket.once('close', () => {
      clearTimeout(expiry);
      this.#open.delete(socket);
    });
    // What has ended since it was judged.
    this.#closeIfEnded(session, socket);
  }

  readonly #closeIfEnded = (
    session: SessionClaims | 'not-admitted',
    socket: Duplex,
  ) => {
    if (
      this.#isEnforced() &&
      (session === 'not-admitted' ||
        this.#revocations.isRevoked(session) ||
        session.exp <= now())
    ) {
      socket.destroy();
    }
  };
}
