import { InputError } from '@backstage/errors';
import { readMilliseconds } from './readMilliseconds';
import { readObject } from './values';

/** `auth.apiGate.revocation`, checked and with its defaults. */
export interface RevocationSettings {
  /** How often a replica reads what others have revoked. */
  pollIntervalMs: number;
}

const DEFAULT_POLL_INTERVAL_MS = 2_000;
const MIN_POLL_INTERVAL_MS = 100;
const MAX_POLL_INTERVAL_MS = 5 * 60_000;

/** @throws InputError of one line that names the config path and what to write instead */
export function readRevocationSettings(
  value: unknown,
  configPath: string,
): RevocationSettings {
  const { pollInterval } = readObject(value ?? {}, {
    path: configPath,
    keys: ['pollInterval'],
  });
  const pollIntervalMs =
    pollInterval === undefined
      ? DEFAULT_POLL_INTERVAL_MS
      : readMilliseconds(pollInterval);
  if (
    pollIntervalMs === undefined ||
    pollIntervalMs < MIN_POLL_INTERVAL_MS ||
    pollIntervalMs > MAX_POLL_INTERVAL_MS
  ) {
    throw new InputError(
      `${configPath}.pollInterval must be a duration from 100ms to 5m, such as 2s or { seconds: 2 }`,
    );
  }
  return { pollIntervalMs };
}
