import { MaybePromise } from '../util/then';
import type { BackendPlugins } from './BackendPlugins';

const KEPT_MS = 1_000;

/** The issuer of this deployment's own user tokens. Discovery is asked once a second, so that most requests need not wait for it. */
export class OwnIssuer {
  #known: { issuer: string; until: number } | undefined;

  constructor(
    private readonly plugins: Pick<BackendPlugins, 'anyRegistered'>,
  ) {}

  get(): MaybePromise<string> {
    return this.#known && performance.now() < this.#known.until
      ? this.#known.issuer
      : this.#discover();
  }

  async #discover(): Promise<string> {
    const { discovery } = this.plugins.anyRegistered();
    const issuer = await discovery.getExternalBaseUrl('auth');
    this.#known = { issuer, until: performance.now() + KEPT_MS };
    return issuer;
  }
}
