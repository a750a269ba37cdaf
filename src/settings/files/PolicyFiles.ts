import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Config } from '@backstage/config';
import { compareFiles, findPaths, readFiles } from './configFiles';

const INCLUDES = /\$(include|file)/;

/**
 * Compares the configuration files with what the backend has read of them. Backstage's watcher misses some changes, such as a symlink
 * that gets another target while the old target stays.
 */
export class PolicyFiles {
  #last: { read?: unknown[]; newer?: string[] } = {};
  #newer = -1;
  #counting: Promise<void> | undefined;

  constructor(private readonly config: Config) {}

  /**
   * Returns the names of the files that differ from what the backend has read of them. A file that can't be read now differs, too.
   * The result is `undefined` if the configuration is not from the files of the command line.
   */
  async findNewer(): Promise<string[] | undefined> {
    const paths = findPaths();
    const texts = await Promise.all(
      paths.map(path => readFile(path, 'utf8').catch(() => undefined)),
    );
    const loaded = readFiles(this.config).map(({ data }) => data);
    const read = [paths, texts, loaded];
    // An included file may change while the text of the file that includes it stays.
    const hasIncludes = texts.some(text => INCLUDES.test(text ?? ''));
    // A file with 1,000 rules takes long to parse, and has rarely changed since the last comparison.
    if (hasIncludes || !isDeepStrictEqual(this.#last.read, read)) {
      const { files } = await compareFiles(this.config, paths);
      const isKnown = files.some(({ source }) => source);
      const newer = files.filter(
        ({ present, source }) => !isDeepStrictEqual(source?.data, present.data),
      );
      const names = newer.map(({ path }) => basename(path));
      this.#last = { read, newer: isKnown ? names : undefined };
    }
    return this.#last.newer;
  }

  /** Returns their number at the last count, -1 if that is not known, and counts again, unless a count waits: the file system may hang. */
  countNewer(): number {
    this.#counting ??= this.findNewer()
      .catch(() => undefined)
      .then(newer => {
        // The backend may read files of its own, with the names of these.
        const count = newer?.length ?? -1;
        this.#newer = count === 0 || this.#newer >= 0 ? count : -1;
        this.#counting = undefined;
      });
    return this.#newer;
  }
}
