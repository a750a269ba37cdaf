import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ConfigSourceData } from '@backstage/config-loader';
import { has, memoize } from 'lodash';
import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
} from 'yaml';

const MAX_INCLUDES = 10;

/** A place in a file of the configuration. */
export interface Location {
  /** An absolute path. */
  file: string;
  /** The line number, starting at 1. */
  line?: number;
}

/** Formats a place by the path from the working directory. */
export function formatLocation({ file, line }: Location): string {
  const relative = path.relative(process.cwd(), file);
  return `${relative}${line === undefined ? '' : `:${line}`}`;
}

/** Returns a function that finds the place for a message about a setting, by the config path that the message begins with. */
export function createLocate(
  sources: Pick<ConfigSourceData, 'data' | 'path'>[],
) {
  // A file with 1,000 rules takes too long to parse it for each of them.
  const read = memoize(readYaml);
  return (message: string): Location | undefined => {
    const [configPath] = message.match(/^[a-z]+(\.[\w/[\]-]+)*/i) ?? [];
    if (!configPath) {
      return undefined;
    }
    const setting = configPath.replace(/\[.*/, '').split('.');
    // The last source has the value that is in force if it is a list.
    const source = sources.findLast(({ data }) => has(data, setting));
    const keys = configPath.split(/[.[\]]+/).filter(Boolean);
    return source?.path ? locate(source.path, keys, read) : undefined;
  };
}

/**
 * Finds the line of a config path in a YAML file, and in the files that it includes with `$include`. A missing path gets the line
 * of its nearest parent.
 */
function locate(
  file: string,
  keys: string[],
  read: typeof readYaml,
  includes = 0,
): Location {
  const yaml = read(file);
  if (!yaml) {
    return { file };
  }
  let node: unknown = yaml.document.contents;
  let line: number | undefined;
  for (const [i, key] of keys.entries()) {
    node = isAlias(node) ? node.resolve(yaml.document) : node;
    const included = isMap(node) && node.get('$include');
    if (typeof included === 'string' && includes < MAX_INCLUDES) {
      const [name, fragment] = included.split(/#(.*)/);
      const includedFile = path.resolve(path.dirname(file), name);
      // The name of the file may hold a variable.
      if (read(includedFile)) {
        return locate(
          includedFile,
          [...(fragment ? fragment.split('.') : []), ...keys.slice(i)],
          read,
          includes + 1,
        );
      }
    }
    const { child, start } = childOf(node, key);
    if (!isNode(start) || !start.range) {
      break;
    }
    line = yaml.lineAt(start.range[0]);
    node = child;
  }
  return { file, line };
}

/** Reads a YAML file with its lines, even if it has errors. Returns nothing if there is no such file. */
export function readYaml(file: string) {
  const lineCounter = new LineCounter();
  try {
    const document = parseDocument(readFileSync(file, 'utf8'), {
      lineCounter,
    });
    const lineAt = (offset: number) => lineCounter.linePos(offset).line;
    return { document, lineAt };
  } catch {
    return undefined;
  }
}

/** Returns a child, and the node where it starts: its key, or the item of a list. */
function childOf(parent: unknown, key: string) {
  if (isMap(parent)) {
    const pair = parent.items.find(
      ({ key: name }) => isScalar(name) && String(name.value) === key,
    );
    return { child: pair?.value, start: pair?.key };
  }
  const item = isSeq(parent) ? parent.items[Number(key)] : undefined;
  return { child: item, start: item };
}
