import type { RevocationPage } from './RevocationStore';

// A full reading finds rows that were committed later, or by a database clock that was set back further, than the overlap covers.
const READ_AGAIN_INTERVAL_MS = 10 * 60_000;
const READ_AGAIN_PAGE_MS = 2_000;

/** Reads a store page by page: all rows at first, then new rows, and all rows again from time to time. */
export class RevocationReader {
  /** The cursor of the next reading of new rows. `undefined` starts with all rows. */
  #cursor: string | undefined;
  /** The start of the reading that is still in progress. */
  #startedAt: number | undefined;
  #hasRead = false;
  /** The cursor of the repeated full reading. */
  #again: { cursor?: string } | undefined;
  #againAt = 0;

  constructor(
    private readonly options: {
      /** Reads a page, and adds its revocations to the list. */
      readPage(cursor: string | undefined): Promise<RevocationPage>;
      isStopped(): boolean;
    },
  ) {}

  /**
   * Reads the revocations that were recorded since the last reading. The first call reads all of them, and then those that were
   * recorded meanwhile. After a failure, the next call continues with the page that failed.
   *
   * @returns the start of the reading, at which time the list was complete
   */
  async readNew(): Promise<number> {
    let readAt = await this.#readToEnd();
    if (!this.#hasRead && this.#cursor !== undefined) {
      readAt = await this.#readToEnd();
      this.#againAt = performance.now() + READ_AGAIN_INTERVAL_MS;
    }
    this.#hasRead = true;
    return readAt;
  }

  /** Reads a few pages of the repeated full reading, if it is due. The number of pages is small, so that a poll takes no longer. */
  async readAgain(pollIntervalMs: number): Promise<void> {
    if (!this.#again) {
      if (this.#cursor === undefined || performance.now() < this.#againAt) {
        return;
      }
      this.#again = {};
    }
    const pages = Math.ceil(pollIntervalMs / READ_AGAIN_PAGE_MS);
    for (let i = 0; i < pages && !this.options.isStopped(); i += 1) {
      const page = await this.options.readPage(this.#again.cursor);
      this.#again = { cursor: page.cursor };
      if (!page.hasMore) {
        this.#again = undefined;
        this.#againAt = performance.now() + READ_AGAIN_INTERVAL_MS;
        return;
      }
    }
  }

  async #readToEnd(): Promise<number> {
    this.#startedAt ??= performance.now();
    const startedAt = this.#startedAt;
    let page: RevocationPage;
    do {
      page = await this.options.readPage(this.#cursor);
      this.#cursor = page.cursor;
    } while (page.hasMore && !this.options.isStopped());
    this.#startedAt = undefined;
    return startedAt;
  }
}
