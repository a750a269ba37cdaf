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

  /** As an operator ends a session, or disables an account. */
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

/** A browser of a user of {@link identityProvider}, with the calls of Backstage's frontend. */
export class Laptop {
  readonly #cookies = new BrowserCookies();

  constructor(private readonly url: string) {}

  /** Signs in as in the frontend's pop-up window. */
  async signIn(): Promise<void> {
    const asked = await this.fetch('/api/auth/idp/start?env=development');
    const { search } = new URL(asked.headers.get('location')!);
    await this.fetch(`/api/auth/idp/handler/frame${search}`);
  }

  /** Loads the page: the frontend asks for a token by the cookie of the provider. */
  async loadPage(): Promise<{ status: number; token?: string }> {
    const response = await this.fetch(
      '/api/auth/idp/refresh?optional&env=development',
      { 'X-Requested-With': 'XMLHttpRequest' },
    );
    const { backstageIdentity } = await response.json();
    return { status: response.status, token: backstageIdentity?.token };
  }

  async fetch(
    path: string,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const url = `${this.url}${path}`;
    const cookie = this.#cookies.headerFor(url);
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { ...headers, ...(cookie && { cookie }) },
    });
    this.#cookies.store(url, response.headers.getSetCookie());
    return response;
  }
}
