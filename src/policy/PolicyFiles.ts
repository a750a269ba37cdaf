import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Config } from '@backstage/config';
import {
  findPaths,
  matchFiles,
  readData,
  readFiles,
} from '../config/configFiles';
import { createLocate, Location } from '../config/locate';
import { CONFIG_KEY } from '../config/readApiGateConfig';
import type { PolicySource } from './PolicySource';

/** The configuration files, beside what the backend has read of them. */
export interface ComparedFiles {
  /**
   * Names of the files that differ from what the backend has read of them. Backstage's watcher misses some changes, such as a symlink
   * that gets another target while the old target stays. A file that can't be read now differs, too. `undefined` if the
   * configuration is not from the files of the command line.
   */
  newer: string[] | undefined;
  /** The places of the rules and tokens of the policy in force, by config path: none unless the files have that policy. */
  places: ReadonlyMap<string, Location>;
}

type ReadPolicy = Pick<
  PolicySource,
  'current' | 'isChanging' | 'lists' | 'problem'
>;

/** A file of the command line, with its text: `undefined` if it can't be read. */
type FileText = readonly [path: string, text: string | undefined];

/** The lists whose entries have a place. */
const LISTS = [`${CONFIG_KEY}.allow`, `${CONFIG_KEY}.tokens`];

const INCLUDES = /\$(include|file)/;

/** Compares the configuration files with what the backend has read of them, and finds the rules and tokens of the policy in them. */
export class PolicyFiles {
  #last: { read: unknown[]; compared: ComparedFiles } | undefined;
  #comparing: Promise<ComparedFiles> | undefined;

  /** @param argv - returns the command line, which may name the files */
  constructor(
    private readonly config: Config,
    private readonly source: ReadPolicy,
    private readonly argv = () => process.argv,
  ) {}

  /** Compares the files. Calls during a comparison share its result. */
  compare(): Promise<ComparedFiles> {
    this.#comparing ??= this.#compareNow().finally(() => {
      this.#comparing = undefined;
    });
    return this.#comparing;
  }

  async #compareNow(): Promise<ComparedFiles> {
    const { current } = this.source;
    const { newer, places } = await this.#compareOnce();
    const isInForce =
      newer?.length === 0 &&
      this.source.problem === undefined &&
      !this.source.isChanging &&
      // The policy may have changed meanwhile.
      this.source.current === current;
    return { newer, places: isInForce ? places : new Map() };
  }

  /** Compares the files, unless the files and the configuration are those of the last comparison. A file with 1,000 rules takes long. */
  async #compareOnce(): Promise<ComparedFiles> {
    const { lists } = this.source;
    const files = await readTexts(findPaths(this.argv()));
    const loaded = readFiles(this.config).map(({ data }) => data);
    const read = [...files.flat(), ...loaded, lists];
    if (this.#last && isDeepStrictEqual(this.#last.read, read)) {
      return this.#last.compared;
    }
    const compared = await compareFiles(this.config, files, lists);
    // What a file includes may change while its own text stays.
    const isWhole = !files.some(([, text]) => INCLUDES.test(text ?? ''));
    this.#last = isWhole ? { read, compared } : undefined;
    return compared;
  }
}

async function compareFiles(
  config: Config,
  texts: FileText[],
  lists: ReadPolicy['lists'],
): Promise<ComparedFiles> {
  const paths = texts.map(([path]) => path);
  const { files, sources } = matchFiles(config, paths);
  // The lines are read first. If a file changes meanwhile, it differs below.
  const places = findPlaces(createLocate(sources, new Map(texts)), lists);
  const newer: string[] = [];
  for (const { path, source } of files) {
    if (!isDeepStrictEqual(source?.data, await readData(path))) {
      newer.push(basename(path));
    }
  }
  const isKnown = files.some(({ source }) => source);
  return { newer: isKnown ? newer : undefined, places };
}

function findPlaces(
  locate: ReturnType<typeof createLocate>,
  lists: ReadPolicy['lists'],
): Map<string, Location> {
  const places = new Map<string, Location>();
  for (const { path, entries } of lists) {
    for (let i = 0; LISTS.includes(path) && i < entries; i += 1) {
      const place = locate(`${path}[${i}]`);
      if (place) {
        places.set(`${path}[${i}]`, place);
      }
    }
  }
  return places;
}

function readTexts(paths: string[]): Promise<FileText[]> {
  return Promise.all(
    paths.map(async path => {
      const text = await readFile(path, 'utf8').catch(() => undefined);
      return [path, text] as const;
    }),
  );
}
