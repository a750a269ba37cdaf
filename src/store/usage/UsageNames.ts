import {
  TokenCall,
  tokenCallOf,
  Used,
  usedBy,
  usedCall,
  usedWorked,
  WorkedRequest,
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
  readonly #configured: ReadonlySet<string>;
  /** The names that are recorded one by one, by the group that {@link groupOf} returns. */
  readonly #groups = new Map<string, Set<string>>();

  /** @param subjects - those of the external tokens that the configuration names */
  constructor(subjects: readonly string[]) {
    this.#configured = new Set(subjects);
  }

  subject(subject: string): string {
    return this.#configured.has(subject) ||
      this.#add(usedBy('token', subject), MAX_OTHER_NAMES)
      ? subject
      : FURTHER_NAMES;
  }

  worked(request: WorkedRequest): Used {
    const { plugin, method, reason } = request;
    const used = usedWorked(request);
    return this.#add(used) ? used : usedWorked({ plugin, method, reason });
  }

  /** Returns nothing for a subject that the configuration does not name: there may be any number of them. */
  call(call: TokenCall): Used | undefined {
    if (!this.#configured.has(call.subject)) {
      return undefined;
    }
    const used = usedCall(call);
    return this.#add(used) ? used : usedCall({ ...call, path: undefined });
  }

  /** Replaces the names by those that all replicas have recorded. */
  setRecorded(uses: Iterable<Used>): void {
    this.#groups.clear();
    // A use without a plugin records only that something was in force.
    const named = [...uses].filter(({ plugin }) => plugin !== '');
    for (const used of named) {
      const { kind, name } = used;
      if (kind === 'worked' || kind === 'call') {
        this.#add(used);
      } else if (
        kind === 'token' &&
        name !== FURTHER_NAMES &&
        !this.#configured.has(name)
      ) {
        // Replicas may have recorded more at the same time.
        this.#add(used, Infinity);
      }
    }
  }

  /** Adds the name of a use while its group has room, and returns whether the use is recorded by that name. */
  #add(used: Used, max = MAX_NAMES_OF_GROUP): boolean {
    const { name } = used;
    const group = groupOf(used);
    const names = this.#groups.get(group) ?? new Set();
    this.#groups.set(group, names);
    if (names.size < max && STORABLE_NAME.test(name)) {
      names.add(name);
    }
    return names.has(name);
  }
}

/**
 * Returns the group of a use. Each group has a limit of its own, so that a plugin that answers any path takes no names from other
 * plugins. The configuration limits the number of groups.
 */
function groupOf(used: Used): string {
  const { kind, plugin } = used;
  if (kind === 'call') {
    return `${kind} ${tokenCallOf(used).subject}`;
  }
  return kind === 'worked' ? `${kind} ${plugin}` : kind;
}
