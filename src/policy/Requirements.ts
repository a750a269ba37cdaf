import type { Config } from '@backstage/config';
import type { AllowRule } from '../config/AllowRule';
import type { ApiGateConfig } from '../config/readApiGateConfig';
import { findTexts, holdsText, markUnmet } from '../config/requirements';

/** Closes the rules whose requirement is not met: the setting was no text when the process started, or is none now. */
export class Requirements {
  // Other plugins read their secrets at the start only.
  readonly #textsAtStart: ReadonlySet<string>;

  /** @param config - the configuration at the start, which follows changes */
  constructor(private readonly config: Config) {
    this.#textsAtStart = findTexts(config);
  }

  /** Returns a configuration with a mark on the rules whose requirement is not met. Expectations are checked without these marks. */
  applyTo(read: ApiGateConfig): ApiGateConfig {
    const { allow, candidate } = read;
    const mark = (rules: AllowRule[]) =>
      markUnmet(
        rules,
        key => this.#textsAtStart.has(key) && holdsText(key, this.config),
      );
    return {
      ...read,
      allow: mark(allow),
      ...(candidate &&
        'allow' in candidate && {
          candidate: { allow: mark(candidate.allow) },
        }),
    };
  }

  /** Returns the settings that rules require and that were added since the start. */
  findAdded({ allow }: ApiGateConfig): string[] {
    const added = allow.flatMap(({ requires }) =>
      requires !== undefined &&
      holdsText(requires, this.config) &&
      !this.#textsAtStart.has(requires)
        ? requires
        : [],
    );
    return [...new Set(added)];
  }
}
