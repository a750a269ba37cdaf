import type { IssuerClock } from './IssuerClock';
import type { OfflineSessions } from './OfflineSessions';
import {
  LONGEST_SESSION_SECONDS,
  Revocation,
  SessionClaims,
} from '../../gate/sessions/Revocation';
import type { Revocations } from './Revocations';

const MAX_REPEATS = 2;

export type UserSignOut = ReturnType<typeof createUserSignOut>;

/**
 * Creates the function that ends every session of a user: the refresh tokens of OAuth clients, and every token that was issued
 * before those had ended. The function never throws; its result holds the steps that failed. If the `auth` plugin is `unreachable`,
 * retries run in the background.
 */
export function createUserSignOut(options: {
  issuerClock: IssuerClock;
  /** `undefined`: all refresh tokens are kept. */
  offlineSessions: Pick<OfflineSessions, 'end'> | undefined;
  revocations: Pick<Revocations, 'revoke'>;
}) {
  const { issuerClock, revocations } = options;

  /**
   * @param known - a session of the user. If the clock of its issuer is ahead, the sign-out covers all tokens up to that session
   * @param until - the second, since the epoch, up to which tokens that are yet to be issued are refused, too
   */
  return async (userEntityRef: string, known?: SessionClaims, until = 0) => {
    const upToNow = (): Revocation => {
      const iat = Math.max(known?.iat ?? 0, until, issuerClock.now());
      // The longest lifetime of a token, or that of the known session if it expires later.
      const exp = Math.max(known?.exp ?? 0, iat + LONGEST_SESSION_SECONDS);
      return { scope: 'user', sub: userEntityRef, iat, exp };
    };
    const endOfflineSessions = async () =>
      options.offlineSessions
        ? options.offlineSessions
            .end(userEntityRef)
            .catch((): 'unreachable' => 'unreachable')
        : 'kept';

    // Revoke before the request to the `auth` plugin, so that the tokens are refused at this replica meanwhile.
    let revocation = upToNow();
    const [wasStored, answer] = await Promise.all([
      revocations.revoke(revocation),
      endOfflineSessions(),
    ]);
    let isStored = wasStored;
    // Revoke again: a refresh token may have produced a token while it was being ended, and another while the store was written.
    for (let i = 0; i < MAX_REPEATS; i += 1) {
      const later = upToNow();
      if (later.iat <= revocation.iat) {
        break;
      }
      revocation = later;
      isStored = await revocations.revoke(revocation);
    }
    return { revocation, isStored, offlineSessions: answer };
  };
}
