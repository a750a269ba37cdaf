import { statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Config } from '@backstage/config';
import {
  ConfigSource,
  ConfigSources,
  FileConfigSource,
} from '@backstage/config-loader';
import { attempt, groupBy, isError } from 'lodash';
import { CONFIG_KEY } from '../read/readApiGateConfig';
import { asObject } from '../read/values';

/** Stands for the data of a file that is missing, broken, or protected. The data of any other file is an object, or undefined. */
export const UNREADABLE = 'unreadable';

/** A list of the configuration, with the file that it is from. */
export type ListSource = ReturnType<typeof findListSources>[number];

/** Finds the lists below `auth.apiGate` by file: none where the configuration does not keep its files apart. */
export function findListSources(config: Config) {
  const lists = readFiles(config).flatMap(({ file, data }) =>
    readLengths(data?.auth?.apiGate, CONFIG_KEY).map(([path, entries]) => ({
      path,
      /** Name of the file, or what else the configuration is from. */
      file,
      entries,
    })),
  );
  return Object.values(groupBy(lists, 'path'))
    .filter(([{ path }]) => Array.isArray(config.getOptional(path)))
    .map(([inForce, ...others]) => ({
      ...inForce,
      /** Lists of other files that are not in force: Backstage merges objects, and never lists. */
      replaces: others.map(({ path, ...source }) => source),
    }));
}

export function formatListSource(source: ListSource): string {
  const { path, file, entries, replaces } = source;
  const replaced = replaces
    .map(each => `${each.entries} of ${each.file}`)
    .join(' and ');
  return `${path}: ${entries} of ${file}${replaced && `, in place of ${replaced}: Backstage does not merge lists`}`;
}

/**
 * Reads what each file of the configuration has, that of the strongest first, from private fields of Backstage's
 * `ObservableConfigProxy` and `ConfigReader`. Without them, reports have no files, and a reload waits for none.
 */
export function readFiles(config: Config): { file: string; data: any }[] {
  const files = [];
  let reader = (config as any).config ?? config;
  while (typeof reader?.context === 'string') {
    files.push({ file: reader.context, data: reader.data });
    reader = reader.fallback;
  }
  return files;
}

function readLengths(value: unknown, path: string): [string, number][] {
  if (Array.isArray(value)) {
    return [[path, value.length]];
  }
  return Object.entries(asObject(value)).flatMap(([key, child]) =>
    readLengths(child, `${path}.${key}`),
  );
}

/** Returns the paths of the files that a source reads. Only the text form of Backstage's sources has them. */
export function pathsOf(source: ConfigSource): string[] {
  const files = String(source).matchAll(/FileConfigSource{path="([^"]+)"/g);
  return Array.from(files, ([, file]) => file);
}

/** Returns the paths of the configuration files that the command line names, or of Backstage's default ones, the weakest first. */
export function findPaths(): string[] {
  try {
    const targets = ConfigSources.parseArgs(process.argv);
    const source = ConfigSources.defaultForTargets({ targets, remote: {} });
    // A pipe, such as /dev/fd/63, can be read only once. A second reader may wait for ever.
    return pathsOf(source).filter(path => {
      const stats = attempt(statSync, path);
      return isError(stats) || !stats!.isFIFO();
    });
  } catch {
    // A backend with a configuration of its own may have no folder in which Backstage looks for files.
    return [];
  }
}

/** Reads files as they are now, each with its source in the configuration. A file that was empty when Backstage read it has no source. */
export async function compareFiles(config: Config, paths = findPaths()) {
  const present = await Promise.all(
    paths.map(async path => {
      const [data, stats, text] = await Promise.all([
        readData(path),
        stat(path).catch(() => undefined),
        readFile(path, 'utf8').catch(() => ''),
      ]);
      // A file whose last line lost its end may be cut off.
      return { data, changedAt: stats?.ctimeMs, endsLine: text.endsWith('\n') };
    }),
  );
  // Several files may have one name. Both lists have the weakest first.
  const sources = readFiles(config).reverse();
  const left = [...sources];
  const files = paths.map((path, i) => {
    const index = left.findIndex(({ file }) => file === basename(path));
    const [source] = index < 0 ? [] : left.splice(index, 1);
    return { path, source, present: present[i] };
  });
  return { files, sources };
}

/** Reads a file as Backstage does, with what it includes. The result is `undefined` for a file without settings. */
async function readData(file: string): Promise<unknown> {
  try {
    const source = FileConfigSource.create({ path: file, watch: false });
    for await (const { configs } of source.readConfigData()) {
      return configs[0]?.data;
    }
  } catch {
    return UNREADABLE;
  }
  return undefined;
}
