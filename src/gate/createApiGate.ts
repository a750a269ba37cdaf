import type {
  AuthService,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import type { CookieIssuer } from './cookie/CookieIssuer';
import { DefaultCookieIssuer } from './cookie/DefaultCookieIssuer';
import { GateCookie } from './cookie/GateCookie';
import { AuthDecorator } from './verify/AuthDecorator';
import { NegativeTokenCache } from './verify/explainFailure';
import { OwnIssuer } from './verify/OwnIssuer';
import { TokenCache } from './verify/TokenCache';
import { Decisions } from './Decision';
import { Refusal } from './Refusal';
import { PolicyChanges, SessionSockets } from './sessions/SessionSockets';
import { createGate } from './createGate';
import { UpgradeGate } from './upgrades/UpgradeGate';
import type { GateServices } from './GateServices';
import { wrapIssuer } from './cookie/issueCookie';
import { run } from './verify/steps';
import { verifyToken } from './verify/verifyToken';
import { RateLimit } from './util/RateLimit';

/** The services that a backend system hands to its gate. */
type FromSystem = Pick<
  GateServices,
  | 'clientAddressOf'
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
  return {
    ...system,
    decisions: services.decisions,
    tokens: services.tokens,
    /** The Express handler for `/api/:gatedPluginId`. */
    handler: createGate(services, upgradeGate),
    upgradeGate,
    /** Returns a plugin's `auth`, which refuses tokens of ended sessions wherever they are read. */
    decorateAuth: (auth: AuthService, pluginId: string) =>
      new AuthDecorator(auth, pluginId, services),
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
    tokens: new TokenCache(),
    invalidTokens: new NegativeTokenCache(),
    ownIssuer: new OwnIssuer(plugins),
    cookie: settings.cookie.enabled ? cookie : undefined,
    cookieIssuer: undefined,
    // While keys can't be had, each sign-out asks every plugin, and any client can make up tokens. More of them get 503 at once.
    signOutsByOthers: new RateLimit({ max: 10, intervalMs: 1_000 }),
    sockets: new SessionSockets({ revocations, source }),
    decisions: new Decisions(),
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
    const request = {
      plugin: services.plugins.anyRegistered(),
      policy: services.source.current,
      services,
    };
    const presented = services.tokens.read(token);
    const outcome = await run(verifyToken(request, 'cookie', presented));
    return !(outcome instanceof Refusal) && !outcome.excluded;
  } catch {
    return false;
  }
}
