import type {
  BackstageCredentials,
  HttpAuthService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { AuthenticationError } from '@backstage/errors';
import { tokenTypes } from '@backstage/plugin-auth-node';
import type { Response } from 'express';
import type { ApiGateConfig } from '../../settings/read/readApiGateConfig';
import { GateCookie } from '../../gate/cookie/GateCookie';
import { NegativeTokenCache } from '../../gate/verify/explainFailure';
import { OwnIssuer } from '../../gate/verify/OwnIssuer';
import { TokenCache, TokenVerifier } from '../../gate/verify/TokenCache';
import { Decision, Decisions } from '../../gate/Decision';
import { Refusal } from '../../gate/Refusal';
import type { GateServices } from '../../gate/GateServices';
import { RateLimit } from '../../gate/util/RateLimit';
import { Plugins } from '../../gate/plugins/Plugins';
import { createUserSignOut } from '../../store/revocations/createUserSignOut';
import type { OfflineSessions } from '../../store/revocations/OfflineSessions';
import type { Revocation } from '../../gate/sessions/Revocation';
import { IssuerClock } from '../../store/revocations/IssuerClock';
import { Revocations } from '../../store/revocations/Revocations';
import { createPolicy } from './createPolicy';

/** The issuer of this backend's user tokens. */
export const ISSUER = 'https://backstage.example.com/api/auth';

/**
 * Creates the services of a gate without a server, without keys and without a database. The test names the tokens that verify, and
 * the state of all that the gate asks; what the gate reports is recorded.
 *
 * @param options.installed - ids of the plugins
 * @param options.registered - ids of the plugins that register. Default: all
 * @param options.ownRouters - ids of those whose router is not Backstage's
 * @param options.replaced - services in place of these
 */
export function createGateServices(
  options: {
    installed?: string[];
    registered?: string[];
    ownRouters?: string[];
    replaced?: Partial<GateServices>;
  } = {},
) {
  const { installed = ['hello', 'auth', 'app'], ownRouters = [] } = options;
  const { registered = installed } = options;
  const log: unknown[][] = [];
  const record = (...line: unknown[]) => log.push(line);
  const logger = {
    error: record,
    info: record,
    warn: record,
  } as unknown as LoggerService;
  const revocations = new Revocations({
    logger,
    pollIntervalMs: 3600_000,
  });
  const state = {
    /** The principal of each valid token, or the error of an invalid one. */
    tokens: new Map<string, object | Error>(),
    /** The plugins that were asked to verify a token. */
    asked: [] as string[],
    /** The answer of all key endpoints. */
    hasKeys: true,
    /** Whether the keys of users have been there only since a moment ago. */
    isKeyNew: false,
    /** Changes the policy in force. */
    policy: {} as Partial<ApiGateConfig>,
    /** Plugins that are starting. */
    starting: new Map<string, Promise<void>>(),
    /** Whether the store of revocations fails. */
    isStoreGone: false,
    revocations,
    endOfflineSessions: jest.fn<
      ReturnType<OfflineSessions['end']>,
      Parameters<OfflineSessions['end']>
    >(async () => ({ ended: 1 })),
    /** The revocations that reached the store. */
    stored: [] as Revocation[],
    decided: [] as {
      request: { method: string; path: string | undefined };
      decision: Decision;
      error?: Error;
    }[],
    /** All other reports of the gate to the observer. */
    told: [] as unknown[],
    log,
    track: jest.fn(() => () => {}),
    /** Lets the gate read the list of revocations, which is empty. */
    loadRevocations: () =>
      revocations.follow({
        read: async () => ({ revocations: [] }),
        add: async revocation => {
          if (state.isStoreGone) {
            throw new Error('gone');
          }
          state.stored.push(revocation);
        },
      }),
  };

  const createVerifier = (id: string): TokenVerifier => ({
    look: () => undefined,
    find: async ({ claims, text }, { allowLimitedAccess = false } = {}) => {
      state.asked.push(id);
      const isLimited = claims?.typ === tokenTypes.limitedUser.typParam;
      const principal =
        (!isLimited || allowLimitedAccess) && state.tokens.get(text);
      if (!principal || principal instanceof Error) {
        throw principal || new AuthenticationError('Unknown');
      }
      return { principal } as BackstageCredentials;
    },
  });
  const httpAuth = {
    issueUserCookie: async (res: Response) => {
      res.setHeader('X-Stock', 'cleared');
    },
  } as unknown as HttpAuthService;

  const plugins = new Plugins(installed, {
    acceptsUserCookie: (_, path) => path.startsWith('/static/'),
    isKnown: id => !ownRouters.includes(id),
  });
  for (const id of registered) {
    plugins.register({
      id,
      httpAuth,
      readsBoundTokens: false,
      verifier: createVerifier(id),
      auditor: {} as never,
      auth: {
        getNoneCredentials: async () => ({}),
        listPublicServiceKeys: async () => ({ keys: [{ kid: `of ${id}` }] }),
      } as never,
      discovery: {
        getBaseUrl: async pluginId => `http://backend/${pluginId}`,
        getExternalBaseUrl: async () => ISSUER,
      },
      uninstalledPluginAuth: async () => createVerifier('not installed'),
      isUp: () => !state.starting.has(id),
      started: async () => state.starting.get(id),
    });
  }

  const issuerClock = new IssuerClock();
  const services: GateServices = {
    plugins,
    source: {
      get current() {
        return createPolicy(state.policy);
      },
    },
    // A cache reserves room for all of its tokens.
    tokens: options.replaced?.tokens ?? new TokenCache({ ttlMs: 0 }),
    invalidTokens: new NegativeTokenCache(),
    keyEndpoints: {
      assertCallerKnown: () => {},
      hasKeysOf: async ({ claims }) => {
        if (claims && !state.hasKeys) {
          throw Refusal.because('keys-unavailable');
        }
        if (state.isKeyNew) {
          throw Refusal.because('keys-unavailable', 'new-key');
        }
        return true;
      },
      observe: () => {},
    },
    ownIssuer: new OwnIssuer(plugins),
    issuerClock,
    cookie: new GateCookie(
      { enabled: true, name: 'token', attributes: {} } as never,
      '[::1]',
    ),
    cookieIssuer: {
      issueCookie: async ({ credentials, res }, token) => {
        const { userEntityRef } = credentials.principal;
        state.told.push([
          'issues',
          token.text,
          token.claims?.sub,
          userEntityRef,
        ]);
        res.setHeader('X-Issued', 'yes');
        return undefined;
      },
    },
    cookieTypes: new Set(['vnd.backstage.user']),
    revocations,
    signOutUser: createUserSignOut({
      issuerClock,
      offlineSessions: { end: state.endOfflineSessions },
      revocations,
    }),
    signOutsByOthers: new RateLimit({ max: 10, intervalMs: 1_000 }),
    sockets: { track: state.track },
    decisions: new Decisions(),
    observer: {
      decided: ({ method, reportedPath }, decision, error) =>
        state.decided.push({
          request: { method, path: reportedPath },
          decision,
          error,
        }),
      refusedBehind: () => {},
      externalTokenUsed: () => {},
      cookieIssued: () => {},
      signedOut: (plugin, ended) =>
        state.told.push(['signed out', plugin, ended]),
    },
    logger,
    clientAddressOf: () => '192.0.2.1',
    ...options.replaced,
  };
  return Object.assign(state, { plugins, services });
}
