import { isDeepStrictEqual } from 'node:util';
import type { Config } from '@backstage/config';
import { ApiGateConfig, CONFIG_KEY } from './read/readApiGateConfig';
import { readExternalSubjects } from './read/readExternalTokens';
import { findRemovedTokens } from './read/readTokens';
import { Requirements } from './read/requirements';
import { isEnforced } from '../gate/rules/Policy';

export const ENFORCED = { mode: 'enforce', until: undefined } as const;

/** Holds the settings of the start that can't change at run time. */
export class StartSettings {
  readonly requirements: Requirements;
  /** The subjects of the external tokens that Backstage accepts until a restart. */
  readonly #named: readonly string[];

  constructor(config: Config) {
    this.requirements = new Requirements(config);
    this.#named = readExternalSubjects(config).named;
  }

  /**
   * Returns the parts of a new configuration that can take effect before a restart, and the config paths of the others.
   *
   * @param hasEnforced - whether the gate has enforced since the start
   */
  apply(
    read: ApiGateConfig,
    config: Config,
    { before, hasEnforced }: { before: ApiGateConfig; hasEnforced: boolean },
  ): { after: ApiGateConfig; needsRestart: string[] } {
    const { cookie, fasterServer, tokenCache } = before;
    const { credentialHeader, foreignAuthorization } = before;
    const headers = { credentialHeader, foreignAuthorization };
    const kept = { cookie, ...headers, fasterServer, tokenCache };
    // Backstage accepts an external token that was removed until a restart. It must not lose its limits before.
    const removed = findRemovedTokens(before, read, this.#named, config);
    const after = { ...read, ...kept, tokens: [...read.tokens, ...removed] };
    // The parts of the gate that use these are made, or checked, at the start.
    const needsRestart = (Object.keys(kept) as (keyof typeof kept)[])
      .filter(key => !isDeepStrictEqual(after[key], read[key]))
      .map(key => `${CONFIG_KEY}.${key}`);
    if (removed.length > 0) {
      needsRestart.push('backend.auth.externalAccess');
    }
    needsRestart.push(...this.requirements.findAdded(read, config));
    // Allow rules have opened the credentials barriers of plugins, and barriers can't be closed again.
    if (hasEnforced && read.mode === 'report-only') {
      Object.assign(after, ENFORCED);
      if (!isEnforced(read, Date.now())) {
        needsRestart.push(`${CONFIG_KEY}.mode`);
      }
    }
    return { after: this.requirements.applyTo(after, config), needsRestart };
  }
}
