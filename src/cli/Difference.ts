/** A difference between two configurations, as `diff` prints it: one line. */
export interface Difference {
  /** `+`: after the change, the gate protects less. `-`: it protects more, or as much. */
  sign: '+' | '-';
  /** The name of the line, such as `public`, `longer` or `no longer expected`. */
  kind: string;
  /** The request, the subject or the value that differs. */
  text: string;
  /** The config path in the new configuration, if the entry is there. */
  at?: string;
  /** The reason of the entry, and its requirement. */
  note?: string;
}

export function formatDifference(difference: Difference): string {
  const { sign, kind, text, at, note } = difference;
  return [`${sign} ${kind}`, text, at, note].filter(Boolean).join('  ');
}
