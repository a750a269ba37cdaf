import { isDeepStrictEqual } from 'node:util';
import type { Config } from '@backstage/config';
import { pick, uniq } from 'lodash';
import { ApiGateConfig, CONFIG_KEY } from './read/readApiGateConfig';
import { ACCESS_KEY, readExternalSubjects } from './read/readExternalTokens';
import { findRemovedTokens } from './read/readTokens';
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
  /** The subjects of the external tokens that Backstage accepts until a restart. */
  readonly #named: readonly string[];

  constructor(config: Config) {
    this.#verified = VERIFIED_TOPICS.filter(topic =>
      hasWebhookSecret(topic, config),
    );
    this.#named = readExternalSubjects(config).named;
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
    config: Config,
    { before, hasEnforced }: { before: ApiGateConfig; hasEnforced: boolean },
  ): { after: ApiGateConfig; needsRestart: string[] } {
    const kept = pick(before, KEPT);
    // Backstage accepts a removed token until a restart. Keep its limits until then, also those of its default.
    const removed = findRemovedTokens(before, read, this.#named, config);
    const after = { ...read, ...kept, tokens: [...read.tokens, ...removed] };
    const needsRestart = KEPT.filter(
      key => !isDeepStrictEqual(kept[key], read[key]),
    ).map(key => `${CONFIG_KEY}.${key}`);
    const places = removed.map(({ subject }) =>
      subject.endsWith('*') ? `${CONFIG_KEY}.tokens` : ACCESS_KEY,
    );
    needsRestart.push(...uniq(places));
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
