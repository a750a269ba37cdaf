import { tokenTypes } from '@backstage/plugin-auth-node';
import type { BackendPlugins } from '../plugins/BackendPlugins';
import type { DecodedToken } from '../read/token';

/**
 * Decides whether the issuer of a user token is this deployment's own `auth` plugin, found by discovery (RFC 7519, section 4.1.1).
 * Backstage does not check it, but two deployments may share their keys. Limited tokens carry no issuer.
 *
 * Discovery is asked once a second, so that most requests need not wait for it.
 */
export class OwnIssuer {
  #discovered: { issuer: string; until: number } | undefined;

  constructor(
    private readonly plugins: Pick<BackendPlugins, 'anyRegistered'>,
  ) {}

  /** Returns a promise only if discovery has to be asked. */
  trusts(userToken: DecodedToken | undefined): boolean | Promise<boolean> {
    if (!userToken || userToken.typ === tokenTypes.limitedUser.typParam) {
      return true;
    }
    const { iss } = userToken;
    if (iss === undefined) {
      return false;
    }
    return this.#discovered && performance.now() < this.#discovered.until
      ? iss === this.#discovered.issuer
      : this.#discover().then(issuer => iss === issuer);
  }

  async #discover(): Promise<string> {
    const { discovery } = this.plugins.anyRegistered();
    const issuer = await discovery.getExternalBaseUrl('auth');
    this.#discovered = { issuer, until: performance.now() + 1_000 };
    return issuer;
  }
}
