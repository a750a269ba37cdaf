import { basename, extname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { RootConfigService } from '@backstage/backend-plugin-api';
import { Config, ConfigReader } from '@backstage/config';
import { hasBlock } from './blockSources';
import { compareFiles, readFiles, UNREADABLE } from './configFiles';
import { withTimeout } from '../../gate/util/time';

// A change is complete if no other one follows within this time. A program that writes a file in place pauses for less.
const QUIET_MS = 1_500;

// If files keep changing, they are compared this long after the first change.
const BUSY_MS = 5_000;

// After this time, a change is taken although the files differ: it may close a path.
const LIMIT_MS = 10_000;

// The last comparison begins this long before the limit, and has this long at least.
const READ_MS = 1_000;

// If the files differ, they are compared again after this time.
const RETRY_MS = 500;

// After a rejection, the files are compared again after this time: a file may be back without an event.
const REJECTED_MS = 60_000;

/**
 * Waits until a change of the configuration files is complete. While a program writes a file in place, Backstage reads it empty or
 * in part. A configuration that is from no file is taken immediately.
 */
export class ConfigChanges {
  readonly #isFromFiles: boolean;
  // The files as they were when the gate last read what Backstage had. A file that is not there can't be compared.
  readonly #agreed = new Map<string, { data: unknown; endsLine: boolean }>();
  /** The time of the first change that waits. */
  #since: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param take - is called with a configuration to take, and the names of the files that can't be read now */
  constructor(
    private readonly config: RootConfigService,
    private readonly take: (config: Config, unreadable: string[]) => void,
  ) {
    this.#isFromFiles = readFiles(config).some(
      ({ file }) => extname(file) && !/^https?:/.test(file),
    );
    if (this.#isFromFiles) {
      void this.#compare();
    }
    config.subscribe?.(() => this.#onChange());
  }

  /** Reads the files of a change that has been rejected once more, after a minute. */
  lookAgain(): void {
    if (this.#isFromFiles) {
      this.#since = performance.now() + REJECTED_MS;
      this.#check(REJECTED_MS);
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#since = undefined;
  }

  #onChange() {
    if (!this.#isFromFiles) {
      this.take(this.config, []);
      return;
    }
    const now = performance.now();
    this.#since = Math.min(this.#since ?? now, now);
    this.#check(Math.min(QUIET_MS, this.#since + BUSY_MS - now));
  }

  #check(waitMs: number) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#takeIfComplete(), waitMs).unref();
  }

  async #takeIfComplete() {
    const timer = this.#timer;
    const limit = this.#since! + LIMIT_MS;
    const compared = await withTimeout(
      this.#compare(),
      Math.max(limit - performance.now(), READ_MS),
      'The files take too long',
    ).catch(() => undefined);
    if (this.#since === undefined) {
      return;
    }
    const restMs = limit - READ_MS - performance.now();
    if (restMs > 0) {
      if (timer !== this.#timer) {
        // Another change has set its own.
        return;
      }
      if (!compared?.isComplete) {
        this.#check(Math.min(RETRY_MS, restMs));
        return;
      }
    }
    this.stop();
    this.take(compared?.config ?? this.config, compared?.unreadable ?? []);
  }

  /**
   * Compares the configuration with its files. Backstage stops watching, without a message, when it reads a file that is broken or
   * missing, and then has a part of the file until a restart. The result has what the file has now in place of that part.
   */
  async #compare() {
    const { files, sources } = await compareFiles(this.config);
    const unreadable: string[] = [];
    let isComplete = true;
    for (const { path, present, source } of files) {
      const { data, endsLine } = present;
      const agreed = this.#agreed.get(path);
      // A text that is cut within its last line may be another path, or another subject.
      const isCut = agreed?.endsLine === true && !endsLine;
      if (isDeepStrictEqual(source?.data, data) && !isCut) {
        this.#agreed.set(path, present);
      } else if (!agreed || isDeepStrictEqual(agreed, present)) {
        // Backstage has read another file of this name, or reads this one otherwise.
      } else if (data === UNREADABLE || isCut) {
        unreadable.push(basename(path));
        isComplete &&= !hasBlock(source?.data);
      } else {
        isComplete = false;
        if (source) {
          source.data = data;
        }
      }
    }
    const config = isComplete
      ? this.config
      : ConfigReader.fromConfigs(
          sources.map(({ file, data }) => ({ context: file, data })),
        );
    return { config, isComplete, unreadable };
  }
}
