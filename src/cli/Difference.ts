import { differenceWith } from 'lodash';
import type { LoadedConfig } from './loadConfig';

/** A difference between two configurations, as `diff` prints it: one line. */
export interface Difference {
  /** `+`: after the change, somebody may do more. `-`: nobody may. */
  sign: '+' | '-';
  /** The name of the line, such as `public`, `longer` or `no longer expected`. */
  kind: string;
  text: string;
  /** The config path of the setting. */
  at?: string;
  /** The reason of the entry, and its requirement. */
  note?: string;
}

export function formatDifference(difference: Difference): string {
  const { sign, kind, text, at, note } = difference;
  return [`${sign} ${kind}`, text, at, note].filter(Boolean).join('  ');
}

export type Compare = (
  before: LoadedConfig,
  after: LoadedConfig,
  path: string,
) => Difference[];

/** @param kinds - the name of a line with `+`, and of a line with `-` if that differs */
export function compareAll<T extends { text: string; at?: string }>(
  kinds: [more: string, less?: string],
  allOf: (config: LoadedConfig) => T[],
  isWithin = (one: T, other: T) => one.text === other.text,
): Compare {
  return (before, after, path) => {
    const [old, now] = [before, after].map(allOf);
    const [more, less = more] = kinds;
    const line =
      (sign: '+' | '-', kind: string) =>
      ({ text, at = path }: T): Difference => ({ sign, kind, text, at });
    return [
      ...differenceWith(now, old, isWithin).map(line('+', more)),
      ...differenceWith(old, now, isWithin).map(line('-', less)),
    ];
  };
}
