import type { DatabaseRevocationStore } from './DatabaseRevocationStore';
import {
  endOfLock,
  lockOfUser,
  now,
  Revocation,
  RevocationList,
} from '../../gate/sessions/Revocation';
import { storeInTime } from './RevocationStore';

/**
 * Locks users out, and lifts locks. Each method fails if the store is out of reach: a write is not retried, since it could replace a
 * change that was made meanwhile. All times are in seconds since the epoch.
 */
export class UserLocks {
  constructor(
    private readonly options: {
      store: Pick<DatabaseRevocationStore, 'add' | 'readLock'>;
      revocations: Pick<RevocationList, 'add'>;
    },
  ) {}

  /** Returns the end of a lock that lasts. The store has it, since another replica may have set it a moment ago. */
  async find(userEntityRef: string): Promise<number | undefined> {
    const lock = await this.#read(userEntityRef);
    const end = lock ? endOfLock(lock) : 0;
    return end > now() ? end : undefined;
  }

  /** Sets the end of a user's lock; the present second lifts it. The change is in force at this replica once the store has it. */
  async set(userEntityRef: string, end: number): Promise<void> {
    const { revocations, store } = this.options;
    await storeInTime(store.add(lockOfUser(userEntityRef, end)));
    const lock = await this.#read(userEntityRef);
    revocations.add(lock ? [lock] : [], true);
  }

  #read(userEntityRef: string): Promise<Revocation | undefined> {
    return storeInTime(this.options.store.readLock(userEntityRef));
  }
}
