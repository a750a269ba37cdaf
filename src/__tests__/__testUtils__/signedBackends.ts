import type { RequestListener } from 'node:http';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import type { PolicyReport } from '../../operators/reports/createPolicyReport';
import { rawRequest } from './rawRequest';
import { rawUpgrade } from './rawUpgrade';
import {
  bearer,
  COOKIE_ENDPOINT,
  JSON_TYPE,
  POLICY,
  REVOCATIONS,
  SAME_ORIGIN,
} from './requestParts';
import { serve } from './serve';
import { createSigningKey, SigningKey, UserTokenClaims } from './signingKey';
import { LogLine, startBackend } from './startBackend';

export interface Configuration {
  /** The value of `auth.apiGate`. */
  apiGate?: JsonObject;
  config?: JsonObject;
}

/** The options of {@link startBackend}, and the value of `auth.apiGate`. */
export type SignedBackendOptions = Parameters<typeof startBackend>[0] &
  Configuration;

/** A backend whose user tokens a test signs. */
export type SignedBackend = Awaited<
  ReturnType<ReturnType<typeof signedBackends>['start']>
>;

/**
 * Starts backends with one signing key, for the tests of a file, which may take a minute each. Backends run until
 * {@link stopAll}, at the latest to the end.
 */
export function signedBackends() {
  let key: SigningKey;
  const running: { stop(): unknown }[] = [];

  /** Stops the backends, the latest first, since that one may send requests to the others. */
  async function stopAll(): Promise<void> {
    for (const each of running.splice(0).reverse()) {
      await each.stop();
    }
  }

  jest.setTimeout(60_000);
  beforeAll(async () => {
    key = await createSigningKey();
  });
  afterAll(async () => {
    await stopAll();
    await key.remove();
  });

  /** Has {@link stopAll} stop something else too. */
  const add = (other: { stop(): unknown }) => void running.push(other);

  return {
    get key(): SigningKey {
      return key;
    },
    /** Signs a token of the backend at a port, which need not run. */
    signFor: (port: number, claims: Partial<UserTokenClaims> = {}) =>
      key.sign({ iss: `http://localhost:${port}/api/auth`, ...claims }),
    stopAll,
    add,
    /** Starts another server, and returns its port. */
    async serve(listener: RequestListener): Promise<number> {
      const server = await serve(listener);
      add(server);
      return server.port;
    },
    async start({ apiGate, config, ...options }: SignedBackendOptions = {}) {
      const configWith = (given: Configuration) =>
        merge({}, key.config, given.config, {
          auth: given.apiGate && { apiGate: given.apiGate },
        });
      const backend = await startBackend({
        ...options,
        config: configWith({ apiGate, config }),
      });
      add(backend);
      return {
        ...backend,
        ...clientOf(backend, key),
        /** Replaces the configuration, in place of that of the start. */
        change: (changed: Configuration) => backend.change(configWith(changed)),
      };
    },
  };
}

function clientOf(
  { port, url, log, renewReports }: Awaited<ReturnType<typeof startBackend>>,
  key: SigningKey,
) {
  const upgrade = (target: string, ...headerLines: string[]) =>
    rawUpgrade(port, target, headerLines);
  const upgradeOnce = async (target: string, ...headerLines: string[]) => {
    const answer = await upgrade(target, ...headerLines);
    answer.destroy();
    return answer;
  };
  const request = (
    method: string,
    target: string,
    headerLines: string[] = [],
    body?: string,
  ) => rawRequest(port, target, { method, headerLines, body });
  const get = (target: string, ...headerLines: string[]) =>
    request('GET', target, headerLines);
  const post = (target: string, token: string, body: object) =>
    request('POST', target, [bearer(token), JSON_TYPE], JSON.stringify(body));
  return {
    request,
    get,
    post,
    statusOf: async (target: string, ...headerLines: string[]) =>
      (await get(target, ...headerLines)).status,
    upgrade,
    /** Closes the socket as soon as it is answered. */
    upgradeOnce,
    upgradeStatus: async (target: string, ...headerLines: string[]) =>
      (await upgradeOnce(target, ...headerLines)).status,
    /** Returns Backstage's own cookie, which a plugin issues to whom header lines show. */
    async stockCookie(plugin: string, ...headerLines: string[]) {
      const target = `/api/${plugin}${COOKIE_ENDPOINT}`;
      const { headers } = await get(target, ...headerLines);
      return headers['set-cookie']!.match(/^backstage-auth=[^;]+/m)![0];
    },
    /** Signs out at the cookie endpoint of a plugin, as a page of this origin does. */
    signOut: (headerLine: string, plugin = 'hello') =>
      request('DELETE', `/api/${plugin}${COOKIE_ENDPOINT}`, [
        headerLine,
        SAME_ORIGIN,
      ]),
    sign: (claims: Partial<UserTokenClaims> = {}) =>
      key.sign({ iss: `${url}/api/auth`, ...claims }),
    /** Signs a guest in, whom the `auth` plugin has. */
    async guest(): Promise<string> {
      const { body } = await get('/api/auth/guest/refresh');
      return JSON.parse(body).backstageIdentity.token;
    },
    /** Ends all sessions of a user, as an authorized caller. */
    async endSessions(token: string, userEntityRef: string) {
      const { status } = await post(REVOCATIONS, token, { userEntityRef });
      expect(status).toBe(201);
    },
    /** Reads the policy report, as it is now, by the token of a service. */
    async policy(token: string): Promise<PolicyReport> {
      renewReports();
      const { status, body } = await get(POLICY, bearer(token));
      expect(status).toBe(200);
      return JSON.parse(body);
    },
    /** Returns the lines of the log with a text, of one level or of all. */
    logged: (text: string, level?: LogLine['level']) =>
      log.filter(
        line => line.message.includes(text) && (!level || line.level === level),
      ),
  };
}
