import type { UserSignOut } from '../../store/revocations/createUserSignOut';
import type { UserLocks } from '../../store/revocations/UserLocks';

export const NOT_STORED =
  'Signed out at this replica; the others will follow once the database can be reached';

const LOCK_NOT_STORED =
  'Signed out at this replica, and the lock may be as it was: try again once the database can be reached';

const OFFLINE_SESSIONS_KEPT =
  'except that OAuth clients keep their refresh tokens until the auth plugin can be reached';

export interface EndUserServices {
  locks: Pick<UserLocks, 'find' | 'set'>;
  signOutUser: UserSignOut;
}

/**
 * Ends all sessions of a user, and sets the end of the user's lock if there is one to set. Both are tried, whatever comes of the
 * other.
 *
 * @param lockedUntil - seconds since the epoch; the present second lifts a lock
 * @returns `problem`: why not everything has ended everywhere
 */
export async function endUser(
  { locks, signOutUser }: EndUserServices,
  userEntityRef: string,
  lockedUntil?: number,
) {
  const [lock, { isStored, offlineSessions }] = await Promise.all([
    lockedUntil === undefined
      ? undefined
      : replaceLock(locks, userEntityRef, lockedUntil).catch(
          () => 'failed' as const,
        ),
    signOutUser(userEntityRef),
  ]);
  const scope: 'lock' | 'user' = lock ? 'lock' : 'user';
  if (lock === 'failed') {
    return { scope, problem: LOCK_NOT_STORED };
  }
  if (offlineSessions === 'unreachable') {
    const done = lock ? 'The lock was changed' : 'Signed out';
    return { scope, problem: `${done}, ${OFFLINE_SESSIONS_KEPT}` };
  }
  const problem = isStored ? undefined : NOT_STORED;
  return { scope, problem, offlineSessions, ...lock };
}

export function toInstant(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

async function replaceLock(
  locks: EndUserServices['locks'],
  userEntityRef: string,
  lockedUntil: number,
) {
  const former = await locks.find(userEntityRef);
  await locks.set(userEntityRef, lockedUntil);
  return former === undefined ? {} : { formerLockedUntil: toInstant(former) };
}
