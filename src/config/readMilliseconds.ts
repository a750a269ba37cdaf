import { ConfigReader, readDurationFromConfig } from '@backstage/config';
import { durationToMilliseconds, JsonValue } from '@backstage/types';

/** A duration as Backstage writes it: `2s`, `PT2S` or `{ seconds: 2 }`; `undefined` for anything else. */
export function readMilliseconds(value: unknown): number | undefined {
  try {
    return durationToMilliseconds(
      readDurationFromConfig(new ConfigReader({ value: value as JsonValue }), {
        key: 'value',
      }),
    );
  } catch {
    return undefined;
  }
}
