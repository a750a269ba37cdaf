import type { Decision } from './Decision';

/** Why a bearer's cookie was not issued. */
export type NotIssuedReason = 'cross-site' | 'issuer-failed' | 'too-large';

/** What is told of a request. */
export interface DecidedRequest {
  /** `WEBSOCKET` for an upgrade. */
  method: string;
  /** Below the plugin; `undefined` where the target has none. */
  path: string | undefined;
}

/** What the gate tells of its doings. Nothing that is told holds a token, a cookie or a query. */
export interface GateObserver {
  /** @param error - that answers the request, or would */
  decided(request: DecidedRequest, decision: Decision, error?: Error): void;
  /** @param seconds - that verifying one credential took, whatever came of it */
  verified(seconds: number): void;
  cookieIssued(plugin: string, userEntityRef: string): void;
  cookieNotIssued(reason: NotIssuedReason): void;
  /** @param ended.isStored - false: in force at this replica only, until the database is back */
  signedOut(
    plugin: string,
    ended: {
      scope: 'session' | 'user';
      userEntityRef: string;
      isStored: boolean;
    },
  ): void;
}
