import type { IncomingMessage } from 'node:http';
import type { LoggerService } from '@backstage/backend-plugin-api';
import type { GateCookieIssuer } from './cookie/CookieIssuer';
import type { GateCookie } from './cookie/GateCookie';
import type { BackendPlugins } from './plugins/BackendPlugins';
import type { KeyEndpoints } from './verify/KeyEndpoints';
import type { NegativeTokenCache } from './verify/explainFailure';
import type { OwnIssuer } from './verify/OwnIssuer';
import type { TokenCache } from './verify/TokenCache';
import type { Decisions } from './Decision';
import type { GateObserver } from './GateObserver';
import type { Policy } from './rules/Policy';
import type {
  Revocation,
  RevocationList,
  SessionClaims,
} from './sessions/Revocation';
import type { SessionSockets } from './sessions/SessionSockets';
import type { RateLimit } from './util/RateLimit';

/** The list of revocations, which follows those of other replicas. */
export interface Revocations extends Pick<
  RevocationList,
  'isRevoked' | 'onRevoked'
> {
  /** Whether the list has ever been complete. Before that, a session may be revoked without being on it. */
  readonly isLoaded: boolean;
  /** Resolves once the list has been complete, or six seconds after the first call: nobody waits longer for a store that does not answer. */
  firstReading(): Promise<void>;
  /** Puts a revocation in force. Returns whether it is stored, so that other replicas will see it. */
  revoke(revocation: Revocation): Promise<boolean>;
}

/** A revocation that a sign-out has put in force. */
export interface EndedSessions {
  revocation: Revocation;
  /** Whether other replicas will see it. */
  isStored: boolean;
  /** `unreachable`: the refresh tokens of OAuth clients could not be ended yet. */
  offlineSessions?: unknown;
}

/** The services with which the gate decides, one bag for both doors and both backend systems. Each request carries it. */
export interface GateServices {
  // Plugins and policy.
  plugins: BackendPlugins;
  source: { readonly current: Policy };

  // Verification of tokens.
  tokens: TokenCache;
  invalidTokens: NegativeTokenCache;
  keyEndpoints: Pick<
    KeyEndpoints,
    'assertCallerKnown' | 'hasKeysOf' | 'observe'
  >;
  ownIssuer: Pick<OwnIssuer, 'trusts'>;
  /** Records the `iat` of tokens that have verified. */
  issuerClock: { observe(token: { iat?: number; exp?: number }): void };

  // The cookie and the sessions.
  /** `undefined`: no cookie is read. */
  cookie: GateCookie | undefined;
  /** `undefined`: no cookie is issued. An adopter's module may replace it while the backend starts. */
  cookieIssuer: GateCookieIssuer | undefined;
  /** The `typ` of tokens that may become the cookie. */
  cookieTypes: ReadonlySet<string | undefined>;
  revocations: Revocations;
  /** Ends every session of a user, and the refresh tokens of OAuth clients. It never throws. */
  signOutUser(
    userEntityRef: string,
    known: SessionClaims,
  ): Promise<EndedSessions>;
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
