import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { AuthenticationError } from '@backstage/errors';
import type { Request } from 'express';
import type { ApiGateConfig } from '../config/readApiGateConfig';
import { GateCookie } from '../cookie/GateCookie';
import { NegativeTokenCache } from '../credentials/NegativeTokenCache';
import { readBearer } from '../credentials/readCredential';
import { TokenCache } from '../credentials/TokenCache';
import type { Decision } from '../decision/Decision';
import type { DecidedRequest } from '../decision/GateObserver';
import type { UpgradeGateOptions } from '../gate/createUpgradeGate';
import { Plugins } from '../plugins/Plugins';
import { createPolicy } from './createPolicy';
import { unsignedToken } from './unsignedToken';

const ISSUER = 'https://backstage.example.com/api/auth';
const NOW = Math.floor(Date.now() / 1000);

/** The claims that identify the session of a user. */
export const sessionOf = (sub: string) => ({ sub, iat: NOW, exp: NOW + 3600 });

/** Returns a user's own token of this backend. */
export const userTokenOf = (sub: string) =>
  unsignedToken('vnd.backstage.user', { iss: ISSUER, ...sessionOf(sub) });

/** Creates a request for an upgrade to a WebSocket, as Node passes it to a server's listeners. */
export function upgradeRequest(
  headers: Record<string, string> = {},
): IncomingMessage {
  const req = new IncomingMessage(new Socket());
  const all = { upgrade: 'websocket', connection: 'upgrade', ...headers };
  return Object.assign(req, {
    method: 'GET',
    url: '/api/live/ws',
    headers: all,
    rawHeaders: Object.entries(all).flat(),
  });
}

/**
 * Creates the services of the gates for upgrades, for a backend whose only plugin is `live`. No session but those of `revoked` is
 * revoked.
 */
export function createUpgradeServices(
  options: {
    /** The principal of each valid token, or the error of an invalid one. */
    tokens?: Record<string, object | Error>;
    policy?: Partial<ApiGateConfig>;
    /** Users whose sessions are revoked. */
    revoked?: string[];
    started?: () => Promise<void> | undefined;
  } = {},
) {
  const { policy = {}, revoked = [], tokens = {}, started } = options;
  const decided: {
    request: { method: string; path: string | undefined };
    decision: Decision;
    error: Error | undefined;
  }[] = [];
  const logged: unknown[][] = [];
  const track = jest.fn();

  const httpAuth = {
    credentials: async (req: Request) => {
      const principal = tokens[String(readBearer(req))];
      if (!principal || principal instanceof Error) {
        throw principal ?? new AuthenticationError('Unknown');
      }
      return { principal };
    },
  };
  const plugins = new Plugins(['live'], {
    acceptsUserCookie: () => false,
    isKnown: () => true,
  });
  plugins.register({
    id: 'live',
    httpAuth,
    auth: {},
    discovery: {},
    started: () => started?.(),
  } as never);

  const services = {
    plugins,
    policy: () => createPolicy({ audit: { clientAddress: true }, ...policy }),
    clientAddressOf: () => '192.0.2.1',
    cookie: new GateCookie(
      { enabled: true, name: 'token', attributes: {} } as never,
      'backstage.example.com',
    ),
    invalidTokens: new NegativeTokenCache(),
    issuerClock: { observe: () => {} },
    keyEndpoints: {
      assertCallerKnown: () => undefined,
      hasKeysOf: async () => true,
      observe: () => {},
    },
    logger: {
      error: (...line: unknown[]) => logged.push(line),
      info: (...line: unknown[]) => logged.push(line),
    },
    observer: {
      decided: (
        { method, reportedPath }: DecidedRequest,
        decision: Decision,
        error: Error | undefined,
      ) =>
        decided.push({
          request: { method, path: reportedPath },
          decision,
          error,
        }),
      verified: () => {},
      externalTokenUsed: () => {},
    },
    ownIssuer: { get: () => ISSUER },
    revocations: {
      isLoaded: true,
      isRevoked: ({ sub }: { sub: string }) => revoked.includes(sub),
    },
    sockets: { track },
    tokens: new TokenCache({ ttlMs: 0 }),
  } as unknown as UpgradeGateOptions & { plugins: Plugins };
  return { decided, logged, services, track };
}
