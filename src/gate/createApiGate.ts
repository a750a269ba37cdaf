import type { IncomingMessage } from 'node:http';
import type { RootConfigService } from '@backstage/backend-plugin-api';
import type { CookieIssuer } from './cookie/CookieIssuer';
import { DefaultCookieIssuer } from './cookie/DefaultCookieIssuer';
import { GateCookie } from './cookie/GateCookie';
import { NegativeTokenCache } from './verify/NegativeTokenCache';
import { OwnIssuer } from './verify/OwnIssuer';
import { substituteRequest } from './read/readCredential';
import { TokenCache } from './verify/TokenCache';
import { Decisions } from './Decision';
import { createClientAddress } from './read/mountedRequest';
import { PolicyChanges, SessionSockets } from './sessions/SessionSockets';
import { createGate } from './createGate';
import { EarlyDecisions } from './EarlyDecisions';
import { UpgradeGate } from './upgrades/UpgradeGate';
import type { GateServices } from './GateServices';
import { wrapIssuer } from './cookie/issueCookie';
import { findUndecidedOrder } from './verify/orders';
import { createOthersLimit } from './sessions/signOut';
import { UpgradeGuard } from './upgrades/UpgradeGuard';
import {
  findSessionRefusal,
  verifyCredential,
} from './verify/verifyCredential';

/** What a backend system hands to its gate. */
type FromSystem = Pick<
  GateServices,
  | 'cookieTypes'
  | 'issuerClock'
  | 'keyEndpoints'
  | 'logger'
  | 'observer'
  | 'plugins'
  | 'revocations'
  | 'signOutUser'
> & {
  config: RootConfigService;
  source: GateServices['source'] & PolicyChanges;
};

/** The gate of a backend, for requests and for upgrades. */
export type ApiGate = ReturnType<typeof createApiGate>;

/** Makes the gate of a backend on either backend system. */
export function createApiGate(system: FromSystem) {
  const services = createServices(system);
  const upgradeGate = new UpgradeGate(services);
  const upgradeGuard = new UpgradeGuard({
    services,
    upgradeGate,
    findOrder: (req, socket) => findUndecidedOrder(req, services, { socket }),
  });
  const earlyDecisions = new EarlyDecisions(services, upgradeGuard);
  return {
    ...system,
    decisions: services.decisions,
    tokens: services.tokens,
    /** The Express handler for `/api/:gatedPluginId`. */
    handler: createGate(services, upgradeGuard, earlyDecisions),
    earlyDecisions,
    upgradeGate,
    upgradeGuard,
    /** Returns the refusal to carry out in report-only for a request that a mount of the app's own leads around the gate. */
    findUndecidedOrder: (req: IncomingMessage, pluginId: string) =>
      findUndecidedOrder(req, services, { pluginId }),
    /** Replaces the issuer of the cookie; `undefined` turns issuing off. */
    setCookieIssuer(issuer: CookieIssuer | undefined): void {
      services.cookieIssuer = issuer && wrapIssuer(issuer);
    },
  };
}

function createServices(system: FromSystem): GateServices {
  const { config, logger, observer, plugins, revocations, source } = system;
  const settings = source.current.config;
  const cookie = new GateCookie(
    settings.cookie,
    new URL(config.getString('backend.baseUrl')).hostname,
  );
  const services: GateServices = {
    ...system,
    tokens: new TokenCache(settings.tokenCache ?? { ttlMs: 0 }),
    invalidTokens: new NegativeTokenCache(),
    ownIssuer: new OwnIssuer(plugins),
    cookie: settings.cookie.enabled ? cookie : undefined,
    cookieIssuer: undefined,
    signOutsByOthers: createOthersLimit(),
    sockets: new SessionSockets({ revocations, source }),
    decisions: new Decisions(),
    clientAddressOf: createClientAddress(
      config.getOptional('backend.trustProxy'),
    ),
  };
  services.cookieIssuer = new DefaultCookieIssuer({
    cookie,
    logger,
    observer,
    verifies: token => isAccepted(token, services),
    isRevoked: ({ session }) =>
      session !== undefined && revocations.isRevoked(session),
  });
  return services;
}

/** Returns whether the gate would accept a token as its cookie: it verifies, is a user's own, and its session is not revoked. */
async function isAccepted(
  token: string,
  services: GateServices,
): Promise<boolean> {
  try {
    const plugin = services.plugins.anyRegistered();
    const presented = { kind: 'cookie', token } as const;
    const policy = services.source.current;
    const req = substituteRequest(token);
    const verified = await verifyCredential(
      { plugin, policy, req, services },
      presented,
    );
    return !findSessionRefusal(verified.token, services);
  } catch {
    return false;
  }
}
