import {
  tokenCallOf,
  Used,
  usedCall,
  usedWorked,
  workedRequestOf,
} from './Use';

/** The number of names that are in no configuration, such as subjects in the tokens of a `jwks` issuer. */
export const MAX_OTHER_NAMES = 200;

/** The number of names of requests: of those that worked, for each plugin, and of those by external tokens, for each subject. */
export const MAX_NAMES_OF_GROUP = 50;

/** Stands for all further names. */
export const FURTHER_NAMES = '…';

// Databases do not store every character.
const STORABLE_NAME = /^[^\p{Cc}\p{Cs}]{1,250}$/u;

/** Limits the names in the record that clients, or issuers of tokens, choose. They could otherwise make any number of them. */
export class UsageNames {
  /** The names that are recorded one by one, by the group that {@link groupOf} returns. */
  readonly #groups = new Map<string, Set<string>>();

  /** @param subjects - those of the external tokens that the configuration names */
  constructor(readonly subjects: ReadonlySet<string>) {}

  /** Returns a use while its group has room for its name, and otherwise the use that stands for all further ones. */
  limit(used: Used): Used {
    return used.kind === 'rule' || this.#add(used)
      ? used
      : groupOf(used).further;
  }

  /** Replaces the names by those that all replicas have recorded. */
  setRecorded(uses: Iterable<Used>): void {
    this.#groups.clear();
    for (const used of uses) {
      // A use without a plugin records only that something was in force.
      if (used.plugin !== '' && used.name !== FURTHER_NAMES) {
        this.#add(used);
      }
    }
  }

  /** Adds the name of a use while its group has room, and returns whether the use is recorded by that name. */
  #add(used: Used): boolean {
    const { name } = used;
    if (this.subjects.has(name)) {
      return true;
    }
    const { group, max } = groupOf(used);
    const names = this.#groups.get(group) ?? new Set();
    this.#groups.set(group, names);
    if (names.size < max && STORABLE_NAME.test(name)) {
      names.add(name);
    }
    return names.has(name);
  }
}

/**
 * Returns the group of a use, and the use that stands for those beyond its limit. Each group has a limit of its own, so that a plugin that
 * answers any path takes no names from other plugins. The configuration limits the number of groups.
 */
function groupOf(used: Used): { group: string; max: number; further: Used } {
  if (used.kind === 'worked') {
    const { plugin, method, reason } = workedRequestOf(used);
    const further = usedWorked({ plugin, method, reason });
    return { group: `worked ${plugin}`, max: MAX_NAMES_OF_GROUP, further };
  }
  if (used.kind === 'call') {
    const call = tokenCallOf(used);
    const further = usedCall({ ...call, path: undefined });
    return { group: `call ${call.subject}`, max: MAX_NAMES_OF_GROUP, further };
  }
  const further = { ...used, name: FURTHER_NAMES };
  return { group: 'subjects', max: MAX_OTHER_NAMES, further };
}
