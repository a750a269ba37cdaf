import type {
  AuthService,
  DiscoveryService,
} from '@backstage/backend-plugin-api';
import { tokenTypes } from '@backstage/plugin-auth-node';
import { Refusal } from '../gate/Refusal';
import { PLUGIN_KEYS_PATH } from '../gate/isPublicByNature';
import { DecodedToken, decodeToken } from './token';
import type { KeyAnswer, KeyEndpoints } from './KeyEndpoints';
import { withAuthenticate } from './withAuthenticate';

const WINDOW_MS = 60_000;
const MAX_ASKED = 10;

// What Backstage accepts as the id of a plugin that calls.
const PLUGIN_ID = /^[a-z0-9_-]+$/i;

/**
 * The plugins whose service tokens are worth verifying. Discovery has an address for every id, and Backstage fetches keys from
 * it for each that a token names, whoever made that token up. So a plugin that is not known is asked for its keys here
 * first, once a minute, and no more than ten of them a minute.
 */
export class CallingPlugins {
  readonly #answered = new Set<string>();
  readonly #asked = new Map<
    string,
    { at: number; answer: Promise<KeyAnswer> }
  >();

  constructor(
    private readonly options: {
      keyEndpoints: KeyEndpoints;
      /** Whether it is installed here, or its address is configured. */
      isKnown(pluginId: string): Promise<boolean>;
    },
  ) {}

  /**
   * For a service token; at once for any other.
   *
   * @throws Refusal 401 if no plugin can have made it, and 503 if that can't be told now
   */
  requireKnown(
    token: DecodedToken | undefined,
    discovery: DiscoveryService,
  ): Promise<void> | undefined {
    return token?.typ === tokenTypes.plugin.typParam
      ? this.#requireKnown(token.sub, discovery)
      : undefined;
  }

  /** A plugin's `auth` that verifies only what is worth it: handlers of public paths may look at a bearer too. */
  guard(auth: AuthService, discovery: DiscoveryService): AuthService {
    return withAuthenticate(auth, async (token, options) => {
      try {
        await this.requireKnown(decodeToken(token), discovery);
      } catch (error) {
        throw error instanceof Refusal ? error.error : error;
      }
      return auth.authenticate(token, options);
    });
  }

  async #requireKnown(sub: string | undefined, discovery: DiscoveryService) {
    if (typeof sub !== 'string' || !PLUGIN_ID.test(sub)) {
      throw Refusal.invalidToken;
    }
    if (this.#answered.has(sub) || (await this.options.isKnown(sub))) {
      return;
    }
    const answer = await this.#ask(sub, discovery);
    if (answer === 'not-found') {
      throw Refusal.invalidToken;
    }
    if (answer === undefined) {
      throw Refusal.keysUnavailable;
    }
    this.#answered.add(sub);
  }

  /** `undefined` also where no more may be asked. */
  async #ask(
    pluginId: string,
    discovery: DiscoveryService,
  ): Promise<KeyAnswer> {
    const now = Date.now();
    for (const [id, { at }] of this.#asked) {
      if (now - at >= WINDOW_MS) {
        this.#asked.delete(id);
      }
    }
    const asked = this.#asked.get(pluginId);
    if (asked || this.#asked.size >= MAX_ASKED) {
      return asked?.answer;
    }
    const answer = discovery
      .getBaseUrl(pluginId)
      .then(url =>
        this.options.keyEndpoints.countKeys(`${url}${PLUGIN_KEYS_PATH}`),
      );
    this.#asked.set(pluginId, { at: now, answer });
    return answer;
  }
}
