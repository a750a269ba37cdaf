import type { AddressInfo } from 'node:net';
import type {
  HttpAuthService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { AuthenticationError } from '@backstage/errors';
import { parse } from 'cookie';
import express, {
  ErrorRequestHandler,
  Request,
  RequestHandler,
  Response,
} from 'express';
import type { ApiGateConfig } from '../config/readApiGateConfig';
import { Refusal } from '../decision/Refusal';
import { GateCookie } from '../cookie/GateCookie';
import { createGate, GateOptions } from '../gate/createGate';
import { readBearer } from '../credentials/readCredential';
import { NegativeTokenCache } from '../credentials/NegativeTokenCache';
import { OwnIssuer } from '../credentials/OwnIssuer';
import { TokenCache } from '../credentials/TokenCache';
import { Decision, Decisions } from '../decision/Decision';
import { Plugins } from '../plugins/Plugins';
import type { Revocation } from '../revocation/Revocation';
import { createUserSignOut } from '../revocation/createUserSignOut';
import { IssuerClock } from '../revocation/IssuerClock';
import type { OfflineSessions } from '../revocation/OfflineSessions';
import { Revocations } from '../revocation/Revocations';
import { SessionSockets } from '../revocation/SessionSockets';
import { createPolicy } from './createPolicy';
import { RawResponse, rawRequest } from './rawRequest';

/** The issuer of this backend's user tokens. */
export const ISSUER = 'https://backstage.example.com/api/auth';

const STATUS: Record<string, number> = {
  InputError: 400,
  AuthenticationError: 401,
  NotAllowedError: 403,
  ServiceUnavailableError: 503,
};

/** The gate alone, between a socket and a handler, with services that return the test's values. */
export interface BareGate {
  /** The principal of each valid token, or the error of an invalid one. */
  tokens: Map<string, object | Error>;
  /** The answer of all key endpoints. */
  hasKeys: boolean;
  /** Changes the policy in force. */
  policy: Partial<ApiGateConfig>;
  /** Plugins that are starting. */
  starting: Map<string, Promise<void>>;
  /** Whether the store of revocations fails. */
  isStoreGone: boolean;
  plugins: Plugins;
  revocations: Revocations;
  endOfflineSessions: jest.Mock<
    ReturnType<OfflineSessions['end']>,
    Parameters<OfflineSessions['end']>
  >;
  /** The revocations that reached the store. */
  stored: Revocation[];
  /** Requests that the gate passed. */
  handled: (Pick<Request, 'method' | 'headers' | 'rawHeaders'> & {
    user?: unknown;
  })[];
  decided: {
    request: { method: string; path: string | undefined };
    decision: Decision;
    error?: Error;
  }[];
  /** All other reports of the gate to the observer. */
  told: unknown[];
  log: unknown[][];
  /** The gate itself. */
  handler: RequestHandler;
  send(
    method: string,
    target: string,
    ...headerLines: string[]
  ): Promise<RawResponse>;
  stop(): Promise<void>;
}

/**
 * @param options.installed - ids of the plugins
 * @param options.ownRouters - ids of those whose router is not Backstage's
 */
export async function startBareGate(
  options: {
    installed?: string[];
    ownRouters?: string[];
    gate?: Partial<GateOptions>;
    /** Middleware in front of the gate. */
    before?: RequestHandler;
  } = {},
): Promise<BareGate> {
  const { installed = ['hello', 'auth', 'app'], ownRouters = [] } = options;
  const log: unknown[][] = [];
  const record = (...line: unknown[]) => log.push(line);
  const logger = { error: record, warn: record } as unknown as LoggerService;
  const revocations = new Revocations({ logger, pollIntervalMs: 3600_000 });

  const gate: Omit<BareGate, 'handler' | 'plugins' | 'send' | 'stop'> = {
    tokens: new Map(),
    hasKeys: true,
    policy: {},
    starting: new Map(),
    isStoreGone: false,
    revocations,
    endOfflineSessions: jest.fn(async (_userEntityRef: string) => ({
      ended: 1,
    })),
    stored: [],
    handled: [],
    decided: [],
    told: [],
    log,
  };

  const httpAuth = {
    credentials: async (req: Request, { allowLimitedAccess = false } = {}) => {
      const token =
        readBearer(req) ??
        (allowLimitedAccess && parse(req.headers.cookie!)['backstage-auth']);
      const principal =
        gate.tokens.get(String(token)) ?? new AuthenticationError('Unknown');
      if (principal instanceof Error) {
        throw principal;
      }
      return { principal };
    },
    issueUserCookie: async (res: Response) => {
      res.setHeader('X-Stock', 'cleared');
    },
  } as unknown as HttpAuthService;

  const plugins = new Plugins(installed, {
    acceptsUserCookie: (_, path) => path.startsWith('/static/'),
    isKnown: id => !ownRouters.includes(id),
  });
  for (const id of installed) {
    plugins.register({
      id,
      httpAuth,
      auditor: {} as never,
      auth: {
        getNoneCredentials: async () => ({}),
        listPublicServiceKeys: async () => ({ keys: [{ kid: `of ${id}` }] }),
      } as never,
      discovery: {
        getBaseUrl: async pluginId => `http://backend/${pluginId}`,
        getExternalBaseUrl: async () => ISSUER,
      },
      uninstalledPluginAuth: async () => httpAuth,
      started: () => gate.starting.get(id),
    });
  }

  const issuerClock = new IssuerClock();
  const handler = createGate({
    plugins,
    revocations,
    logger,
    policy: () =>
      createPolicy({
        signOut: {
          scope: 'session',
          providers: new Set(['github']),
        } as ApiGateConfig['signOut'],
        ...gate.policy,
      }),
    decisions: new Decisions(),
    sockets: new SessionSockets({
      revocations,
      source: { current: { isEnforced: true }, onEnforced: () => {} },
    }),
    ownIssuer: new OwnIssuer(plugins),
    tokens: new TokenCache({ ttlMs: 0 }),
    issuerClock,
    signOutUser: createUserSignOut({
      issuerClock,
      offlineSessions: { end: gate.endOfflineSessions },
      revocations,
    }),
    invalidTokens: new NegativeTokenCache(),
    keyEndpoints: {
      assertCallerKnown: () => undefined,
      hasKeysOf: async ({ claims }) => {
        if (claims && !gate.hasKeys) {
          throw Refusal.keysUnavailable;
        }
        return true;
      },
      observe: () => {},
    },
    cookie: new GateCookie(
      { enabled: true, name: 'token', attributes: {} } as never,
      '[::1]',
    ),
    cookieTypes: new Set(['vnd.backstage.user']),
    cookieIssuer: () => ({
      issueCookie: ({ token, presented, credentials, res }) => {
        const { userEntityRef } = credentials.principal;
        gate.told.push(['issues', token, presented.claims?.sub, userEntityRef]);
        res.setHeader('X-Issued', 'yes');
      },
    }),
    observer: {
      decided: ({ method, reportedPath }, decision, error) =>
        gate.decided.push({
          request: { method, path: reportedPath },
          decision,
          error,
        }),
      verified: seconds => gate.told.push(['verified', seconds]),
      externalTokenUsed: () => {},
      cookieIssued: () => {},
      cookieNotIssued: reason => gate.told.push(['not issued', reason]),
      signedOut: (plugin, ended) =>
        gate.told.push(['signed out', plugin, ended]),
    },
    ...options.gate,
  });

  const answerError: ErrorRequestHandler = (error, _req, res, _next) => {
    if (res.headersSent) {
      res.end(error.message);
    } else {
      res.status(STATUS[error.name] ?? 500).end(error.message);
    }
  };
  const app = express();
  if (options.before) {
    app.use(options.before);
  }
  app.use('/api/:gatedPluginId', handler);
  app.use((req, res) => {
    const { method, headers, rawHeaders } = req;
    const { user } = req as { user?: unknown };
    gate.handled.push({ method, headers, rawHeaders, user });
    res.end('handled');
  });
  app.use(answerError);
  const server = app.listen(0, 'localhost');
  await new Promise(resolve => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;

  await revocations.follow({
    read: async () => ({ revocations: [] }),
    add: async revocation => {
      if (gate.isStoreGone) {
        throw new Error('gone');
      }
      gate.stored.push(revocation);
    },
  });
  return Object.assign(gate, {
    handler,
    plugins,
    send: (method: string, target: string, ...headerLines: string[]) =>
      rawRequest(port, target, { method, headerLines }),
    stop: async () => {
      revocations.stop();
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  });
}
