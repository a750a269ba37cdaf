import type { Config } from '@backstage/config';
import { get } from 'lodash';
import type { AllowRule } from '../../gate/rules/AllowRule';
import { readEach } from './mistakes';
import { asObject, check } from './values';

/** Topics of Backstage's own modules for `events`, which verify the sender of a webhook by a secret. */
export const VERIFIED_TOPICS = ['github', 'gitlab', 'azureDevOps'];

/** Returns the config path from which the module of a topic reads its secret. */
export function secretOf(topic: string): string {
  return `events.modules.${topic}.webhookSecret`;
}

/** Returns whether the webhook of a topic has a secret. That of GitHub may be the secret of a GitHub App. */
export function hasWebhookSecret(topic: string, rootConfig: Config): boolean {
  const root = rootConfig.getOptional();
  const integrations = get(root, 'integrations.github');
  const apps = [integrations].flat().flatMap(each => asObject(each).apps);
  const secrets = [
    get(root, secretOf(topic)),
    ...(topic === 'github' ? apps : []).map(
      app => asObject(app).appId && asObject(app).webhookSecret,
    ),
  ];
  return secrets.some(secret => typeof secret === 'string' && secret !== '');
}

/**
 * Refuses a rule for the webhook of a module that has no secret: everybody could publish events.
 *
 * @throws InputError
 */
export function assertWebhookSecrets(
  rules: readonly AllowRule[],
  configPath: string,
  hasSecret: (topic: string) => boolean,
  remedy = 'set it, or remove the rule',
): void {
  readEach(
    rules.map(({ plugin, path, methods }, i) => () => {
      // Express ignores the case of a path.
      const topic = VERIFIED_TOPICS.find(
        each => path.toLowerCase() === `/http/${each.toLowerCase()}`,
      );
      const isWebhook = plugin === 'events' && methods.includes('POST');
      check(
        !topic || !isWebhook || hasSecret(topic),
        `${configPath}[${i}] opens the webhook of ${topic}, and without ${topic && secretOf(topic)} everybody can publish events: ${remedy}`,
      );
    }),
  );
}
