import { check, checkOneOf } from './values';

/** `auth.apiGate.mode` and `until`, checked and with their defaults. */
export interface ModeSettings {
  /** With `report-only` nothing is refused. */
  mode: 'enforce' | 'report-only';
  /** With `report-only`: from then on it is `enforce`. */
  until: Date | undefined;
}

// An instant with a zone, or a date, which is in UTC (RFC 3339).
const INSTANT =
  /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/;

export function readMode(
  written: { mode?: unknown; until?: unknown },
  configPath: string,
): ModeSettings {
  const { mode = 'enforce' } = written;
  checkOneOf(mode, `${configPath}.mode`, ['enforce', 'report-only']);
  const until = toInstant(written.until);
  check(
    written.until === undefined || until !== undefined,
    `${configPath}.until must be a date such as 2026-12-31, or an instant with a zone such as 2026-12-31T18:00:00Z`,
  );
  check(
    until === undefined || mode === 'report-only',
    `${configPath}.until says when report-only ends: remove it, or set ${configPath}.mode to report-only`,
  );
  return { mode, until };
}

function toInstant(value: unknown): Date | undefined {
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
