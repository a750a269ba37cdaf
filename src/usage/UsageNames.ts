import { groupBy } from 'lodash';
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

/** The names that are recorded one by one, in groups. Clients and issuers of tokens could otherwise make any number of them. */
class RecordedNames {
  readonly #groups = new Map<string, Set<string>>();

  /**
   * @param max - the number of names of a group: one with many, such as a plugin that answers any path, leaves those of the others
   * @param groupOf - returns the group of a use. The configuration limits the number of groups
   */
  constructor(
    private readonly max: number,
    private readonly groupOf: (used: Used) => string,
  ) {}

  /** Adds the name of a use while its group has room, and returns whether the use is recorded by that name. */
  add(used: Used, max = this.max): boolean {
    const { name } = used;
    const group = this.groupOf(used);
    const names = this.#groups.get(group) ?? new Set();
    this.#groups.set(group, names);
    if (names.size < max && STORABLE_NAME.test(name)) {
      names.add(name);
    }
    return names.has(name);
  }

  /** Replaces the names by those that all replicas have recorded. */
  setRecorded(uses: readonly Used[], max?: number): void {
    this.#groups.clear();
    uses.forEach(use => this.add(use, max));
  }
}

/** The names of all that is recorded by a name which clients, or issuers of tokens, choose. */
export class UsageNames {
  readonly #configured: ReadonlySet<string>;
  readonly #subjects = new RecordedNames(MAX_OTHER_NAMES, ({ kind }) => kind);
  readonly #worked = new RecordedNames(
    MAX_NAMES_OF_GROUP,
    ({ plugin }) => plugin,
  );
  readonly #calls = new RecordedNames(
    MAX_NAMES_OF_GROUP,
    used => tokenCallOf(used).subject,
  );

  /** @param subjects - those of the external tokens that the configuration names */
  constructor(subjects: readonly string[]) {
    this.#configured = new Set(subjects);
  }

  /** Returns the name by which a subject is recorded. */
  subject(subject: string): string {
    return this.#configured.has(subject) ||
      this.#subjects.add(usedBy('token', subject))
      ? subject
      : FURTHER_NAMES;
  }

  worked(request: WorkedRequest): Used {
    const used = usedWorked(request);
    return this.#worked.add(used) ? used : { ...used, name: request.method };
  }

  /** Returns nothing for a subject that the configuration does not name: there may be any number of them. */
  call(call: TokenCall): Used | undefined {
    if (!this.#configured.has(call.subject)) {
      return undefined;
    }
    const used = usedCall(call);
    return this.#calls.add(used)
      ? used
      : usedCall({ ...call, path: undefined });
  }

  /** Replaces the names by those that all replicas have recorded. */
  setRecorded(uses: Iterable<Used>): void {
    // A use without a plugin records only that something was in force.
    const named = [...uses].filter(({ plugin }) => plugin !== '');
    const { call = [], token = [], worked = [] } = groupBy(named, 'kind');
    const others = token.filter(
      ({ name }) => name !== FURTHER_NAMES && !this.#configured.has(name),
    );
    // Replicas may have recorded more at the same time.
    this.#subjects.setRecorded(others, Infinity);
    this.#worked.setRecorded(worked);
    this.#calls.setRecorded(call);
  }
}
