import { isDeepStrictEqual } from 'node:util';
import type { Config } from '@backstage/config';
import { pick } from 'lodash';
import { ApiGateConfig, CONFIG_KEY } from './read/readApiGateConfig';
import {
  assertWebhookSecrets,
  hasWebhookSecret,
  VERIFIED_TOPICS,
} from './read/webhookSecrets';
import { isEnforced } from '../gate/rules/Policy';

/**
 * The remedy where report-only has ended. Backstage reads the variables of docs/switch-off.md in place of what files have, so that
 * the date holds where the `until` of a file has passed.
 */
export const AFTER_REPORT_ONLY = `remove ${CONFIG_KEY}.mode and ${CONFIG_KEY}.until; to have the gate refuse nothing by its rules again, restart the backend with APP_CONFIG_auth_apiGate_mode=report-only APP_CONFIG_auth_apiGate_until=2999-01-01`;

/** The settings whose parts of the gate are made, or checked, at the start. */
const KEPT = ['cookie', 'credentialHeader', 'foreignAuthorization'] as const;

/** Holds the settings of the start that can't change at run time. */
export class StartSettings {
  /** The topics of webhooks whose modules have read a secret. */
  readonly #verified: readonly string[];

  constructor(config: Config) {
    this.#verified = VERIFIED_TOPICS.filter(topic =>
      hasWebhookSecret(topic, config),
    );
  }

  /**
   * Refuses a rule for the webhook of a module that has read no secret at the start: it verifies nobody until a restart.
   *
   * @throws InputError
   */
  assertWebhookSecrets({ allow }: ApiGateConfig): void {
    assertWebhookSecrets(
      allow,
      `${CONFIG_KEY}.allow`,
      topic => this.#verified.includes(topic),
      'the module has not read it, so restart the backend',
    );
  }

  /**
   * Returns the parts of a new configuration that can take effect before a restart, and the config paths of the others.
   *
   * @param hasEnforced - whether the gate has enforced since the start
   */
  apply(
    read: ApiGateConfig,
    { before, hasEnforced }: { before: ApiGateConfig; hasEnforced: boolean },
  ): { after: ApiGateConfig; needsRestart: string[] } {
    const kept = pick(before, KEPT);
    const signOut = withoutLoss(before.signOut, read.signOut);
    const after = { ...read, ...kept, signOut };
    const needsRestart = ([...KEPT, 'signOut'] as const)
      .filter(key => !isDeepStrictEqual(after[key], read[key]))
      .map(key => `${CONFIG_KEY}.${key}`);
    // Allow rules have opened the credentials barriers of plugins, and barriers can't be closed again.
    if (hasEnforced && read.mode === 'report-only') {
      after.mode = 'enforce';
      if (!isEnforced(read, Date.now())) {
        after.until = undefined;
        needsRestart.push(`${CONFIG_KEY}.mode`);
      }
    }
    return { after, needsRestart };
  }
}

/** Returns what a sign-out ends, by a new configuration or the one before it: a line that a file has lost must leave no session in force. */
function withoutLoss(
  before: ApiGateConfig['signOut'],
  read: ApiGateConfig['signOut'],
): ApiGateConfig['signOut'] {
  return {
    scope: before.scope === 'user' ? 'user' : read.scope,
    providers: new Set([...read.providers, ...before.providers]),
  };
}
