import { Config, ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';
import {
  escapeRegExp,
  get,
  mergeWith,
  omit,
  pick,
  pickBy,
  set,
  unset,
} from 'lodash';
import { CONFIG_KEY } from '../settings/read/readApiGateConfig';
import { asObject } from '../settings/read/values';
import { asList } from '../operators/findings/backstageSettings';

/** The settings that decide whether the gate refuses at all. */
export const MODE_KEYS = ['mode', 'until'];

/** Lists that `--mock-env` checks even if they hold a variable that is not set. */
export const CHECKED_LISTS = ['allow', 'expect'];

export const pathOf = (key: string) => `${CONFIG_KEY}.${key}`;

const MOCKS = /mock-env-of-[0-9a-f]*-that-is-not-set/g;

/**
 * Returns the made-up value of a variable that is not set: another one for each variable. The value is valid as a plugin id and as a
 * segment of a path, and long enough for a token.
 */
export function mockOf(name: string): string {
  return `mock-env-of-${Buffer.from(name).toString('hex')}-that-is-not-set`;
}

const nameOf = (mock: string) => Buffer.from(mock.split('-')[3], 'hex');

const mocksIn = (value: unknown) => JSON.stringify(value)?.match(MOCKS) ?? [];

export function holdsMock(value: unknown): boolean {
  return mocksIn(value).length > 0;
}

/** Returns a text with each variable that is not set, as the configuration has it, in place of its made-up value. */
export function nameUnset(text: string): string {
  return text.replace(MOCKS, mock => `\${${nameOf(mock)}}`);
}

/** Returns a note for an error about a value, with the variable in it that is not set; empty if there is none. */
export function noteUnset(value: unknown): string {
  const [mock] = mocksIn(value);
  const name = mock && nameOf(mock);
  const remedy = `set it, give it a default such as \${${name}:-…}, or write the value itself`;
  return name ? `: the variable ${name} is not set, so ${remedy}` : '';
}

/**
 * Replaces the made-up values of variables by their defaults. Backstage asks for a variable without its default, so that only a second
 * reading, in which each of these variables is empty, has the defaults.
 *
 * @param mocked - the data with made-up values
 * @param empty - the same data from the second reading
 */
export function withDefaults(mocked: JsonObject, empty: JsonObject) {
  return mergeWith({}, mocked, empty, (value, other) => {
    // Backstage drops the item of a list whose default is empty.
    if (Array.isArray(value) && value.length !== asList(other).length) {
      return value;
    }
    if (typeof value !== 'string' || !holdsMock(value)) {
      return undefined;
    }
    const literals = value.split(MOCKS).map(escapeRegExp);
    const pattern = new RegExp(`^${literals.join('(.*)')}$`, 's');
    const [, ...defaults] = String(other).match(pattern) ?? [];
    return value.replace(MOCKS, mock => defaults.shift() || mock);
  });
}

/** Leaves out the settings that can not be checked without the variables that are not set. */
export function withoutMocked(root: Config, mocked: Config) {
  const data = root.getOptional<JsonObject>() ?? {};
  const valueAt = (path: string) => get(data, path);
  const leftOut: string[] = [];
  const leaveOut = (paths: string[]) => {
    leftOut.push(...paths.filter(path => valueAt(path) !== undefined));
    for (const path of paths) {
      unset(data, path);
    }
  };
  // The backend may have another value than the default. Neither setting is valid without the other.
  const mode = pick(get(mocked.getOptional(), CONFIG_KEY), MODE_KEYS);
  const isModeUnknown = holdsMock(mode);
  if (isModeUnknown) {
    leaveOut(MODE_KEYS.map(pathOf));
  }
  const others = omit(asObject(valueAt(CONFIG_KEY)), 'findings', CHECKED_LISTS);
  leaveOut(Object.keys(pickBy(others, holdsMock)).map(pathOf));
  // A token itself may be a variable that is not set.
  const subjects = asList(valueAt('backend.auth.externalAccess')).map(entry =>
    pick(entry, ['type', 'options.subject', 'options.subjectPrefix']),
  );
  if (holdsMock(subjects)) {
    leaveOut([pathOf('tokens')]);
  }
  const baseUrl = valueAt('backend.baseUrl');
  if (baseUrl === undefined || holdsMock(baseUrl)) {
    leftOut.push('backend.baseUrl');
    set(data, 'backend.baseUrl', 'http://backstage.invalid');
    // Leave the cookie out too: its attributes are checked against the address.
    leaveOut([pathOf('cookie')]);
  }
  if (holdsMock(valueAt('app.baseUrl'))) {
    leaveOut(['app.baseUrl']);
  }
  return { config: new ConfigReader(data), leftOut, isModeUnknown };
}
