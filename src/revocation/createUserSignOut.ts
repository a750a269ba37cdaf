import type { IssuerClock } from './IssuerClock';
import type { OfflineSessions, OfflineSessionsAnswer } from './OfflineSessions';
import { Revocation, revocationOfUser, SessionClaims } from './Revocation';
import type { Revocations } from './Revocations';

const MAX_REPEATS = 2;

/** What a sign-out everywhere has done. */
export interface UserSignOutResult {
  /** In force at this replica. */
  revocation: Revocation;
  /** Whether other replicas will see it: it is in the store. */
  isStored: boolean;
  /** `unreachable`: the `auth` plugin could not be asked, and is asked again in the background. */
  offlineSessions: OfflineSessionsAnswer | 'kept' | 'unreachable';
}

/** Ends every session of a user. */
export type UserSignOut = (
  userEntityRef: string,
  options: {
    /** One of the sessions. If the clock that issued it is ahead, all that this clock issued before it end as well. */
    known?: SessionClaims;
    /** Whether the refresh tokens of OAuth clients end too. */
    offlineSessions: 'keep' | 'end';
  },
) => Promise<UserSignOutResult>;

/**
 * Makes what ends every session of a user: the refresh tokens of OAuth clients, and every token that was issued until that was
 * done. It never throws, and the result holds what could not be done.
 */
export function createUserSignOut(options: {
  issuerClock: IssuerClock;
  offlineSessions: Pick<OfflineSessions, 'end'> | undefined;
  revocations: Pick<Revocations, 'revoke'>;
}): UserSignOut {
  const { issuerClock, revocations } = options;

  return async (userEntityRef, { known, offlineSessions }) => {
    const upToNow = () =>
      revocationOfUser(userEntityRef, {
        sub: userEntityRef,
        iat: Math.max(known?.iat ?? 0, issuerClock.now()),
        exp: known?.exp ?? 0,
      });
    const store = (revocation: Revocation) =>
      revocations.revoke(revocation).then(
        () => true,
        () => false,
      );
    const endOfflineSessions = async () => {
      if (offlineSessions === 'keep' || !options.offlineSessions) {
        return 'kept';
      }
      return options.offlineSessions
        .end(userEntityRef)
        .catch((): 'unreachable' => 'unreachable');
    };

    // At once: the tokens are refused here while the `auth` plugin is asked.
    let revocation = upToNow();
    const [wasStored, answer] = await Promise.all([
      store(revocation),
      endOfflineSessions(),
    ]);
    let isStored = wasStored;
    // A refresh token may have given a token while it was being ended, and another while the store was written.
    for (let i = 0; i < MAX_REPEATS; i += 1) {
      const later = upToNow();
      if (later.iat <= revocation.iat) {
        break;
      }
      revocation = later;
      isStored = await store(revocation);
    }
    return { revocation, isStored, offlineSessions: answer };
  };
}
