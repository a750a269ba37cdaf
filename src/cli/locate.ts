import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  isAlias,
  isMap,
  isNode,
  isSeq,
  LineCounter,
  Node,
  parseDocument,
} from 'yaml';
import type { Location } from './output';

type Key = string | number;

const MAX_INCLUDES = 10;

/**
 * Finds the line of a config path in a YAML file, and in the files that it includes with `$include`. A missing path gets the line
 * of its nearest parent.
 */
export function locate(file: string, keys: Key[], includes = 0): Location {
  const lines = new LineCounter();
  let document;
  try {
    document = parseDocument(readFileSync(file, 'utf8'), {
      lineCounter: lines,
    });
  } catch {
    return { file };
  }
  let node: unknown = document.contents;
  let line: number | undefined;
  for (const [i, key] of keys.entries()) {
    node = isAlias(node) ? node.resolve(document) : node;
    const included = isMap(node) && node.get('$include');
    if (typeof included === 'string' && includes < MAX_INCLUDES) {
      const [name, fragment] = included.split(/#(.*)/);
      return locate(
        path.resolve(path.dirname(file), name),
        [...(fragment ? fragment.split('.') : []), ...keys.slice(i)],
        includes + 1,
      );
    }
    const next = childOf(node, key);
    if (!next) {
      break;
    }
    line = lines.linePos(next.at).line;
    node = next.node;
  }
  return { file, line };
}

/** Returns a child, and the offset of its key or its list item. */
function childOf(
  parent: unknown,
  key: Key,
): { node: unknown; at: number } | undefined {
  if (isMap(parent)) {
    const pair = parent.items.find(
      ({ key: node }) => String(isNode(node) ? node.toJSON() : node) === key,
    );
    const at = (pair?.key as Node | undefined)?.range?.[0];
    return pair && at !== undefined ? { node: pair.value, at } : undefined;
  }
  if (isSeq(parent) && typeof key === 'number') {
    const node = parent.items[key] as Node | undefined;
    const at = node?.range?.[0];
    return at === undefined ? undefined : { node, at };
  }
  return undefined;
}
