import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const CLIENT = { client_id: 'backstage', client_secret: 'of-a-test' };

/** An identity provider of one user, whose account an operator can disable. */
export interface IdentityProvider {
  /** The value of `auth.providers.oidc`. */
  config: object;
  isDisabled: boolean;
  stop(): void;
}

/**
 * Starts npm's `oidc-provider`, whose package this suite installs. Its user is `jane@example.com`, who signs in with any password.
 *
 * @param baseUrl - the address of Backstage
 */
export async function startIdentityProvider(
  baseUrl: string,
): Promise<IdentityProvider> {
  // TypeScript checks the project where the package is not installed.
  const name = 'oidc-provider';
  const { Provider } = await import(name);
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const identityProvider: IdentityProvider = {
    config: {
      development: {
        metadataUrl: `${issuer}/.well-known/openid-configuration`,
        clientId: CLIENT.client_id,
        clientSecret: CLIENT.client_secret,
        prompt: 'auto',
        signIn: {
          resolvers: [
            {
              resolver: 'emailLocalPartMatchingUserEntityName',
              dangerouslyAllowSignInWithoutUserInCatalog: true,
            },
          ],
        },
      },
    },
    isDisabled: false,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
  const claims = { email: 'jane@example.com', email_verified: true };
  const provider = new Provider(issuer, {
    clients: [
      {
        ...CLIENT,
        redirect_uris: [`${baseUrl}/api/auth/oidc/handler/frame`],
        grant_types: ['authorization_code', 'refresh_token'],
      },
    ],
    claims: { openid: ['sub'], profile: [], email: Object.keys(claims) },
    findAccount: async (_: unknown, accountId: string) =>
      identityProvider.isDisabled
        ? undefined
        : { accountId, claims: async () => ({ sub: accountId, ...claims }) },
    issueRefreshToken: async () => true,
    pkce: { required: () => false },
  });
  server.on('request', provider.callback());
  return identityProvider;
}
