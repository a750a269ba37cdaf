import type { Config } from '@backstage/config';
import { InputError } from '@backstage/errors';
import { countBy, get, isNil } from 'lodash';
import { assertPlace } from '../read/assertPlace';
import { readFiles } from './configFiles';
import { CONFIG_KEY } from '../read/readApiGateConfig';

/** A file, or another source of the configuration, that gives a key a value. */
interface BlockSource {
  key: string;
  file: string;
}

/**
 * The keys that only a restart takes away, each with how to write that it has nothing. Without the block, report-only would end, which
 * only a restart brings back, and every rule would close. Without `tokens`, external tokens would have no limits.
 */
const KEPT = {
  [CONFIG_KEY]: '{} if it needs no settings',
  [`${CONFIG_KEY}.tokens`]: '[] if external tokens may call nothing',
};

/** Returns whether the data of a file has a value of `auth.apiGate`: `{}` is one, and a key without a value is none. */
export function hasBlock(data: any): boolean {
  return !isNil(data?.auth?.apiGate);
}

/**
 * Returns the sources of each key that only a restart takes away, each as often as there are files of that name: none of a key without
 * a value.
 */
export function findBlockSources(config: Config): BlockSource[] {
  // A longer path throws where the block has a wrong type.
  const all = { auth: { apiGate: config.getOptional(CONFIG_KEY) } };
  return Object.keys(KEPT).flatMap(key => {
    if (isNil(get(all, key))) {
      return [];
    }
    const files = readFiles(config).filter(
      ({ data }) => !isNil(get(data, key)),
    );
    return files.length > 0
      ? files.map(({ file }) => ({ key, file }))
      : { key, file: 'the configuration' };
  });
}

/**
 * Checks that each source of a key still is one. A file may be empty, or half written, for a moment.
 *
 * @param before - the sources of the policy in force
 * @param unreadable - the names of the files that can't be read now
 */
export function checkBlockSources(
  before: BlockSource[],
  config: Config,
  unreadable: string[],
): void {
  const count = (sources: BlockSource[], key: string) =>
    countBy(
      sources.filter(each => each.key === key),
      'file',
    );
  const after = findBlockSources(config);
  for (const [key, none] of Object.entries(KEPT)) {
    const now = count(after, key);
    const gone = Object.entries(count(before, key)).flatMap(([name, number]) =>
      unreadable.includes(name) || (now[name] ?? 0) < number ? name : [],
    );
    if (gone.length > 0) {
      // A block that has moved is gone, too: the error names where it is now.
      assertPlace(config);
      throw new InputError(
        `${key} is gone from ${gone.join(', ')}, or can't be read there, or the file ends within a line: write it again, as ${none}; to remove it, restart the backend`,
      );
    }
  }
}
