import type { LoggerService } from '@backstage/backend-plugin-api';
import { Backoff } from '../util/Backoff';
import { withTimeout } from '../util/withTimeout';
import { FailureLog } from './FailureLog';
import { PendingRevocations } from './PendingRevocations';
import type { Revocation } from './Revocation';
import { RevocationList } from './RevocationList';
import { RevocationReader } from './RevocationReader';
import type { RevocationPage, RevocationStore } from './RevocationStore';

const STORE_TIMEOUT_MS = 6_000;

// Until the list has been loaded, no user may pass.
const RETRY_BEFORE_LOADED_MS = 500;

const FORGET_EXPIRED_INTERVAL_MS = 60_000;
const REMOVE_EXPIRED_INTERVAL_MS = 10 * 60_000;

/**
 * Holds the revocations that this replica has seen. Requests never wait for the store: the list is in memory and follows the
 * store in the background. While the store is out of reach, the revocations in the list stay in force.
 */
export class Revocations extends RevocationList {
  readonly #createdAt = performance.now();
  readonly #reading: FailureLog;
  readonly #writing: FailureLog;
  readonly #pending: PendingRevocations;
  readonly #reader: RevocationReader;
  readonly #backoff = new Backoff();
  #pollIntervalMs: number;
  #store: RevocationStore | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  #loadedAt: number | undefined;
  #forgetAt = 0;
  #removeAt: number;
  #isWriting = false;

  constructor(options: { logger: LoggerService; pollIntervalMs: number }) {
    super();
    const { logger } = options;
    this.#reading = new FailureLog(logger, {
      failing:
        'API gate can not read the list of revoked sessions: those that it knows stay refused, newer ones of other replicas are not seen',
      again: 'API gate reads the list of revoked sessions again',
    });
    this.#writing = new FailureLog(logger, {
      failing:
        'API gate can not write revoked sessions: they are refused by this replica, and not by others yet',
      again: 'API gate has written the sessions that were revoked meanwhile',
    });
    this.#pending = new PendingRevocations({
      logger,
      store: revocation => storeInTime(this.#storeOrThrow().add(revocation)),
    });
    this.#reader = new RevocationReader({
      readPage: async cursor => {
        const page = await this.readPage(cursor);
        this.add(page.revocations);
        return page;
      },
      isStopped: () => this.#isStopped,
    });
    this.#pollIntervalMs = options.pollIntervalMs;
    this.#removeAt = this.#nextRemoval();
  }

  /** Whether the list has ever been complete. Before that, a session may be revoked without being on it. */
  get isLoaded(): boolean {
    return this.#loadedAt !== undefined;
  }

  get isSyncing(): boolean {
    return this.#store !== undefined;
  }

  /** The seconds since the list was last complete, or since this replica started if the list never was. */
  get staleness(): number {
    return (performance.now() - (this.#loadedAt ?? this.#createdAt)) / 1000;
  }

  /**
   * Puts a revocation in force at this replica at once, and resolves when the store has it.
   *
   * @throws InputError if the store will never accept the revocation; Error if the store is out of reach, in which case the write
   *   is retried
   */
  async revoke(revocation: Revocation): Promise<void> {
    this.add([revocation]);
    await this.#pending.write(revocation);
  }

  /** Reads a page from the store, as {@link RevocationStore.read} does. */
  async readPage(cursor: string | undefined): Promise<RevocationPage> {
    const page = await storeInTime(this.#storeOrThrow().read(cursor));
    if (page.hasMore && page.cursor === cursor) {
      throw new Error(
        'The store of revocations returned the cursor of the same page',
      );
    }
    return page;
  }

  /**
   * Starts to follow a store. Resolves after the first reading, whether or not it succeeded, and after six seconds at the latest:
   * the rest of a long list is read in the background.
   */
  async follow(store: RevocationStore): Promise<void> {
    this.#store = store;
    await storeInTime(this.#poll()).catch(() => {});
  }

  /** Sets the interval. The change applies after the current wait. */
  setPollInterval(milliseconds: number): void {
    this.#pollIntervalMs = milliseconds;
  }

  /** Stops reading. Revocations of requests in progress are still written. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#isStopped = true;
  }

  async #poll(): Promise<void> {
    const startedAt = performance.now();
    try {
      const readAt = await this.#reader.readNew();
      if (!this.#isStopped) {
        this.#loadedAt = readAt;
      }
      await this.#reader.readAgain(this.#pollIntervalMs);
      this.#reading.succeeded();
      this.#backoff.succeeded();
    } catch (error) {
      this.#reading.failed(error);
      this.#backoff.failedAfter(performance.now() - startedAt);
    }
    this.#writePending();
    this.#cleanUp();
    if (!this.#isStopped) {
      const interval = this.isLoaded
        ? this.#pollIntervalMs
        : Math.min(this.#pollIntervalMs, RETRY_BEFORE_LOADED_MS);
      this.#timer = setTimeout(
        () => this.#poll(),
        Math.max(interval, this.#backoff.waitMs()),
      ).unref();
    }
  }

  /** Writes pending revocations. Readings do not wait for this. */
  async #writePending(): Promise<void> {
    if (this.#isWriting) {
      return;
    }
    this.#isWriting = true;
    try {
      await this.#pending.retry();
      this.#writing.succeeded();
    } catch (error) {
      this.#writing.failed(error);
    } finally {
      this.#isWriting = false;
    }
  }

  /** Removes expired revocations from the list, and from the store, where every replica may do so. */
  #cleanUp(): void {
    const at = performance.now();
    if (at >= this.#forgetAt) {
      this.#forgetAt = at + FORGET_EXPIRED_INTERVAL_MS;
      this.removeExpired();
    }
    if (at >= this.#removeAt) {
      this.#removeAt = this.#nextRemoval();
      this.#removeExpiredRows();
    }
  }

  /** Removes expired rows in batches. Readings do not wait for this, and the next run makes up for a failure. */
  async #removeExpiredRows(): Promise<void> {
    try {
      while (!this.#isStopped && (await this.#store?.removeExpired?.())) {
        // Continue while the store may have more expired rows.
      }
    } catch {
      // Ignore the error: the next run retries, and polling reports database failures.
    }
  }

  /** Returns a random time, so that replicas which start together do not delete at the same time. */
  #nextRemoval(): number {
    return (
      performance.now() + REMOVE_EXPIRED_INTERVAL_MS * (0.5 + Math.random())
    );
  }

  #storeOrThrow(): RevocationStore {
    if (!this.#store) {
      throw new Error('The store of revocations is not up');
    }
    return this.#store;
  }
}

/** Bounds the wait for the store: a store that hangs must not stop polling. */
function storeInTime<T>(answer: Promise<T>): Promise<T> {
  return withTimeout(
    answer,
    STORE_TIMEOUT_MS,
    'The store of revocations does not answer',
  );
}
