import type { LoggerService } from '@backstage/backend-plugin-api';
import { chunk, shuffle } from 'lodash';
import { WRITES_AT_A_TIME } from './PendingRevocations';
import type {
  Revocation,
  RevocationList,
} from '../../gate/sessions/Revocation';
import type { RevocationPage } from './RevocationStore';

const INTERVAL_MS = 10 * 60_000;

/** The wait between two pages, and until the next look whether a reading is due. */
export const PAGE_INTERVAL_MS = 2_000;

// A sign-out that the store had longer ago is not written back: somebody may have emptied the table meanwhile.
const WRITE_BACK_MS = 20 * 60_000;

/**
 * Reads all of the store every ten minutes, a page at a time, and compares it with the list. This finds rows that were committed later,
 * or by a database clock that was set back further, than the overlap covers, and what the store has lost by the restore of a backup.
 */
export class StoreComparison {
  /** The reading in progress: its start, and the cursor of its next page. */
  #reading: { startedAt: number; cursor?: string } | undefined;
  /** The time from which the next reading is due: `Infinity` during a reading, unless another one was requested. */
  #dueAt = performance.now() + INTERVAL_MS;
  /** The start of the last complete reading. */
  #comparedAt = 0;

  constructor(
    private readonly options: {
      list: RevocationList;
      logger: LoggerService;
      /** Reads a page, and adds it to the list. */
      addPage(cursor: string | undefined): Promise<RevocationPage>;
      /** Writes a revocation to the store, and adds it to the list as stored. `undefined` if another backend has the store. */
      write(): ((revocation: Revocation) => Promise<void>) | undefined;
      signal: AbortSignal;
    },
  ) {}

  /** The number of revocations that the store had before, and that it has lacked since the last complete reading began. */
  get missing(): number {
    return this.options.list.lostSince(this.#comparedAt).length;
  }

  /** Requests a reading now, or after the one in progress. */
  request(): void {
    this.#dueAt = performance.now();
  }

  /** Reads the next page, if a reading is in progress or due. After the last page, compares the list with what was read. */
  async readPage(): Promise<void> {
    if (!this.#reading) {
      if (performance.now() < this.#dueAt) {
        return;
      }
      this.#dueAt = Infinity;
      this.#reading = { startedAt: performance.now() };
    }
    const { addPage } = this.options;
    const { startedAt, cursor } = this.#reading;
    const page = await addPage(cursor);
    if (page.hasMore) {
      this.#reading.cursor = page.cursor;
      return;
    }
    this.#reading = undefined;
    this.#dueAt = Math.min(this.#dueAt, performance.now() + INTERVAL_MS);
    this.#comparedAt = startedAt;
    await this.#writeBack();
  }

  /** Writes sign-outs back that the store has lost: otherwise a replica that starts would accept their tokens. */
  async #writeBack(): Promise<void> {
    const { list, logger, signal } = this.options;
    const write = this.options.write();
    if (!write) {
      return;
    }
    const earliest = performance.now() - WRITE_BACK_MS;
    const lost = list
      .lostSince(this.#comparedAt)
      .filter(({ seenAt = 0 }) => seenAt >= earliest);
    let written = 0;
    // Replicas write in different orders, and their polls read what the others have written meanwhile.
    for (const batch of chunk(shuffle(lost), WRITES_AT_A_TIME)) {
      const left = batch.filter(({ seenAt = 0 }) => seenAt < this.#comparedAt);
      if (!signal.aborted) {
        await Promise.all(left.map(write));
        written += left.length;
      }
    }
    if (written > 0) {
      logger.warn(
        'API gate has written sign-outs back that the database had lost, as after the restore of a backup',
        { written },
      );
    }
  }
}
