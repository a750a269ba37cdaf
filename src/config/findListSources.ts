import type { Config } from '@backstage/config';
import { CONFIG_KEY } from './readApiGateConfig';

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

/** The lists below `auth.apiGate` by file. Empty where the configuration does not keep its files apart. */
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

/** One line of text. */
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
 * The files of a configuration, the strongest first, by private fields of Backstage's `ObservableConfigProxy` and
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
      const lists = new Map<string, number>();
      const [parent, key] = CONFIG_KEY.split('.');
      addLists(reader.data?.[parent]?.[key], CONFIG_KEY, lists);
      layers.push({ file: reader.context, lists });
    }
  } catch {
    return [];
  }
  return layers;
}

function addLists(value: unknown, path: string, lists: Map<string, number>) {
  if (Array.isArray(value)) {
    lists.set(path, value.length);
  } else if (typeof value === 'object' && value !== null) {
    Object.entries(value).forEach(([key, child]) =>
      addLists(child, `${path}.${key}`, lists),
    );
  }
}
