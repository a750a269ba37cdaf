import { InputError } from '@backstage/errors';
import { readMilliseconds } from './readMilliseconds';
import { readObject } from './values';

/** `auth.apiGate.tokenCache`, checked and with its defaults; `undefined` if it is off. */
export interface TokenCacheSettings {
  /** How long a verified token is remembered at most. */
  ttlMs: number;
}

const DEFAULT_TTL_MS = 30_000;
const MIN_TTL_MS = 1_000;
const MAX_TTL_MS = 5 * 60_000;

/** @throws InputError of one line that names the config path and what to write instead */
export function readTokenCacheSettings(
  value: unknown,
  configPath: string,
): TokenCacheSettings | undefined {
  if (value === false) {
    return undefined;
  }
  if (value === true) {
    throw new InputError(
      `${configPath} must be false, or an object with the key ttl; leave it out for the default`,
    );
  }
  const { ttl } = readObject(value ?? {}, { path: configPath, keys: ['ttl'] });
  const ttlMs = ttl === undefined ? DEFAULT_TTL_MS : readMilliseconds(ttl);
  if (ttlMs === undefined || ttlMs < MIN_TTL_MS || ttlMs > MAX_TTL_MS) {
    throw new InputError(
      `${configPath}.ttl must be a duration from 1s to 5m, such as 30s or { seconds: 30 }`,
    );
  }
  return { ttlMs };
}
