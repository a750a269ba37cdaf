import type { Revocation } from './Revocation';

/** A part of a reading of the store. */
export interface RevocationPage {
  revocations: Revocation[];
  /**
   * Where the next page begins, or, after the last page, the next reading: that one finds what was recorded since. `undefined`:
   * the store has no such place, and the next reading is of all again.
   */
  cursor?: string;
  /** Whether this reading has another page. */
  hasMore?: boolean;
}

/** Where replicas share revocations. */
export interface RevocationStore {
  /** Reads a page from a cursor on. Without one, it is the first page of all live revocations. */
  read(cursor?: string): Promise<RevocationPage>;
  /**
   * Resolves once the store keeps a revocation for good. Adding one again changes nothing.
   *
   * @throws InputError if the store will never take it
   */
  add(revocation: Revocation): Promise<void>;
  /** Deletes some revocations that no valid token can match any more. Resolves to whether there may be others. */
  removeExpired?(): Promise<boolean>;
}
