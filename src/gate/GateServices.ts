import type { IncomingMessage } from 'node:http';
import type { LoggerService } from '@backstage/backend-plugin-api';
import type { GateCookieIssuer } from '../cookie/CookieIssuer';
import type { GateCookie } from '../cookie/GateCookie';
import type { BackendPlugins } from '../credentials/BackendPlugins';
import type { KeyEndpoints } from '../credentials/KeyEndpoints';
import type { NegativeTokenCache } from '../credentials/NegativeTokenCache';
import type { OwnIssuer } from '../credentials/OwnIssuer';
import type { TokenCache } from '../credentials/TokenCache';
import type { Decisions } from '../decision/Decision';
import type { GateObserver } from '../decision/GateObserver';
import type { PolicySource } from '../policy/PolicySource';
import type { UserSignOut } from '../revocation/createUserSignOut';
import type { IssuerClock } from '../revocation/Revocation';
import type { Revocations } from '../revocation/Revocations';
import type { SessionSockets } from '../revocation/SessionSockets';
import type { RateLimit } from '../util/RateLimit';

/** The services with which the gate decides, one bag for both doors and both backend systems. Each request carries it. */
export interface GateServices {
  // Plugins and policy.
  plugins: BackendPlugins;
  source: Pick<PolicySource, 'current'>;

  // Verification of tokens.
  tokens: TokenCache;
  invalidTokens: NegativeTokenCache;
  keyEndpoints: Pick<
    KeyEndpoints,
    'assertCallerKnown' | 'hasKeysOf' | 'isCallerKnown' | 'observe'
  >;
  ownIssuer: Pick<OwnIssuer, 'trusts' | 'trustsAtOnce'>;
  issuerClock: Pick<IssuerClock, 'observe'>;

  // The cookie and the sessions.
  /** `undefined`: no cookie is read. */
  cookie: GateCookie | undefined;
  /** `undefined`: no cookie is issued. An adopter's module may replace it while the backend starts. */
  cookieIssuer: GateCookieIssuer | undefined;
  /** The `typ` of tokens that may become the cookie. */
  cookieTypes: ReadonlySet<string | undefined>;
  revocations: Revocations;
  signOutUser: UserSignOut;
  /** Bounds how often a sign-out verifies its token with other plugins. */
  signOutsByOthers: RateLimit;
  sockets: Pick<SessionSockets, 'track'>;

  // Records and reports.
  decisions: Decisions;
  observer: GateObserver;
  logger: LoggerService;
  /** Returns the client's address, as `backend.trustProxy` has it. */
  clientAddressOf(req: IncomingMessage): string | undefined;
}
