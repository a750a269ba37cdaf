import type { LoggerService } from '@backstage/backend-plugin-api';
import { InputError, isError } from '@backstage/errors';
import { chunk } from 'lodash';
import { isStorableSub } from '../../settings/entityRef';
import { RateLimit } from '../../gate/util/RateLimit';
import {
  joinRevocations,
  now,
  Revocation,
  revocationKey,
} from '../../gate/sessions/Revocation';

export const WRITES_AT_A_TIME = 10;
const MAX_PENDING = 10_000;
const LOG_INTERVAL_MS = 60_000;

/**
 * Holds the revocations that are in force at this replica and not stored yet. Each one is written separately, so that a failing
 * revocation blocks no other. Above the limit, the oldest are dropped: they stay in force at this replica, and no other replica
 * sees them.
 */
export class PendingRevocations {
  readonly #pending = new Map<string, Revocation>();
  readonly #dropped = { full: 0, refused: 0 };
  readonly #logLimit = new RateLimit({ max: 1, intervalMs: LOG_INTERVAL_MS });

  constructor(
    private readonly options: {
      logger: LoggerService;
      store(revocation: Revocation): Promise<void>;
    },
  ) {}

  get size(): number {
    return this.#pending.size;
  }

  /**
   * Resolves when the store has the revocation.
   *
   * @throws InputError if the store will never accept the revocation; Error if the write has to be retried
   */
  async write(revocation: Revocation): Promise<void> {
    const { sub, iat, exp } = revocation;
    if (!isStorableSub(sub) || ![iat, exp].every(Number.isSafeInteger)) {
      this.#logDropped('refused');
      throw new InputError(
        'sub must be at most 1000 characters of text without control characters',
      );
    }
    const known = this.#pending.get(revocationKey(revocation));
    await this.#write(known ? joinRevocations(known, revocation) : revocation);
  }

  /**
   * Writes all pending revocations, in small batches. If a whole batch fails, the remaining revocations wait for the next call.
   *
   * @throws Error, the first one, if a revocation is still pending
   */
  async retry(): Promise<void> {
    const errors: unknown[] = [];
    for (const batch of chunk([...this.#pending.values()], WRITES_AT_A_TIME)) {
      const before = errors.length;
      const retries = batch.map(each =>
        this.#retryOne(each).catch(error => errors.push(error)),
      );
      await Promise.all(retries);
      if (errors.length - before === batch.length) {
        break;
      }
    }
    if (errors.length > 0) {
      throw errors[0];
    }
  }

  async #retryOne(revocation: Revocation): Promise<void> {
    if (revocation.exp <= now()) {
      this.#remove(revocation);
    } else if (this.#isPending(revocation)) {
      await this.#write(revocation).catch(error => {
        // A revocation that the store never accepts is not pending any more.
        if (this.#pending.has(revocationKey(revocation))) {
          throw error;
        }
      });
    }
  }

  async #write(revocation: Revocation): Promise<void> {
    // Puts a failed revocation last, so that the next retry begins with those that were tried longest ago.
    const key = revocationKey(revocation);
    this.#pending.delete(key);
    this.#pending.set(key, revocation);
    if (this.#pending.size > MAX_PENDING) {
      this.#pending.delete(this.#pending.keys().next().value!);
      this.#logDropped('full');
    }
    try {
      await this.options.store(revocation);
    } catch (error) {
      if (isError(error) && error.name === 'InputError') {
        this.#logDropped('refused');
        this.#remove(revocation);
      }
      throw error;
    }
    this.#remove(revocation);
  }

  /** Returns whether a revocation is still to be written: a later one of the same user may have replaced it. */
  #isPending(revocation: Revocation): boolean {
    return this.#pending.get(revocationKey(revocation)) === revocation;
  }

  #remove(revocation: Revocation) {
    if (this.#isPending(revocation)) {
      this.#pending.delete(revocationKey(revocation));
    }
  }

  #logDropped(reason: 'full' | 'refused') {
    this.#dropped[reason] += 1;
    if (this.#logLimit.take(reason) > 0) {
      return;
    }
    const cause =
      reason === 'full'
        ? `${MAX_PENDING} others wait for the database, and the oldest make room`
        : 'the database can not store such a user or such a time';
    this.options.logger.warn(
      `API gate drops revocations: ${cause}. They stay in force at this replica until it stops, and others do not see them`,
      { dropped: this.#dropped[reason] },
    );
  }
}
