import type { LoggerService } from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';
import { Revocation, SessionClaims } from './Revocation';
import { RevocationList } from './RevocationList';
import type { RevocationStore } from './RevocationStore';

const STORE_TIMEOUT_MS = 6_000;

// Until then no user may pass.
const RETRY_BEFORE_LOADED_MS = 500;

// A single failure is the other backend's start, or a moment's.
const FAILURES_BEFORE_WARNING = 3;

/**
 * The revocations as this replica knows them. No request waits for the store: the list is in memory and follows the store
 * in the background. While the store is out of reach, what is known stays in force.
 */
export class Revocations {
  readonly #logger: LoggerService;
  #pollIntervalMs: number;
  readonly #list = new RevocationList();
  /** In force here, but not yet in the store. */
  readonly #pending = new Set<Revocation>();
  #store: RevocationStore | undefined;
  #timer: NodeJS.Timeout | undefined;
  #loadedAt: number | undefined;
  #failures = 0;

  constructor(options: { logger: LoggerService; pollIntervalMs: number }) {
    this.#logger = options.logger;
    this.#pollIntervalMs = options.pollIntervalMs;
  }

  /** Whether the list was ever loaded. Until then a session may be revoked, and nobody here knows. */
  get isLoaded(): boolean {
    return this.#loadedAt !== undefined;
  }

  get isFollowing(): boolean {
    return this.#store !== undefined;
  }

  /** Seconds since the list was last known to be complete; `undefined` if it never was. */
  get staleness(): number | undefined {
    return this.#loadedAt === undefined
      ? undefined
      : (Date.now() - this.#loadedAt) / 1000;
  }

  /** How many revocations are in force. */
  get size(): number {
    return this.#list.size;
  }

  isRevoked(claims: SessionClaims): boolean {
    return this.#list.isRevoked(claims);
  }

  /** Calls back whenever there is a new revocation. */
  onRevoked(listener: () => void): void {
    this.#list.onRevoked(listener);
  }

  /**
   * Puts a revocation in force here at once, and resolves when the store has it.
   *
   * @throws Error if the store is out of reach; it will be written when the store is back
   */
  async revoke(revocation: Revocation): Promise<void> {
    this.#list.add([revocation]);
    this.#pending.add(revocation);
    await this.#write(revocation);
  }

  /** The live revocations, from the store. */
  async load(): Promise<Revocation[]> {
    return inTime(this.#requireStore().load());
  }

  /** Begins to follow a store, and resolves after the first attempt, whether or not it succeeded. */
  async follow(store: RevocationStore): Promise<void> {
    this.#store = store;
    await this.#poll();
  }

  /** Takes effect after the wait that is under way. */
  setPollInterval(milliseconds: number): void {
    this.#pollIntervalMs = milliseconds;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#store = undefined;
  }

  async #poll(): Promise<void> {
    try {
      const writes = await Promise.allSettled(
        [...this.#pending].map(revocation => this.#write(revocation)),
      );
      // All live rows, each time: a cursor would miss those that are committed late.
      const startedAt = Date.now();
      this.#list.add(await inTime(this.#requireStore().load()));
      this.#list.removeExpired();
      this.#loadedAt = startedAt;
      // One that can't be written must not keep those of others from being read.
      const failed = writes.find(({ status }) => status === 'rejected');
      if (failed) {
        throw (failed as PromiseRejectedResult).reason;
      }
      this.#noteSuccess();
    } catch (error) {
      this.#noteFailure(error);
    }
    if (this.#store) {
      const interval = this.isLoaded
        ? this.#pollIntervalMs
        : Math.min(this.#pollIntervalMs, RETRY_BEFORE_LOADED_MS);
      this.#timer = setTimeout(() => this.#poll(), interval);
      this.#timer.unref();
    }
  }

  async #write(revocation: Revocation): Promise<void> {
    await inTime(this.#requireStore().add(revocation));
    this.#pending.delete(revocation);
  }

  #requireStore(): RevocationStore {
    if (!this.#store) {
      throw new Error('The store of revocations is not up');
    }
    return this.#store;
  }

  #noteSuccess() {
    if (this.#failures >= FAILURES_BEFORE_WARNING) {
      this.#logger.info('API gate reads the list of revoked sessions again');
    }
    this.#failures = 0;
  }

  #noteFailure(error: unknown) {
    this.#failures += 1;
    if (this.#failures === FAILURES_BEFORE_WARNING) {
      this.#logger.warn(
        'API gate can not read the list of revoked sessions: those that it knows stay refused, newer ones of other replicas are not seen',
        { errorType: isError(error) ? error.name : typeof error },
      );
    }
  }
}

/** @throws Error if it takes longer than a store may: one that says nothing must not stop a replica from asking again */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error('The store of revocations does not answer')),
      STORE_TIMEOUT_MS,
    );
  });
  return Promise.race([answer, timeout]).finally(() => clearTimeout(timer));
}
