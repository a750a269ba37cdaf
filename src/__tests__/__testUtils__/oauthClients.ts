import { createHash, randomBytes } from 'node:crypto';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';
import type { JsonObject } from '@backstage/types';

export const REDIRECT_URL = 'http://127.0.0.1:8055/callback';

/** Returns a configuration of `auth` with public OAuth clients of these ids, and refresh tokens. */
export function oauthConfig(...clientIds: string[]): JsonObject {
  return {
    staticClients: clientIds.map(clientId => ({
      clientId,
      redirectUris: [REDIRECT_URL],
    })),
    experimentalRefreshToken: {
      enabled: true,
      dangerouslyDisableCatalogPresenceCheck: true,
    },
  };
}

/** Approves the request of an OAuth client, as the user in the browser does, and returns the address that the browser is sent to. */
export async function approve(
  authUrl: string,
  authorizationUrl: string | URL,
  userToken: string,
): Promise<URL> {
  const asked = await fetch(authorizationUrl, { redirect: 'manual' });
  const sessionId = asked.headers.get('location')!.split('/').at(-1);
  const approved = await fetch(`${authUrl}/v1/sessions/${sessionId}/approve`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${userToken}` },
  });
  const { redirectUrl } = await approved.json();
  return new URL(redirectUrl);
}

const codeIn = (redirect: URL) => redirect.searchParams.get('code')!;

async function requestTokens(
  authUrl: string,
  body: object,
): Promise<{ status: number; tokens: OAuthTokens & { error?: string } }> {
  const response = await fetch(`${authUrl}/v1/token`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, tokens: await response.json() };
}

/** Exchanges a refresh token. */
export const refresh = (
  authUrl: string,
  clientId: string,
  refreshToken: string,
) =>
  requestTokens(authUrl, {
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: refreshToken,
  });

/**
 * Signs an OAuth client in, by the authorization code and PKCE.
 *
 * @param beforeExchange - called when the client has the code
 */
export async function signInClient(
  authUrl: string,
  clientId: string,
  userToken: string,
  beforeExchange = async () => {},
): Promise<OAuthTokens> {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: clientId,
    redirect_uri: REDIRECT_URL,
    response_type: 'code',
    scope: 'openid offline_access',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const code = codeIn(
    await approve(authUrl, `${authUrl}/v1/authorize?${query}`, userToken),
  );
  await beforeExchange();
  const { tokens } = await requestTokens(authUrl, {
    grant_type: 'authorization_code',
    client_id: clientId,
    redirect_uri: REDIRECT_URL,
    code,
    code_verifier: verifier,
  });
  return tokens;
}

/** Connects the SDK's MCP client to a server, signed in as a user by the metadata that the server provides. */
export async function connectMcpClient(
  serverUrl: string,
  options: { authUrl: string; clientId: string; userToken: string },
): Promise<{ client: Client; tokens(): OAuthTokens | undefined }> {
  const { authUrl, clientId, userToken } = options;
  let tokens: OAuthTokens | undefined;
  let verifier = '';
  let code = '';
  const authProvider: OAuthClientProvider = {
    redirectUrl: REDIRECT_URL,
    clientMetadata: { redirect_uris: [REDIRECT_URL] },
    clientInformation: () => ({ client_id: clientId }),
    tokens: () => tokens,
    saveTokens: saved => {
      tokens = saved;
    },
    redirectToAuthorization: async url => {
      code = codeIn(await approve(authUrl, url, userToken));
    },
    saveCodeVerifier: saved => {
      verifier = saved;
    },
    codeVerifier: () => verifier,
  };
  const create = () =>
    new StreamableHTTPClientTransport(new URL(serverUrl), { authProvider });
  const client = new Client({ name: 'test', version: '1' });
  const first = create();
  await client.connect(first).catch(error => {
    if (!code) {
      throw error;
    }
  });
  await first.finishAuth(code);
  await client.close();
  await client.connect(create());
  return { client, tokens: () => tokens };
}
