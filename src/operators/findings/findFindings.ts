import type { AcceptedFinding } from '../../settings/read/readAcceptedFindings';
import { createGet } from './backstageSettings';
import { Finding, FindingFacts, Place } from './Finding';
import { ROWS } from './rows';

/** Finds what makes the gate pointless or a rule dangerous, for the log of the start, the policy report and `api-gate check`. */
export function findFindings(facts: FindingFacts): Finding[] {
  const known = { ...facts, get: createGet(facts.config) };
  // The first entry for a finding precedes others.
  const accepting = new Map(
    [...facts.gate.acceptedFindings]
      .reverse()
      .map(entry => [identityOf(entry), entry.reason]),
  );
  return ROWS.flatMap(({ id, severity, find, why, write, page }) =>
    find(known).map(place => {
      const { at } = place;
      const reason = accepting.get(identityOf({ id, at }));
      return {
        ...{ id, severity, at },
        why: fill(why, place),
        write: fill(write, place),
        page,
        ...(reason !== undefined && { accepted: { reason } }),
      };
    }),
  );
}

/** Replaces each `{name}` of a text by what a place has of that name. */
function fill(text: string, place: Place): string {
  return text.replace(/\{(\w+)\}/g, (_, name) => place[name]);
}

/**
 * An entry of a list is compared by its content where that is known, and not by its index. Otherwise a new rule at the top of
 * `allow` would be accepted in place of the one below.
 */
function identityOf({ id, at }: Pick<AcceptedFinding, 'id' | 'at'>): string {
  const [path, ...content] = at.split(' (');
  const place = content.length > 0 ? path.replace(/\[\d+\]/g, '[]') : path;
  return [id, place, ...content].join(' (');
}
