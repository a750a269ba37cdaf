import { InputError } from '@backstage/errors';
import { readOneOf } from './values';

/** `auth.apiGate.mode` and `until`, checked and with their defaults. */
export interface ModeSettings {
  mode: 'enforce' | 'report-only';
  /** With `report-only`: from then on it is `enforce`. */
  until: Date | undefined;
}

// An instant with a zone, or a date, which is in UTC (RFC 3339).
const INSTANT =
  /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** @throws InputError of one line that names the config path and what to write instead */
export function readMode(
  mode: unknown,
  until: unknown,
  configPath: string,
): ModeSettings {
  const settings = {
    mode: readOneOf(
      mode,
      `${configPath}.mode`,
      ['enforce', 'report-only'],
      'enforce',
    ),
    until: until === undefined ? undefined : readInstant(until),
  };
  if (until !== undefined && settings.until === undefined) {
    throw new InputError(
      `${configPath}.until must be a date such as 2026-12-31, or an instant with a zone such as 2026-12-31T18:00:00Z`,
    );
  }
  if (settings.until && settings.mode !== 'report-only') {
    throw new InputError(
      `${configPath}.until says when report-only ends: remove it, or set ${configPath}.mode to report-only`,
    );
  }
  return settings;
}

function readInstant(value: unknown): Date | undefined {
  if (typeof value !== 'string' || !INSTANT.test(value)) {
    return undefined;
  }
  const instant = new Date(value);
  // `Date` takes a 31st of February for the 3rd of March.
  const sameDay =
    !Number.isNaN(+instant) &&
    new Date(value.slice(0, 10)).toISOString().startsWith(value.slice(0, 10));
  return sameDay ? instant : undefined;
}
