import type { LoggerService } from '@backstage/backend-plugin-api';
import { inTime } from '../util/inTime';
import { Outage } from './Outage';
import { now, Revocation, SessionClaims } from './Revocation';
import { RevocationList } from './RevocationList';
import type { RevocationStore } from './RevocationStore';

const STORE_TIMEOUT_MS = 6_000;
const WRITES_AT_A_TIME = 10;

// Until then no user may pass.
const RETRY_BEFORE_LOADED_MS = 500;

/**
 * The revocations as this replica knows them. No request waits for the store: the list is in memory and follows the store
 * in the background. While the store is out of reach, what is known stays in force.
 */
export class Revocations {
  #pollIntervalMs: number;
  readonly #list = new RevocationList();
  /** In force here, but not yet in the store. */
  readonly #pending = new Map<string, Revocation>();
  #store: RevocationStore | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  readonly #startedAt = Date.now();
  #loadedAt: number | undefined;
  readonly #reading: Outage;
  readonly #writing: Outage;

  constructor(options: { logger: LoggerService; pollIntervalMs: number }) {
    this.#reading = new Outage(options.logger, {
      failing:
        'API gate can not read the list of revoked sessions: those that it knows stay refused, newer ones of other replicas are not seen',
      again: 'API gate reads the list of revoked sessions again',
    });
    this.#writing = new Outage(options.logger, {
      failing:
        'API gate can not write revoked sessions: they are refused by this replica, and not by others yet',
      again: 'API gate has written the sessions that were revoked meanwhile',
    });
    this.#pollIntervalMs = options.pollIntervalMs;
  }

  /** Whether the list was ever loaded. Until then a session may be revoked, and nobody here knows. */
  get isLoaded(): boolean {
    return this.#loadedAt !== undefined;
  }

  get isFollowing(): boolean {
    return this.#store !== undefined;
  }

  /** Seconds since the list was last known to be complete; since the start, if it never was. */
  get staleness(): number {
    return (Date.now() - (this.#loadedAt ?? this.#startedAt)) / 1000;
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
    this.#pending.set(JSON.stringify(revocation), revocation);
    await this.#write(revocation);
  }

  /** The live revocations, from the store. */
  async load(): Promise<Revocation[]> {
    return storeInTime(this.#requireStore().load());
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

  /** Reads no more. What is revoked by requests that are under way is still written. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#isStopped = true;
  }

  async #poll(): Promise<void> {
    try {
      // All live rows, each time: a cursor would miss those that are committed late.
      const startedAt = Date.now();
      this.#list.add(await storeInTime(this.#requireStore().load()));
      this.#list.removeExpired();
      this.#loadedAt = startedAt;
      this.#reading.succeeded();
    } catch (error) {
      this.#reading.failed(error);
    }
    try {
      await this.#writePending();
      this.#writing.succeeded();
    } catch (error) {
      this.#writing.failed(error);
    }
    if (!this.#isStopped) {
      const interval = this.isLoaded
        ? this.#pollIntervalMs
        : Math.min(this.#pollIntervalMs, RETRY_BEFORE_LOADED_MS);
      this.#timer = setTimeout(() => this.#poll(), interval);
      this.#timer.unref();
    }
  }

  /** A few at a time: there may be many after an outage. */
  async #writePending(): Promise<void> {
    const pending = [...this.#pending.values()].filter(
      ({ exp }) => exp > now(),
    );
    this.#pending.clear();
    pending.forEach(each => this.#pending.set(JSON.stringify(each), each));
    for (let i = 0; i < pending.length; i += WRITES_AT_A_TIME) {
      await Promise.all(
        pending
          .slice(i, i + WRITES_AT_A_TIME)
          .map(revocation => this.#write(revocation)),
      );
    }
  }

  async #write(revocation: Revocation): Promise<void> {
    await storeInTime(this.#requireStore().add(revocation));
    this.#pending.delete(JSON.stringify(revocation));
  }

  #requireStore(): RevocationStore {
    if (!this.#store) {
      throw new Error('The store of revocations is not up');
    }
    return this.#store;
  }
}

/** One that says nothing must not stop a replica from asking again. */
function storeInTime<T>(answer: Promise<T>): Promise<T> {
  return inTime(
    answer,
    STORE_TIMEOUT_MS,
    'The store of revocations does not answer',
  );
}
