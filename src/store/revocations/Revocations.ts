import type { LoggerService } from '@backstage/backend-plugin-api';
import { poll } from '../poll';
import { PendingRevocations } from './PendingRevocations';
import { Revocation, RevocationList } from '../../gate/sessions/Revocation';
import {
  RevocationPage,
  RevocationStore,
  storeInTime,
} from './RevocationStore';
import { POLL_INTERVAL_MS } from './pollInterval';

// Until the list has been loaded, no user may pass.
const RETRY_BEFORE_LOADED_MS = 500;

// All rows are read again this often, a page at a time: a poll misses those that were committed, or recorded by a database clock that was
// set back, by more than the overlap of two readings.
const READ_AGAIN_INTERVAL_MS = 10 * 60_000;
const PAGE_INTERVAL_MS = 2_000;

const REMOVE_EXPIRED_INTERVAL_MS = 10 * 60_000;

const READING = {
  failing:
    'API gate can not read the list of revoked sessions: those that it knows stay refused, newer ones of other replicas are not seen',
  again: 'API gate reads the list of revoked sessions again',
};

const WRITING = {
  failing:
    'API gate can not write revoked sessions: they are refused by this replica, and not by others yet',
  again: 'API gate has written the sessions that were revoked meanwhile',
};

/**
 * Holds the revocations that this replica has seen. Requests never wait for the store: the list is in memory and follows the
 * store in the background. While the store is out of reach, the revocations in the list stay in force.
 */
export class Revocations extends RevocationList {
  readonly #createdAt = performance.now();
  readonly #pending: PendingRevocations;
  readonly #stopping = new AbortController();
  #store: RevocationStore | undefined;

  /** The cursor of the next reading of new rows. `undefined` starts with all rows. */
  #cursor: string | undefined;
  /** The cursor of the next page of all rows; `undefined` while these are not being read again. */
  #againCursor: string | undefined;
  /** The start of the last complete reading. */
  #loadedAt: number | undefined;
  #firstReading: Promise<void> | undefined;
  #onLoaded = () => {};

  constructor(
    private readonly options: {
      logger: LoggerService;
      pollIntervalMs?: number;
    },
  ) {
    super();
    const { logger } = options;
    this.#pending = new PendingRevocations({
      logger,
      store: async revocation => {
        await storeInTime(this.#storeOrThrow().add(revocation));
      },
    });
  }

  /** Whether the list has ever been complete. Before that, a session may be revoked without being on it. */
  get isLoaded(): boolean {
    return this.#loadedAt !== undefined;
  }

  firstReading(): Promise<void> {
    const loaded = () =>
      new Promise<void>(resolve => {
        this.#onLoaded = resolve;
      });
    this.#firstReading ??= this.isLoaded
      ? Promise.resolve()
      : storeInTime(loaded()).catch(() => {});
    return this.#firstReading;
  }

  get isSyncing(): boolean {
    return this.#store !== undefined;
  }

  /** The seconds since the list was last complete, or since this replica started if the list never was. */
  get staleness(): number {
    return (performance.now() - (this.#loadedAt ?? this.#createdAt)) / 1000;
  }

  /**
   * Puts a revocation in force at this replica at once, and tries to store it. While the store is out of reach, the write is
   * retried.
   *
   * @returns whether the store has it, so that other replicas will see it
   */
  async revoke(revocation: Revocation): Promise<boolean> {
    this.add([revocation]);
    return this.#pending.write(revocation).then(
      () => true,
      () => false,
    );
  }

  async readPage(cursor: string | undefined): Promise<RevocationPage> {
    const page = await storeInTime(this.#storeOrThrow().read(cursor));
    // A proxy in front of the other backend may answer without the query.
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
    const { logger } = this.options;
    const { signal } = this.#stopping;
    const intervalMs = () =>
      this.isLoaded
        ? (this.options.pollIntervalMs ?? POLL_INTERVAL_MS)
        : RETRY_BEFORE_LOADED_MS;
    const reading = poll(() => this.#read(), {
      intervalMs,
      signal,
      log: { logger, ...READING },
    });
    // Pending revocations are written again at the same interval, which is short until the list is loaded.
    reading.then(() =>
      poll(() => this.#pending.retry(), {
        intervalMs,
        signal,
        log: { logger, ...WRITING },
      }),
    );
    poll(() => this.#readAgain(), {
      intervalMs: () =>
        this.#againCursor ? PAGE_INTERVAL_MS : READ_AGAIN_INTERVAL_MS,
      signal,
      log: { logger, ...READING },
    });
    poll(() => this.#removeExpiredRows(), {
      // The interval varies, so that replicas which start together do not delete at the same time.
      intervalMs: () => REMOVE_EXPIRED_INTERVAL_MS * (0.5 + Math.random()),
      signal,
    });
    await storeInTime(reading).catch(() => {});
  }

  /** Stops reading. Revocations of requests in progress are still written. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Reads the revocations that were recorded since the last reading. After a failure, the next call continues with the same page. */
  async #read(): Promise<void> {
    const startedAt = performance.now();
    let page: RevocationPage;
    do {
      page = await this.#addPage(this.#cursor);
      this.#cursor = page.cursor;
    } while (page.hasMore && !this.#stopping.signal.aborted);
    if (!this.#stopping.signal.aborted) {
      this.#loadedAt = startedAt;
      this.#onLoaded();
    }
  }

  /** Reads the next page of all rows. Nothing leaves the list because the store lacks it, as after the restore of a backup. */
  async #readAgain(): Promise<void> {
    // The first reading of all rows goes on, or has just ended.
    if (this.isLoaded) {
      const page = await this.#addPage(this.#againCursor);
      this.#againCursor = page.hasMore ? page.cursor : undefined;
    }
  }

  async #addPage(cursor: string | undefined): Promise<RevocationPage> {
    const page = await this.readPage(cursor);
    this.add(page.revocations);
    return page;
  }

  /** Removes what has expired from the list, and from the store in batches, where every replica may do so, but not at its start. */
  async #removeExpiredRows(): Promise<void> {
    this.removeExpired();
    let hasMore: boolean | undefined = this.isLoaded;
    while (hasMore && !this.#stopping.signal.aborted) {
      hasMore = await this.#storeOrThrow().removeExpired?.();
    }
  }

  #storeOrThrow(): RevocationStore {
    if (!this.#store) {
      throw new Error('The store of revocations is not up');
    }
    return this.#store;
  }
}
