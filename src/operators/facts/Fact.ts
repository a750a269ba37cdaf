import { compact, sortBy, uniq } from 'lodash';
import { printable } from '../../settings/logLine';

/** Says one thing that is open, or that lets somebody do something. The log of the start, the policy route, the page and `api-gate report` print facts. */
export interface Fact {
  /** The kind of the fact, such as `public`: the beginning of its line. */
  kind: string;
  /** The path that is open, the token, or the setting with the power. */
  what: string;
  /** The callers that are allowed, or what the token may do. */
  who?: string;
  /** The instant at which it ends. */
  until?: string;
  /** Why this is so, in the words of the configuration. */
  note?: string;
  /** The name of the rule by which its requests are counted. */
  rule?: string;
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
  'newly public',
  'declared open',
  'not known',
  'list',
];

/** Longer than each kind, so that a new line moves no other one. */
const KIND_WIDTH = 16;

/** Formats facts as lines, sorted, each once: the kind, then what, who and the note, two spaces between them. */
export function formatFacts(facts: readonly Fact[]): string[] {
  const lines = facts.map(fact => ({
    rank: KINDS.indexOf(fact.kind),
    line: printable(
      fact.kind.padEnd(KIND_WIDTH) + [fact.what, ...detailsOf(fact)].join('  '),
    ),
  }));
  return uniq(sortBy(lines, 'rank', 'line').map(({ line }) => line));
}

/** Returns what a fact says beside its kind and what it is about. */
export function detailsOf({ who, until, note }: Fact): string[] {
  const end = until && `until ${until}`;
  return compact([who, end, note && oneLine(printable(note))]);
}

/** Returns a text without what could look like another column. */
function oneLine(text: string): string {
  return text.trim().replace(/\s+/g, ' ');
}
