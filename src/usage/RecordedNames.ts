/** The number of names that are in no configuration, such as subjects in the tokens of a `jwks` issuer. */
export const MAX_OTHER_NAMES = 200;

/** Stands for all further names. */
export const FURTHER_NAMES = '…';

// Databases do not store every character.
const STORABLE_NAME = /^[^\p{Cc}\p{Cs}]{1,250}$/u;

/** The names that are recorded one by one. Clients and issuers of tokens could otherwise make any number of them. */
export class RecordedNames {
  readonly #configured: ReadonlySet<string>;
  #others = new Set<string>();

  /** @param configured - names that are always recorded */
  constructor(configured: Iterable<string> = []) {
    this.#configured = new Set(configured);
  }

  /** Returns the name by which a name is recorded. */
  nameOf(name: string): string {
    if (this.#configured.has(name) || this.#others.has(name)) {
      return name;
    }
    if (this.#others.size >= MAX_OTHER_NAMES || !STORABLE_NAME.test(name)) {
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
