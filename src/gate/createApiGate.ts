import type {
  LoggerService,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import type { CookieIssuer } from '../cookie/CookieIssuer';
import {
  DefaultCookieIssuer,
  TokenCookieIssuer,
} from '../cookie/DefaultCookieIssuer';
import { GateCookie } from '../cookie/GateCookie';
import { withRollback } from '../cookie/withRollback';
import { isSessionRevoked } from '../credentials/assertNotRevoked';
import { NegativeTokenCache } from '../credentials/NegativeTokenCache';
import { OwnIssuer } from '../credentials/OwnIssuer';
import { TokenCache } from '../credentials/TokenCache';
import { verifiesAsCookie } from '../credentials/verifiesAsCookie';
import type { VerifyOptions } from '../credentials/verifyCredential';
import { Decisions } from '../decision/Decision';
import type { GateObserver } from '../decision/GateObserver';
import { createClientAddress, MountedRequest } from '../http/upgradeRequest';
import type { PolicySource } from '../policy/PolicySource';
import { createUserSignOut } from '../revocation/createUserSignOut';
import type { IssuerClock } from '../revocation/IssuerClock';
import type { OfflineSessions } from '../revocation/OfflineSessions';
import type { Revocations } from '../revocation/Revocations';
import { SessionSockets } from '../revocation/SessionSockets';
import { createGate, GateOptions } from './createGate';
import { createUpgradeGate, UpgradeGate } from './createUpgradeGate';
import { UpgradeGuard } from './UpgradeGuard';

/** The services that a backend system hands to its gate. */
export interface ApiGateServices extends Pick<
  VerifyOptions,
  'keyEndpoints' | 'plugins'
> {
  config: RootConfigService;
  /** The `typ` of tokens that may become the cookie. */
  cookieTypes: GateOptions['cookieTypes'];
  issuerClock: IssuerClock;
  logger: LoggerService;
  observer: GateObserver;
  /** `undefined`: a sign-out leaves the refresh tokens of OAuth clients. */
  offlineSessions: Pick<OfflineSessions, 'end'> | undefined;
  revocations: Revocations;
  source: PolicySource;
  /** Whether the gate decides about an upgrade at the server. Default: it decides about each. */
  decidesUpgrade?(target: MountedRequest): boolean;
}

/** The gate of a backend, for requests and for upgrades. */
export type ApiGate = ReturnType<typeof createApiGate>;

/** Makes the gate of a backend on either backend system from the services of that system. */
export function createApiGate(services: ApiGateServices) {
  const { config, logger, observer, revocations, source } = services;
  const settings = source.current.config;
  const verifyOptions = createVerifyOptions(services);
  const cookie = new GateCookie(
    settings.cookie,
    new URL(config.getString('backend.baseUrl')).hostname,
  );
  let cookieIssuer: TokenCookieIssuer | undefined = new DefaultCookieIssuer({
    cookie,
    logger,
    observer,
    verifies: token =>
      verifiesAsCookie(token, source.current, verifyOptions, revocations),
    isRevoked: token => isSessionRevoked(token, revocations),
  });
  const signOutUser = createUserSignOut(services);
  const upgradeServices = {
    ...verifyOptions,
    clientAddressOf: createClientAddress(
      config.getOptional('backend.trustProxy'),
    ),
    cookie: settings.cookie.enabled ? cookie : undefined,
    logger,
    observer,
    policy: () => source.current,
    revocations,
    sockets: new SessionSockets({ revocations, source }),
  };
  const upgradeGate = createUpgradeGate(upgradeServices);
  const upgradeGuard = createUpgradeGuard(services, upgradeGate);
  const decisions = new Decisions();
  const gate = createGate({
    ...upgradeServices,
    cookieIssuer: () => cookieIssuer,
    cookieTypes: services.cookieTypes,
    decisions,
    signOutUser,
  });
  followPollInterval(services);
  return {
    decisions,
    /** The Express handler for `/api/:gatedPluginId`. */
    handler: upgradeGuard.wrap(gate, decisions),
    signOutUser,
    upgradeGate,
    upgradeGuard,
    /** The services by which upgrades are decided. */
    upgradeServices,
    /** Replaces the issuer of the cookie; `undefined` turns issuing off. */
    setCookieIssuer(issuer: CookieIssuer | undefined): void {
      cookieIssuer = issuer && withRollback(issuer);
    },
  };
}

function createVerifyOptions({
  issuerClock,
  keyEndpoints,
  plugins,
  source,
}: ApiGateServices): VerifyOptions {
  const { tokenCache } = source.current.config;
  return {
    plugins,
    invalidTokens: new NegativeTokenCache(),
    keyEndpoints,
    ownIssuer: new OwnIssuer(plugins),
    tokens: new TokenCache(tokenCache ?? { ttlMs: 0 }),
    issuerClock,
  };
}

function createUpgradeGuard(
  { decidesUpgrade, logger, source }: ApiGateServices,
  upgradeGate: UpgradeGate,
): UpgradeGuard {
  return new UpgradeGuard({
    logger,
    source,
    gate: {
      admit: async (req, socket, target) =>
        !decidesUpgrade || decidesUpgrade(target)
          ? upgradeGate.admit(req, socket, target)
          : true,
    },
  });
}

function followPollInterval({ revocations, source }: ApiGateServices): void {
  source.onReload(outcome => {
    if ('policy' in outcome) {
      const { revocation } = outcome.policy.config;
      revocations.setPollInterval(revocation.pollIntervalMs);
    }
  });
}
