import {
  createOAuthAuthenticator,
  createOAuthProviderFactory,
} from '@backstage/plugin-auth-node';
import { authProvider } from './authProvider';
import { BrowserCookies } from './browserCookies';

const CALLBACK_URL = 'http://idp.example.com/authorize';

/** The session of the user at the identity provider, which gives out any number of refreshes until it ends. */
export class IdentityProviderSession {
  #hasEnded = false;

  /** Ends the session, as an operator does who disables an account. */
  end(): void {
    this.#hasEnded = true;
  }

  assertValid(): void {
    if (this.#hasEnded) {
      throw new Error('invalid_grant');
    }
  }
}

/** The configuration of {@link identityProvider}. */
export const identityProviderConfig = {
  auth: {
    environment: 'development',
    providers: { idp: { development: { signIn: { resolvers: [] } } } },
  },
};

/** Adds an OAuth provider with Backstage's own handlers, whose identity provider signs one user in. */
export function identityProvider(
  userEntityRef: string,
  session: IdentityProviderSession,
) {
  const signedIn = async () => {
    session.assertValid();
    return {
      fullProfile: {},
      session: {
        accessToken: 'of-the-provider',
        refreshToken: 'of-the-provider',
        scope: '',
        tokenType: 'bearer',
      },
    };
  };
  const authenticator = createOAuthAuthenticator({
    defaultProfileTransform: async () => ({ profile: {} }),
    initialize() {},
    start: async ({ state }) => ({ url: `${CALLBACK_URL}?state=${state}` }),
    authenticate: signedIn,
    refresh: signedIn,
  });
  return authProvider(
    'idp',
    createOAuthProviderFactory({
      authenticator,
      signInResolver: async (_, ctx) =>
        ctx.issueToken({
          claims: { sub: userEntityRef, ent: [userEntityRef] },
        }),
    }),
  );
}

/** A browser of a user, with the calls of Backstage's frontend. */
export class Laptop {
  readonly #cookies = new BrowserCookies();

  constructor(
    private readonly url: string,
    private readonly provider = 'idp',
  ) {}

  /** Signs in as in the frontend's pop-up window: follows redirects, and sends the forms of the identity provider's pages. */
  async signIn(): Promise<void> {
    const frame = `${this.url}/api/auth/${this.provider}/handler/frame`;
    let url = `${this.url}/api/auth/${this.provider}/start?env=development`;
    let form: URLSearchParams | undefined;
    let hasAnswered = false;
    while (!hasAnswered) {
      hasAnswered = url.startsWith(frame);
      const response = await this.fetch(url, {}, form);
      const location = response.headers.get('location');
      const page = await response.text();
      form = undefined;
      if (location) {
        const { href, origin, search } = new URL(location, url);
        url = origin === new URL(CALLBACK_URL).origin ? frame + search : href;
      } else if (!hasAnswered) {
        const [, action] = page.match(/<form[^>]* action="([^"]*)"/)!;
        const [, prompt] = page.match(/name="prompt" value="([^"]*)"/)!;
        form = new URLSearchParams({ prompt, login: 'jane', password: 'any' });
        url = new URL(action, url).href;
      }
    }
  }

  /** Loads the page: the frontend asks for a token by the cookie of the provider. */
  async loadPage(): Promise<{ status: number; token?: string }> {
    const response = await this.fetch(
      `/api/auth/${this.provider}/refresh?optional&env=development`,
      { 'X-Requested-With': 'XMLHttpRequest' },
    );
    const { backstageIdentity } = await response.json();
    return { status: response.status, token: backstageIdentity?.token };
  }

  /** @param target - a path of Backstage, or an address elsewhere */
  async fetch(
    target: string,
    headers: Record<string, string> = {},
    form?: URLSearchParams,
  ): Promise<Response> {
    return this.#cookies.fetch(new URL(target, this.url).href, {
      redirect: 'manual',
      ...(form && { method: 'POST', body: form }),
      headers,
    });
  }
}
