import type { LoggerService } from '@backstage/backend-plugin-api';
import { InputError } from '@backstage/errors';
import { REVOCATIONS_PATH } from '../../gate/read/requestLine';
import { CallServices, fetchFromAuthPlugin } from './fetchFromAuthPlugin';
import type { Revocation } from '../../gate/sessions/Revocation';
import type { RevocationPage, RevocationStore } from './RevocationStore';

/** Reads and writes the revocations of the backend that has the `auth` plugin, with service tokens. */
export class RemoteRevocationStore implements RevocationStore {
  #hasWarned = false;

  constructor(
    private readonly options: CallServices & { logger: LoggerService },
  ) {}

  async read(cursor = ''): Promise<RevocationPage> {
    const since = `?since=${encodeURIComponent(cursor)}`;
    const response = await this.#fetch(`${REVOCATIONS_PATH}${since}`);
    if (response.status === 404) {
      return { revocations: [] };
    }
    const page = await response.json();
    if (!Array.isArray(page?.revocations)) {
      throw new Error('The auth backend returned no list of revocations');
    }
    return page;
  }

  async add(revocation: Revocation): Promise<void> {
    const { status } = await this.#fetch(REVOCATIONS_PATH, revocation);
    if (status === 400) {
      throw new InputError('The auth backend can not store this revocation');
    }
  }

  /** Warns once if the other backend has no such route. */
  async #fetch(path: string, body?: Revocation): Promise<Response> {
    const response = await fetchFromAuthPlugin(this.options, path, {
      body,
    });
    if (response.status === 404 && !this.#hasWarned) {
      this.#hasWarned = true;
      this.options.logger.warn(
        'The backend of the auth plugin has no API gate: a sign-out there ends no session here',
      );
    }
    return response;
  }
}
