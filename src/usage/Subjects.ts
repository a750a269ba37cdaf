import type { ExternalToken } from '../config/readExternalTokens';

/** The number of subjects that are in no configuration, but in the tokens of a `jwks` issuer. */
export const MAX_OTHER_SUBJECTS = 200;

/** Stands for all further subjects. */
const FURTHER_SUBJECTS = '…';

// Databases do not store every character.
const STORABLE_SUBJECT = /^[^\p{Cc}\p{Cs}]{1,250}$/u;

/** The subjects of external tokens that are recorded by name. An issuer of tokens could otherwise make any number of them. */
export class Subjects {
  readonly #configured: ReadonlySet<string>;
  #others = new Set<string>();

  constructor(configured: readonly ExternalToken[]) {
    this.#configured = new Set(configured.map(({ subject }) => subject));
  }

  /** Returns the name by which a subject is recorded. */
  nameOf(subject: string): string {
    if (this.#configured.has(subject) || this.#others.has(subject)) {
      return subject;
    }
    if (
      this.#others.size >= MAX_OTHER_SUBJECTS ||
      !STORABLE_SUBJECT.test(subject)
    ) {
      return FURTHER_SUBJECTS;
    }
    this.#others.add(subject);
    return subject;
  }

  /** Replaces the subjects by those that all replicas have recorded. */
  setRecorded(names: Iterable<string>): void {
    this.#others = new Set(names);
    this.#configured.forEach(name => this.#others.delete(name));
    this.#others.delete(FURTHER_SUBJECTS);
  }
}
