import type { Used } from './Use';

/** The number of names that are in no configuration, such as subjects in the tokens of a `jwks` issuer. */
export const MAX_OTHER_NAMES = 200;

/** The number of names of requests that worked, for each plugin. */
export const MAX_WORKED_NAMES = 50;

/** Stands for all further names. */
export const FURTHER_NAMES = '…';

// Databases do not store every character.
const STORABLE_NAME = /^[^\p{Cc}\p{Cs}]{1,250}$/u;

/** The names that are recorded one by one. Clients and issuers of tokens could otherwise make any number of them. */
export class RecordedNames {
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

/** The names of requests that worked. A plugin that answers any path leaves those of the other plugins. */
export class WorkedNames {
  readonly #ofPlugins = new Map<string, RecordedNames>();

  /** Returns the name by which requests are recorded. */
  nameOf({ name, plugin }: Used): string {
    return this.#at(plugin).nameOf(name);
  }

  /** Replaces the names by those that all replicas have recorded. */
  setRecorded(uses: readonly Used[]): void {
    this.#ofPlugins.clear();
    for (const use of uses) {
      this.#at(use.plugin).nameOf(use.name);
    }
  }

  #at(plugin: string): RecordedNames {
    let names = this.#ofPlugins.get(plugin);
    if (!names) {
      names = new RecordedNames([], MAX_WORKED_NAMES);
      this.#ofPlugins.set(plugin, names);
    }
    return names;
  }
}
