import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Config } from '@backstage/config';
import { ConfigSources, FileConfigSource } from '@backstage/config-loader';
import { readFiles } from './findListSources';

/**
 * Finds the configuration files that differ from what the backend has read of them. Backstage's watcher misses some changes, such
 * as a symlink that gets another target while the old target stays. A file that can't be read now differs, too.
 *
 * @param argv - the command line, which may name the files
 * @returns names of files; `undefined` if the configuration is not from the files of the command line
 */
export async function findNewerFiles(
  config: Config,
  argv = process.argv,
): Promise<string[] | undefined> {
  // Several files may have one name. Both lists have the weakest first.
  const loaded = readFiles(config).reverse();
  let isKnown = false;
  const newer: string[] = [];
  for (const file of findPaths(argv)) {
    const name = path.basename(file);
    const index = loaded.findIndex(each => each.file === name);
    const [before] = index === -1 ? [] : loaded.splice(index, 1);
    isKnown ||= before !== undefined;
    if (!isDeepStrictEqual(before?.data, await readData(file))) {
      newer.push(name);
    }
  }
  return isKnown ? newer : undefined;
}

/** Returns the paths from which Backstage reads the configuration. Only the text form of its sources has them. */
function findPaths(argv: string[]): string[] {
  try {
    const targets = ConfigSources.parseArgs(argv);
    const source = ConfigSources.defaultForTargets({ targets, remote: {} });
    const paths = String(source).matchAll(/path="([^"]+)"/g);
    return [...paths].map(([, file]) => file);
  } catch {
    // A backend with a configuration of its own may have no folder in which Backstage looks for files.
    return [];
  }
}

/** Reads a file as Backstage does, with what it includes. */
async function readData(file: string): Promise<unknown> {
  try {
    const source = FileConfigSource.create({ path: file, watch: false });
    for await (const { configs } of source.readConfigData()) {
      return configs[0]?.data;
    }
  } catch {
    return 'unreadable';
  }
  return undefined;
}
