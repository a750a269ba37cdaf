import {
  TokenCall,
  tokenCallOf,
  Used,
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

/** The names that are recorded one by one. Clients and issuers of tokens could otherwise make any number of them. */
class RecordedNames {
  readonly #configured: ReadonlySet<string>;
  #others = new Set<string>();

  /**
   * @param configured - names that are always recorded
   * @param max - the number of all other names
   */
  constructor(
    configured: Iterable<string>,
    private readonly max = MAX_OTHER_NAMES,
  ) {
    this.#configured = new Set(configured);
  }

  /** Returns the name by which a name is recorded. */
  nameOf(name: string): string {
    if (this.#configured.has(name) || this.#others.has(name)) {
      return name;
    }
    if (this.#others.size >= this.max || !STORABLE_NAME.test(name)) {
      return FURTHER_NAMES;
    }
    this.#others.add(name);
    return name;
  }

  /** Replaces the names by those that all replicas have recorded. */
  setRecorded(names: Iterable<string>): void {
    this.#others = new Set(names);
    this.#configured.forEach(name => this.#others.delete(name));
    this.#others.delete(FURTHER_NAMES);
  }
}

/** The names of requests in groups. A group with many names, such as a plugin that answers any path, leaves those of the others. */
class GroupedNames {
  readonly #groups = new Map<string, RecordedNames>();

  /** @param groupOf - returns the group of a use. The configuration limits the number of groups */
  constructor(private readonly groupOf: (used: Used) => string) {}

  /** Returns a use as it is recorded. Beyond the number of names, its name is the shorter one. */
  recordedAs(used: Used, shorterName: string): Used {
    return this.#nameOf(used) === FURTHER_NAMES
      ? { ...used, name: shorterName }
      : used;
  }

  /** Replaces the names by those that all replicas have recorded. */
  setRecorded(uses: readonly Used[]): void {
    this.#groups.clear();
    uses.forEach(use => this.#nameOf(use));
  }

  #nameOf(used: Used): string {
    const group = this.groupOf(used);
    let names = this.#groups.get(group);
    if (!names) {
      names = new RecordedNames([], MAX_NAMES_OF_GROUP);
      this.#groups.set(group, names);
    }
    return names.nameOf(used.name);
  }
}

/** The names of all that is recorded by a name which clients, or issuers of tokens, choose. */
export class UsageNames {
  readonly #configured: ReadonlySet<string>;
  readonly #subjects: RecordedNames;
  readonly #worked = new GroupedNames(({ plugin }) => plugin);
  readonly #calls = new GroupedNames(used => tokenCallOf(used).subject);

  /** @param subjects - those of the external tokens that the configuration names */
  constructor(subjects: readonly string[]) {
    this.#configured = new Set(subjects);
    this.#subjects = new RecordedNames(subjects);
  }

  /** Returns the name by which a subject is recorded. */
  subject(subject: string): string {
    return this.#subjects.nameOf(subject);
  }

  worked(request: WorkedRequest): Used {
    return this.#worked.recordedAs(usedWorked(request), request.method);
  }

  /** Returns nothing for a subject that the configuration does not name: there may be any number of them. */
  call(call: TokenCall): Used | undefined {
    const { name } = usedCall({ ...call, path: undefined });
    return this.#configured.has(call.subject)
      ? this.#calls.recordedAs(usedCall(call), name)
      : undefined;
  }

  /** Replaces the names by those that all replicas have recorded. */
  setRecorded(uses: Iterable<Used>): void {
    // A use without a plugin records only that something was in force.
    const named = [...uses].filter(({ plugin }) => plugin !== '');
    const usesOf = (kind: Used['kind']) =>
      named.filter(use => use.kind === kind);
    this.#subjects.setRecorded(usesOf('token').map(({ name }) => name));
    this.#worked.setRecorded(usesOf('worked'));
    this.#calls.setRecorded(usesOf('call'));
  }
}
