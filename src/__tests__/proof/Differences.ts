/** The first one kills a mutant. */
const MAX_GROUPS = process.env.MUTATION_GROUP ? 1 : 20;

/** The differences between two answers to many questions. Those with the same two answers are one group. */
export class Differences {
  readonly #groups = new Map<string, string[]>();

  /** Compares the answer of the table with that of the gate. */
  compare(expected: string, found: string, question: () => string): void {
    if (found !== expected) {
      const group = `table: ${expected}\n   gate: ${found}`;
      const others = this.#groups.get(group) ?? [];
      this.#groups.set(group, [...others, question()]);
    }
  }

  /** Whether further questions need no answer. */
  get isFull(): boolean {
    return this.#groups.size >= MAX_GROUPS;
  }

  /** Describes the groups, with three questions of each; empty without a difference. */
  toString(): string {
    return [...this.#groups]
      .map(
        ([group, questions]) =>
          `${questions.length} times, ${group}\n    ${questions.slice(0, 3).join('\n    ')}`,
      )
      .join('\n\n');
  }
}
