import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { rawRequest } from './rawRequest';
import { createSigningKey, SigningKey, UserTokenClaims } from './signingKey';
import { startBackend } from './startBackend';

/** The options of {@link startBackend}, and the value of `auth.apiGate`. */
export type SignedBackendOptions = Parameters<typeof startBackend>[0] & {
  apiGate?: JsonObject;
};

/** Starts backends with one signing key, for the tests of a file. Backends run until {@link stopAll}, at the latest to the end. */
export function signedBackends() {
  let key: SigningKey;
  const running: { stop(): unknown }[] = [];

  /** Stops the backends, the latest first, since that one may send requests to the others. */
  async function stopAll(): Promise<void> {
    for (const each of running.splice(0).reverse()) {
      await each.stop();
    }
  }

  beforeAll(async () => {
    key = await createSigningKey();
  });
  afterAll(async () => {
    await stopAll();
    await key.remove();
  });

  return {
    get key(): SigningKey {
      return key;
    },
    stopAll,
    /** Has {@link stopAll} stop something else too. */
    add(other: { stop(): unknown }): void {
      running.push(other);
    },
    async start({ apiGate, config, ...options }: SignedBackendOptions = {}) {
      const backend = await startBackend({
        ...options,
        config: merge({}, key.config, config, apiGate && { auth: { apiGate } }),
      });
      running.push(backend);
      return {
        ...backend,
        request: (
          method: string,
          target: string,
          headerLines: string[] = [],
          body?: string,
        ) => rawRequest(backend.port, target, { method, headerLines, body }),
        sign: (claims: Partial<UserTokenClaims> = {}) =>
          key.sign({ iss: `${backend.url}/api/auth`, ...claims }),
      };
    },
  };
}
