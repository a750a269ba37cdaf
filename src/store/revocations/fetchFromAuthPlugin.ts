import type {
  AuthService,
  DiscoveryService,
} from '@backstage/backend-plugin-api';
import { ResponseError } from '@backstage/errors';

const TIMEOUT_MS = 5_000;

export interface CallServices {
  auth: AuthService;
  discovery: DiscoveryService;
}

/**
 * Calls a route of the `auth` plugin, in this backend or another one, as a service: by `POST` with a body, and by `GET` without.
 *
 * @returns the response if its status is 2xx, 400 or 404
 * @throws ResponseError for any other status
 */
export async function fetchFromAuthPlugin(
  { auth, discovery }: CallServices,
  path: string,
  { body, redirect }: { body?: object; redirect?: RequestRedirect },
): Promise<Response> {
  const { token } = await auth.getPluginRequestToken({
    onBehalfOf: await auth.getOwnServiceCredentials(),
    targetPluginId: 'auth',
  });
  const baseUrl = await discovery.getBaseUrl('auth');
  const response = await fetch(`${baseUrl}${path}`, {
    method: body ? 'POST' : 'GET',
    headers: {
      Authorization: `Bearer ${token}`,
      // Polling over a keep-alive connection would keep the other backend from shutting down.
      Connection: 'close',
      ...(body && { 'Content-Type': 'application/json' }),
    },
    body: body && JSON.stringify(body),
    redirect,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok && response.status !== 400 && response.status !== 404) {
    throw await ResponseError.fromResponse(response);
  }
  return response;
}
