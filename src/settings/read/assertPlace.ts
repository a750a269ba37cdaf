import type { Config } from '@backstage/config';
import { compact } from 'lodash';
import { asObject, check, isObject } from './values';

// A block at another place than `auth.apiGate` is not read, so that the gate would enforce and have no rule.

/** Matches the config paths at which another spelling of the key is meant for the gate. */
export const ANY_SPELLING = /^(backend\.)?(auth\.)?api[-_]?gate$/i;

/** Settings of the frontend, and names that an operator chooses, where the key may have another meaning. */
const FOREIGN = ['app', 'dynamicPlugins', 'proxy'];

/** The gate's lists of settings that decide, each with a key that its entries have. */
const LISTS: Record<string, string> = {
  allow: 'plugin',
  tokens: 'subject',
};

/** @throws InputError for a block, or for a setting, that is meant for the gate and is not below `auth.apiGate` */
export function assertPlace(rootConfig: Config): void {
  const root = asObject(rootConfig.getOptional());
  const [misplaced] = findMisplaced(root);
  check(
    misplaced === undefined,
    `${misplaced} is not known: write auth.apiGate, which is the key apiGate below the key auth`,
  );
  const { apiGate, ...auth } = asObject(root.auth);
  for (const [key, value] of Object.entries(auth)) {
    check(
      Object.hasOwn(asObject(apiGate), key) || !isForGate(key, value),
      `auth.${key} is a setting of the gate at the wrong place: move it below auth.apiGate`,
    );
  }
}

/** Returns the config paths of keys other than `auth.apiGate` that are meant to be it. */
function findMisplaced(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) {
    return [];
  }
  return Object.entries(value).flatMap(([key, child]) => {
    const name = key.includes('.') ? `"${key}"` : key;
    const at = Array.isArray(value)
      ? `${path}[${key}]`
      : compact([path, name]).join('.');
    if (at === 'auth.apiGate' || FOREIGN.includes(at)) {
      return [];
    }
    // Backstage does not split a key such as `auth.apiGate`.
    const isMeant = key.split('.').includes('apiGate') || ANY_SPELLING.test(at);
    return [...(isMeant ? [at] : []), ...findMisplaced(child, at)];
  });
}

/**
 * Returns whether a setting directly below `auth` has the form of a setting of the gate by which it decides. Backstage may get a
 * setting of the same name there, so that a name is not enough.
 */
function isForGate(key: string, value: unknown): boolean {
  return Array.isArray(value) && Object.hasOwn(LISTS, key)
    ? value.some(entry => isObject(entry) && LISTS[key] in entry)
    : (key === 'mode' && value === 'report-only') ||
        (key === 'closed' && Array.isArray(value));
}
