import type { AllowRule } from '../../gate/rules/AllowRule';
import { formatRule } from '../../settings/read/readAllowRules';
import { OTHERS } from './RefusalCounts';

/** The number of subjects that are counted by name beside those of the configuration: an issuer of tokens may make any number of them. */
const MAX_SUBJECTS = 200;

interface Use {
  requests: number;
  lastUsed: string | null;
}

const unused = (): Use => ({ requests: 0, lastUsed: null });

/** Counts the requests of each allow rule and each external token since the start of the process. The database and other replicas have no part in it. */
export class Uses {
  readonly #startedAt = new Date().toISOString();
  readonly #rules = new Map<string, Use>();
  readonly #tokens = new Map<string, Use>();
  readonly #maxTokens: number;

  /** @param subjects - those of the external tokens that the configuration names */
  constructor(readonly subjects: readonly string[]) {
    for (const subject of subjects) {
      this.#tokens.set(subject, unused());
    }
    this.#maxTokens = this.#tokens.size + MAX_SUBJECTS;
  }

  /** Counts a request, and returns the name of the rule in reports. */
  ruleUsed(rule: AllowRule): string {
    const name = formatRule(rule);
    add(this.#rules, name);
    return name;
  }

  /** Counts a request, and returns the subject in reports. */
  tokenUsed(subject: string): string {
    const hasPlace =
      this.#tokens.has(subject) || this.#tokens.size < this.#maxTokens;
    const name = hasPlace ? subject : OTHERS;
    add(this.#tokens, name);
    return name;
  }

  /** Describes the use of the rules in force, in their order, and of the tokens. docs/reference/http-api.md describes each field. */
  describe(rules: readonly AllowRule[]) {
    return {
      since: this.#startedAt,
      rules: rules.map(rule => {
        const name = formatRule(rule);
        return { rule: name, ...(this.#rules.get(name) ?? unused()) };
      }),
      externalTokens: [...this.#tokens].map(([subject, use]) => ({
        subject,
        ...use,
      })),
    };
  }
}

function add(uses: Map<string, Use>, name: string): void {
  const use = uses.get(name) ?? unused();
  uses.set(name, use);
  use.requests += 1;
  use.lastUsed = new Date().toISOString();
}
