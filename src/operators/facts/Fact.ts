import { compact, sortBy, uniq } from 'lodash';
import { printable } from '../../settings/logLine';

/** Says one thing that is open, or that lets somebody do something. `api-gate report` prints facts. */
export interface Fact {
  /** The kind of the fact, such as `public`: the beginning of its line. */
  kind: string;
  /** The path that is open, or the setting with the power. */
  what: string;
  /** The callers that are allowed, and until when. */
  who?: string;
  /** Why this is so, in the words of the configuration. */
  note?: string;
}

/** The kinds of facts, in the order of the report. Plugins' own policies follow, by plugin. */
export const KINDS = [
  'mode',
  'public',
  'always public',
  'external token',
  'power',
  'accepted',
  'closed',
  'variable',
];

/** Longer than each kind, so that a new line moves no other one. */
const KIND_WIDTH = 16;

/** Formats facts as lines, sorted, each once: the kind, then what, who and the note, two spaces between them. */
export function formatFacts(facts: readonly Fact[]): string[] {
  const lines = facts.map(({ kind, what, who, note }) => {
    const cells = [what, who, note && oneLine(printable(note))];
    return {
      rank: KINDS.indexOf(kind),
      line: printable(kind.padEnd(KIND_WIDTH) + compact(cells).join('  ')),
    };
  });
  return uniq(sortBy(lines, 'rank', 'line').map(({ line }) => line));
}

/** Returns a text without what could look like another column. */
function oneLine(text: string): string {
  return text.trim().replace(/\s+/g, ' ');
}
