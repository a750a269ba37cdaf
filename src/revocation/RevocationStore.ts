import type { Revocation } from './Revocation';

/** Where replicas share revocations. */
export interface RevocationStore {
  /** All that are live. */
  load(): Promise<Revocation[]>;
  /** Resolves once it is kept for good. Adding one again changes nothing. */
  add(revocation: Revocation): Promise<void>;
}
