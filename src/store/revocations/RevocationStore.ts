import { withTimeout } from '../../gate/util/time';
import type { Revocation } from '../../gate/sessions/Revocation';

const STORE_TIMEOUT_MS = 6_000;

export interface RevocationPage {
  revocations: Revocation[];
  /**
   * The cursor of the next page, or, after the last page, of the next reading, which returns the revocations that were recorded
   * since. `undefined` if the backend of the `auth` plugin has no gate; the next reading then starts with the first page again.
   */
  cursor?: string;
  hasMore?: boolean;
}

/** Stores the revocations that replicas share. */
export interface RevocationStore {
  /** Reads a page from a cursor on. Without a cursor, the page is the first one of all live revocations. */
  read(cursor?: string): Promise<RevocationPage>;
  /**
   * Resolves once the store keeps a revocation permanently. Adding the same sign-out again changes nothing.
   *
   * @throws InputError if the store will never accept the revocation
   */
  add(revocation: Revocation): Promise<void>;
  /** Deletes some revocations that no valid token can match any more. Resolves to whether there may be more of them. */
  removeExpired?(): Promise<boolean>;
}

/** Bounds the wait for the store: a store that hangs must not stop polling. */
export function storeInTime<T>(answer: Promise<T>): Promise<T> {
  return withTimeout(
    answer,
    STORE_TIMEOUT_MS,
    'The store of revocations does not answer',
  );
}
