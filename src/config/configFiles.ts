import type { Config } from '@backstage/config';
import type { ConfigSource } from '@backstage/config-loader';
import { groupBy } from 'lodash';
import { CONFIG_KEY } from './readApiGateConfig';
import { isObject } from './values';

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
  return `${path}: ${entries} of ${file}${
    replaced && `, in place of ${replaced}: Backstage does not merge lists`
  }`;
}

/**
 * Reads what each file of the configuration has, that of the strongest first, from private fields of Backstage's
 * `ObservableConfigProxy` and `ConfigReader`. Nothing but reports depends on them.
 */
export function readFiles(config: Config): { file: string; data: any }[] {
  const files = [];
  try {
    let reader = (config as any).config ?? config;
    while (typeof reader?.context === 'string') {
      files.push({ file: reader.context, data: reader.data });
      reader = reader.fallback;
    }
  } catch {
    return [];
  }
  return files;
}

/** Reads the lengths of all lists in a value, by their paths. */
function readLengths(value: unknown, path: string): [string, number][] {
  if (Array.isArray(value)) {
    return [[path, value.length]];
  }
  return Object.entries(isObject(value) ? value : {}).flatMap(([key, child]) =>
    readLengths(child, `${path}.${key}`),
  );
}

/** Returns the paths of the files that a source reads. Only the text form of Backstage's sources has them. */
export function pathsOf(source: ConfigSource): string[] {
  return [...String(source).matchAll(/path="([^"]+)"/g)].map(
    ([, file]) => file,
  );
}
