import type { BackstageCredentials } from '@backstage/backend-plugin-api';

/**
 * Returns a function that copies credentials for each request: Backstage freezes nothing, and what a handler changes must stay with
 * its request. All credentials that Backstage makes are plain data: those of a user, of a user for whom a service acts, and of a
 * service. Returns `undefined` for credentials with anything else in them, such as an instance of a class: a copy could lose a part
 * of it, or share it between requests.
 */
export function createCopier(
  original: BackstageCredentials,
): (() => BackstageCredentials) | undefined {
  try {
    copyOf(original);
  } catch {
    return undefined;
  }
  return () => copyOf(original);
}

/**
 * Copies plain data, with properties that are not enumerable: Backstage keeps the token in one. Only functions are shared, such as
 * `toString`.
 *
 * @throws TypeError for any other object, and RangeError for an object that contains itself
 */
function copyOf<T>(original: T): T;
function copyOf(original: any): unknown {
  if (typeof original !== 'object' || original === null) {
    return original;
  }
  switch (Object.getPrototypeOf(original)) {
    case Date.prototype:
      return new Date(original);
    case Array.prototype:
      return original.map(copyOf);
    case Map.prototype:
      return new Map([...original].map(copyOf));
    case Object.prototype:
      break;
    default:
      throw new TypeError('Not plain data');
  }
  const copy: any = {};
  for (const key of Reflect.ownKeys(original)) {
    const value = copyOf(original[key]);
    if (Object.prototype.propertyIsEnumerable.call(original, key)) {
      copy[key] = value;
    } else {
      const hidden = { configurable: true, value, writable: true };
      Object.defineProperty(copy, key, hidden);
    }
  }
  return copy;
}
