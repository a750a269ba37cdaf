import type {
  AuthService,
  DiscoveryService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { InputError, ResponseError } from '@backstage/errors';
import { REVOCATIONS_PATH } from '../http/backstagePaths';
import type { Revocation } from './Revocation';
import type { RevocationPage, RevocationStore } from './RevocationStore';

const TIMEOUT_MS = 5_000;

/** Reads and writes the revocations of the backend that has the `auth` plugin, with service tokens. */
export class RemoteRevocationStore implements RevocationStore {
  #hasWarned = false;

  constructor(
    private readonly options: {
      auth: AuthService;
      discovery: DiscoveryService;
      logger: LoggerService;
    },
  ) {}

  /** Reads a page. A gate of version 0.1.0 returns no cursor and all revocations each time. */
  async read(cursor = ''): Promise<RevocationPage> {
    const response = await this.#request(
      'GET',
      `?since=${encodeURIComponent(cursor)}`,
    );
    if (response.status === 404) {
      this.#warnNoGateOnce();
      return { revocations: [] };
    }
    if (!response.ok) {
      throw await ResponseError.fromResponse(response);
    }
    const page = await response.json();
    if (!Array.isArray(page?.revocations)) {
      throw new Error('The auth backend returned no list of revocations');
    }
    return page;
  }

  async add(revocation: Revocation): Promise<void> {
    const response = await this.#request('POST', '', revocation);
    if (response.status === 404) {
      this.#warnNoGateOnce();
      return;
    }
    if (response.status === 400) {
      throw new InputError('The auth backend can not store this revocation');
    }
    if (!response.ok) {
      throw await ResponseError.fromResponse(response);
    }
  }

  async #request(method: string, query: string, revocation?: Revocation) {
    const { auth, discovery } = this.options;
    const { token } = await auth.getPluginRequestToken({
      onBehalfOf: await auth.getOwnServiceCredentials(),
      targetPluginId: 'auth',
    });
    const baseUrl = await discovery.getBaseUrl('auth');
    return fetch(`${baseUrl}${REVOCATIONS_PATH}${query}`, {
      method,
      headers: {
        Authorization: `Bearer ${token}`,
        // Polling over a keep-alive connection would keep the other backend from shutting down.
        Connection: 'close',
        ...(revocation && { 'Content-Type': 'application/json' }),
      },
      body: revocation && JSON.stringify(revocation),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  }

  #warnNoGateOnce() {
    if (!this.#hasWarned) {
      this.#hasWarned = true;
      this.options.logger.warn(
        'The backend of the auth plugin has no API gate: a sign-out there ends no session here',
      );
    }
  }
}
