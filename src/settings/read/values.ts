import { ConfigReader, readDurationFromConfig } from '@backstage/config';
import { InputError } from '@backstage/errors';
import { durationToMilliseconds, JsonValue } from '@backstage/types';
import { PLUGIN_ID } from '../../gate/rules/AllowRule';
import { readEach } from './mistakes';

// All readers of this folder throw an InputError of one line that names the config path and what to write instead.

/** @throws InputError with the message, unless the condition holds */
export function check(condition: boolean, message: string): asserts condition {
  if (!condition) {
    throw new InputError(message);
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns the value, or an empty object in place of a value of another type. */
export function asObject(value: unknown): Record<string, unknown> {
  return isObject(value) ? value : {};
}

/** Reads a boolean as Backstage does: variables of the environment are texts. */
export function isTrue(value: unknown): boolean {
  return (
    typeof value !== 'object' &&
    /^(y|yes|true|1|on)$/i.test(String(value).trim())
  );
}

/** Reads a boolean of the gate's own configuration, where a text is an error. */
export function readBoolean(
  value: unknown,
  path: string,
  defaultValue: boolean,
  hint = '',
): boolean {
  check(
    value === undefined || typeof value === 'boolean',
    `${path} must be true or false${hint}`,
  );
  return value ?? defaultValue;
}

/** Reads an object, and refuses other keys than those named: a misspelt key must never be taken for a default. */
export function readObject<K extends string>(
  value: unknown,
  path: string,
  keys: readonly K[],
): { [key in K]?: unknown } {
  const known = keys.join(', ');
  check(isObject(value), `${path} must be an object with the keys ${known}`);
  readEach(
    Object.keys(value).map(key => () => {
      check(
        keys.includes(key as K),
        `${path}.${key} is not known${didYouMean(key, keys)}: use ${known}`,
      );
    }),
  );
  return value as { [key in K]?: unknown };
}

/** Returns a note for an error, with the one of these names that was probably meant; empty if it is one of them, or none resembles it. */
export function didYouMean(text: string, names: Iterable<string>): string {
  const known = [...names];
  if (known.includes(text)) {
    return '';
  }
  let meant: string | undefined;
  for (let errors = 1; errors <= Math.min(2, text.length / 3); errors += 1) {
    meant ??= known.find(name => differsBy(errors, text, name));
  }
  const bare = bareOf(text);
  meant ??= known.find(name => bareOf(name) === bare);
  return meant === undefined ? '' : ` (did you mean ${meant}?)`;
}

/** Returns a name in lower case, without what the packages of plugins and the subjects of tokens have around it. */
function bareOf(name: string): string {
  const added =
    /^(external:|(@[^/]+\/)?(backstage-)?(plugin-)?)|-backend(-module-.+)?$/g;
  return name.toLowerCase().replace(added, '');
}

/** Whether so many typing errors lead from one text to another: a letter too much, a missing one, a wrong one, or two swapped. */
function differsBy(errors: number, a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > errors) {
    return false;
  }
  if (a[0] === b[0]) {
    return a === b || differsBy(errors, a.slice(1), b.slice(1));
  }
  const swapped = a[0] === b[1] && a[1] === b[0] ? [[2, 2]] : [];
  return [[1, 0], [0, 1], [1, 1], ...swapped].some(([i, j]) =>
    differsBy(errors - 1, a.slice(i), b.slice(j)),
  );
}

/** Reads a list item by item. A list that is left out is empty. */
export function readList<T>(
  value: unknown,
  path: string,
  description: string,
  readItem: (item: unknown, path: string) => T,
): T[] {
  const items = value ?? [];
  const entries = 'begin each entry with "- ", in a line of its own';
  check(Array.isArray(items), `${path} must be ${description}: ${entries}`);
  return readEach(
    items.map((item, i) => () => readItem(item, `${path}[${i}]`)),
  );
}

/** Reads a list of texts. A list that is left out is empty. */
export function readStringList(
  value: unknown,
  path: string,
  item?: { isValid: (text: string) => boolean; description: string },
): string[] {
  return readList(value, path, 'a list of texts', (text, at) => {
    check(
      typeof text === 'string' && text !== '',
      `${path} must be a list of texts`,
    );
    check(
      item === undefined || item.isValid(text),
      `${at} must be ${item?.description}`,
    );
    return text;
  });
}

export function checkOneOf<T extends string>(
  value: unknown,
  path: string,
  values: readonly T[],
): asserts value is T {
  check(
    values.includes(value as T),
    `${path} must be one of ${values.join(', ')}${typeof value === 'string' ? didYouMean(value, values) : ''}`,
  );
}

export function checkPluginId(
  value: unknown,
  path: string,
): asserts value is string {
  const text = typeof value === 'string' ? value : '';
  const [example] = bareOf(text).match(PLUGIN_ID) ?? ['catalog'];
  check(
    PLUGIN_ID.test(text),
    `${path} must be one plugin id in lower case, such as ${example}`,
  );
}

// An instant with a zone, or a date, which is in UTC (RFC 3339).
const INSTANT =
  /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** Reads a date or an instant. A value that is left out is `undefined`. */
export function readInstant(value: unknown, path: string): Date | undefined {
  if (value === undefined) {
    return undefined;
  }
  const text = typeof value === 'string' && INSTANT.test(value) ? value : '';
  const instant = new Date(text);
  const day = text.slice(0, 10);
  check(
    // `Date` takes a 31st of February for the 3rd of March.
    !Number.isNaN(+instant) && new Date(day).toISOString().startsWith(day),
    `${path} must be a date such as 2026-12-31, or an instant with a zone such as 2026-12-31T18:00:00Z`,
  );
  return instant;
}

/** Reads the end and the reason of an entry. An end in the past is no error, so that a restart never fails for it. */
export function readEndAndReason(
  { until, reason }: { until?: unknown; reason?: unknown },
  configPath: string,
  says: string,
): { until?: number; reason?: string } {
  check(
    reason === undefined || typeof reason === 'string',
    `${configPath}.reason must be text that says ${says}`,
  );
  const end = readInstant(until, `${configPath}.until`);
  return {
    ...(end && { until: +end }),
    ...(reason !== undefined && { reason }),
  };
}

/**
 * Reads a duration as Backstage writes it: `2s`, `PT2S` or `{ seconds: 2 }`.
 *
 * @returns milliseconds
 */
export function readDuration(
  value: unknown,
  path: string,
  range: { defaultSeconds: number; min: string; max: string },
): number {
  const { defaultSeconds, min, max } = range;
  const read =
    value === undefined ? defaultSeconds * 1000 : toMilliseconds(value);
  check(
    read >= toMilliseconds(min) && read <= toMilliseconds(max),
    `${path} must be a duration from ${min} to ${max}, such as ${defaultSeconds}s or { seconds: ${defaultSeconds} }`,
  );
  return read;
}

/** Converts a duration to milliseconds, and anything else to NaN, which is in no range. */
function toMilliseconds(value: unknown): number {
  try {
    return durationToMilliseconds(
      readDurationFromConfig(new ConfigReader({ value: value as JsonValue }), {
        key: 'value',
      }),
    );
  } catch {
    return NaN;
  }
}

/**
 * Reads the address of the frontend or the backend. Any other scheme than these two is refused: the origin of an address such as
 * `portal.example.com:443`, whose scheme was forgotten, is `null`, which browsers send for sandboxed pages of every site.
 */
export function readBaseUrl(value: string, path: string): URL {
  check(
    URL.canParse(value) && /^https?:$/.test(new URL(value).protocol),
    `${path} must be a URL that begins with http:// or https://, such as https://backstage.example.com`,
  );
  return new URL(value);
}
