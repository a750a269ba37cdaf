import { InputError } from '@backstage/errors';

/**
 * An object with no other keys than those named: a misspelt key must never be taken for a default.
 *
 * @throws InputError
 */
export function readObject(
  value: unknown,
  options: { path: string; keys: readonly string[] },
): Record<string, unknown> {
  const { path, keys } = options;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InputError(
      `${path} must be an object with the keys ${list(keys)}`,
    );
  }
  for (const key of Object.keys(value)) {
    if (!keys.includes(key)) {
      throw new InputError(`${path}.${key} is not known: use ${list(keys)}`);
    }
  }
  return value as Record<string, unknown>;
}

/** @throws InputError */
export function readStringList(value: unknown, path: string): string[] {
  if (value === undefined || value === null) {
    return [];
  }
  if (
    !Array.isArray(value) ||
    !value.every(item => typeof item === 'string' && item !== '')
  ) {
    throw new InputError(`${path} must be a list of texts`);
  }
  return value;
}

/** @throws InputError */
export function readBoolean(
  value: unknown,
  path: string,
  defaultValue: boolean,
): boolean {
  if (value === undefined) {
    return defaultValue;
  }
  if (typeof value !== 'boolean') {
    throw new InputError(`${path} must be true or false`);
  }
  return value;
}

/** @throws InputError */
export function readOneOf<T extends string>(
  value: unknown,
  path: string,
  values: readonly T[],
  defaultValue: T,
): T {
  if (value === undefined) {
    return defaultValue;
  }
  if (!values.includes(value as T)) {
    throw new InputError(`${path} must be one of ${list(values)}`);
  }
  return value as T;
}

function list(words: readonly string[]): string {
  return words.join(', ');
}
