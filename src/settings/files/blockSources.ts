import type { Config } from '@backstage/config';
import { InputError } from '@backstage/errors';
import { countBy, isNil } from 'lodash';
import { assertPlace } from '../read/assertPlace';
import { readFiles } from './configFiles';
import { CONFIG_KEY } from '../read/readApiGateConfig';

/** Returns whether the data of a file has a value of `auth.apiGate`: `{}` is one, and a key without a value is none. */
export function hasBlock(data: any): boolean {
  return !isNil(data?.auth?.apiGate);
}

/**
 * Returns the names of the files that give `auth.apiGate` a value, and of other sources that do, each as often as there are files of
 * that name: none if the configuration has no value.
 */
export function findBlockSources(config: Config): string[] {
  if (config.getOptional(CONFIG_KEY) === undefined) {
    return [];
  }
  const names = readFiles(config)
    .filter(({ data }) => hasBlock(data))
    .map(({ file }) => file);
  return names.length > 0 ? names : ['the configuration'];
}

/**
 * Checks that each source of `auth.apiGate` still is one. A file may be empty, or half written, for a moment. Without the block, the
 * gate would end report-only, which only a restart brings back, and would close every rule.
 *
 * @param before - the sources of the policy in force
 * @param unreadable - the names of the files that can't be read now
 */
export function checkBlockSources(
  before: string[],
  config: Config,
  unreadable: string[],
): void {
  const now = countBy(findBlockSources(config));
  const gone = Object.entries(countBy(before)).flatMap(([name, count]) =>
    unreadable.includes(name) || (now[name] ?? 0) < count ? name : [],
  );
  if (gone.length > 0) {
    // A block that has moved is gone, too: the error names where it is now.
    assertPlace(config);
    throw new InputError(
      `${CONFIG_KEY} is gone from ${gone.join(', ')}, or can't be read there: write it again, as {} if it needs no settings; to remove it, restart the backend`,
    );
  }
}
