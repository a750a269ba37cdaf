import type { Config } from '@backstage/config';
import { CONFIG_KEY } from './readApiGateConfig';
import { isObject } from './values';

/** A list of the configuration, with the file that it is from. */
export interface ListSource {
  /** Config path. */
  path: string;
  /** Name of the file, or what else the configuration is from. */
  file: string;
  entries: number;
  /** Lists of other files that are not in force: Backstage merges objects, and never lists. */
  replaces: { file: string; entries: number }[];
}

interface Layer {
  file: string;
  lists: Map<string, number>;
}

/** Finds the lists below `auth.apiGate` by file: none where the configuration does not keep its files apart. */
export function findListSources(config: Config): ListSource[] {
  const layers = readLayers(config);
  const paths = new Set(layers.flatMap(({ lists }) => [...lists.keys()]));
  return [...paths]
    .filter(path => Array.isArray(config.getOptional(path)))
    .map(path => {
      const [inForce, ...replaces] = layers.flatMap(({ file, lists }) => {
        const entries = lists.get(path);
        return entries === undefined ? [] : [{ file, entries }];
      });
      return { path, ...inForce, replaces };
    });
}

/** Formats a list as one line of text. */
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
 * Reads the files of a configuration, the strongest first, from private fields of Backstage's `ObservableConfigProxy` and
 * `ConfigReader`. Nothing but this report depends on them.
 */
function readLayers(config: unknown): Layer[] {
  const layers: Layer[] = [];
  try {
    const proxied = (config as { config?: unknown }).config;
    for (
      let reader = (proxied ?? config) as any;
      typeof reader?.context === 'string';
      reader = reader.fallback
    ) {
      const lists = readLengths(reader.data?.auth?.apiGate, CONFIG_KEY);
      layers.push({ file: reader.context, lists: new Map(lists) });
    }
  } catch {
    return [];
  }
  return layers;
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
