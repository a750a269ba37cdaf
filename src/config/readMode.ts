import { check, checkOneOf, readInstant } from './values';

/** `auth.apiGate.mode` and `until`, checked and with their defaults. */
export interface ModeSettings {
  /** With `report-only` nothing is refused. */
  mode: 'enforce' | 'report-only';
  /** With `report-only`: from then on it is `enforce`. */
  until: Date | undefined;
}

export function readMode(
  written: { mode?: unknown; until?: unknown },
  configPath: string,
): ModeSettings {
  const { mode = 'enforce' } = written;
  checkOneOf(mode, `${configPath}.mode`, ['enforce', 'report-only']);
  const until = readInstant(written.until, `${configPath}.until`);
  check(
    until === undefined || mode === 'report-only',
    `${configPath}.until says when report-only ends: remove it, or set ${configPath}.mode to report-only`,
  );
  return { mode, until };
}
