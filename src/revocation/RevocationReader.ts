import type { Revocation } from './Revocation';
import type { RevocationPage } from './RevocationStore';

// A row may be committed later, or the database's clock be set back further, than a reading of new rows covers.
const READ_AGAIN_INTERVAL_MS = 10 * 60_000;
const READ_AGAIN_PAGE_MS = 2_000;

/** Reads a store page by page: all at first, then what is new, and all again at times. */
export class RevocationReader {
  readonly #readPage: (cursor: string | undefined) => Promise<RevocationPage>;
  readonly #add: (revocations: Revocation[]) => void;
  readonly #isStopped: () => boolean;

  /** Where the reading of new rows goes on. `undefined`: it begins with all. */
  #cursor: string | undefined;
  /** When a reading began that is not at its end yet. */
  #startedAt: number | undefined;
  #hasRead = false;
  /** Where the reading of all again goes on. */
  #again: { cursor?: string } | undefined;
  #againAt = 0;

  constructor(options: {
    readPage: (cursor: string | undefined) => Promise<RevocationPage>;
    add: (revocations: Revocation[]) => void;
    isStopped: () => boolean;
  }) {
    this.#readPage = options.readPage;
    this.#add = options.add;
    this.#isStopped = options.isStopped;
  }

  /**
   * Reads what was recorded since the last reading; at first all, and then what was recorded while that went on. After a
   * failure, the next call goes on with the page that failed.
   *
   * @returns when the reading began: the list was complete then
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

  /** Reads a few pages of all, if that is due: without haste, since a poll must not take longer for it. */
  async readAgain(pollIntervalMs: number): Promise<void> {
    if (!this.#again) {
      if (this.#cursor === undefined || performance.now() < this.#againAt) {
        return;
      }
      this.#again = {};
    }
    const pages = Math.ceil(pollIntervalMs / READ_AGAIN_PAGE_MS);
    for (let i = 0; i < pages && !this.#isStopped(); i += 1) {
      const page = await this.#readPage(this.#again.cursor);
      this.#add(page.revocations);
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
      page = await this.#readPage(this.#cursor);
      this.#add(page.revocations);
      this.#cursor = page.cursor;
    } while (page.hasMore && !this.#isStopped());
    this.#startedAt = undefined;
    return startedAt;
  }
}
