import type {
  AuthService,
  BackstageCredentials,
  BackstageServicePrincipal,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';
import { AllowRule, formatRule } from '../config/AllowRule';
import { CONFIG_KEY } from '../config/readApiGateConfig';
import { readerKeyOf, readReaderToken } from '../config/readPublicReaders';
import { check } from '../config/values';
import { CachingHttpAuth } from '../credentials/CachingHttpAuth';
import type { RegisteredPlugin } from '../plugins/Plugins';

// Nobody has a plugin of this name: no restriction names it.
const OTHER_PLUGIN = 'api-gate-other-plugin';

/**
 * The tokens with which the handlers of public paths read, where a rule has `as`. They are read at the start, and no request may
 * present one.
 */
export class PublicReaders {
  /** The tokens by the requests that their rules open. */
  readonly #tokens = new Map<string, string>();
  readonly #texts: ReadonlySet<string>;

  constructor(
    config: RootConfigService,
    private readonly rules: readonly AllowRule[],
  ) {
    for (const rule of rules) {
      const token = rule.as && readReaderToken(config, rule.as);
      if (token) {
        this.#tokens.set(readerKeyOf(rule), token);
      }
    }
    this.#texts = new Set(this.#tokens.values());
  }

  get isEmpty(): boolean {
    return this.#texts.size === 0;
  }

  /** Returns the token of a rule; `undefined` without `as`, and for a rule that a reload has brought. */
  tokenFor(rule: AllowRule): string | undefined {
    return rule.as === undefined
      ? undefined
      : this.#tokens.get(readerKeyOf(rule));
  }

  /** Returns whether a subject is that of a public reader. */
  hasSubject(subject: string): boolean {
    return this.rules.some(rule => rule.as === subject);
  }

  /** Returns whether a text is the token of a public reader. */
  has(text: string): boolean {
    return this.#texts.has(text);
  }

  /** @throws InputError if a rule has `as` for a plugin that this backend does not have */
  assertInstalled(isInstalled: (id: string) => boolean): void {
    this.rules.forEach(({ as, plugin }, i) =>
      check(
        as === undefined || isInstalled(plugin),
        `${CONFIG_KEY}.allow[${i}].as needs the plugin ${plugin} in this backend: set it in the backend that has the plugin`,
      ),
    );
  }

  /**
   * Checks the readers of a plugin by Backstage itself.
   *
   * @throws InputError unless each token reads as configured, and no handler can call another plugin with it
   */
  async assertUsable(
    pluginId: string,
    { auth, httpAuth }: Pick<RegisteredPlugin, 'auth' | 'httpAuth'>,
  ): Promise<void> {
    for (const rule of this.rules) {
      const token = rule.plugin === pluginId ? this.tokenFor(rule) : undefined;
      if (token === undefined) {
        continue;
      }
      const at = `${CONFIG_KEY}.allow (${formatRule(rule)}).as`;
      check(
        httpAuth instanceof CachingHttpAuth,
        `${at} needs the httpAuth service of the gate, and this backend has its own for the plugin ${pluginId}: remove that service, or as`,
      );
      const credentials = await auth.authenticate(token).catch(() => undefined);
      const principal = credentials?.principal as
        Partial<BackstageServicePrincipal> | undefined;
      check(
        credentials !== undefined && principal?.subject === rule.as,
        `${at} names the token of ${rule.as}, and another entry of backend.auth.externalAccess has the same token: give each entry a token of its own`,
      );
      check(
        await isNotDelegated(credentials, auth),
        `${at} needs backend-defaults 0.17.8 or later, where a restricted token can't be delegated to other plugins: update Backstage, or remove as`,
      );
    }
  }
}

/** Returns whether Backstage refuses to call another plugin with credentials. */
async function isNotDelegated(
  onBehalfOf: BackstageCredentials,
  auth: AuthService,
): Promise<boolean> {
  try {
    await auth.getPluginRequestToken({
      onBehalfOf,
      targetPluginId: OTHER_PLUGIN,
    });
    return false;
  } catch (error) {
    return isError(error) && error.name === 'NotAllowedError';
  }
}
