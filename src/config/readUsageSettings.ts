import { check, readDuration, readObject } from './values';

const DAY_SECONDS = 24 * 60 * 60;

/** `auth.apiGate.usage`, checked and with its defaults. */
export interface UsageSettings {
  /** How long the history of a rule or token is kept that is not configured any more. */
  keepMs: number;
}

/** @returns `undefined` if use is not recorded */
export function readUsageSettings(
  value: unknown,
  configPath: string,
): UsageSettings | undefined {
  if (value === false) {
    return undefined;
  }
  check(
    value !== true,
    `${configPath} must be false, or an object with the key keep; leave it out for the default`,
  );
  const { keep } = readObject(value ?? {}, configPath, ['keep']);
  return {
    keepMs: readDuration(keep, `${configPath}.keep`, {
      defaultSeconds: 90 * DAY_SECONDS,
      min: '1d',
      max: '800d',
    }),
  };
}
