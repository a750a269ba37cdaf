import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Policy } from './rules/Policy';
import type { Revocation } from './sessions/Revocation';
import type { RouteClass } from './rules/classifyRoute';
import type { Decision } from './Decision';
import type { Refusal } from './Refusal';

/** The part of a request that is reported. */
export interface DecidedRequest {
  /** `WEBSOCKET` for an upgrade. */
  method: string;
  /** The path in reports; `undefined` where the target has none. Most decisions are reported without it. */
  readonly reportedPath: string | undefined;
  /** The header `User-Agent`. */
  readonly userAgent?: string;
  /** The route by which the gate has decided; `undefined` for a request that was refused behind the gate. */
  readonly route?: RouteClass;
  /** The path below the plugin; `undefined` where nothing may be decided by the path. */
  readonly path?: string;
  readonly isInstalled?: boolean;
  readonly pluginId?: string;
  readonly policy?: Policy;
  readonly res?: ServerResponse;
  /** The socket of an upgrade at the server, on which it is answered. */
  readonly socket?: Duplex;
}

/** Receives the gate's decisions for logs, metrics and audit. It never receives tokens, cookies or query strings. */
export interface GateObserver {
  /** @param error - answers the request, or would answer it if the gate enforced */
  decided(request: DecidedRequest, decision: Decision, error?: Error): void;
  /** Counts a token that the `auth` of a plugin has refused for a request that the gate has passed, or that did not reach it. */
  refusedBehind(plugin: string, refusal: Pick<Refusal, 'reason'>): void;
  /** Reports a request that passes by the token of a service that is no plugin. */
  externalTokenUsed(subject: string): void;
  cookieIssued(plugin: string, userEntityRef: string): void;
  /** @param ended.isStored - false: in force at this replica only, until the database is back */
  signedOut(
    plugin: string,
    ended: {
      scope: Revocation['scope'];
      userEntityRef: string;
      isStored: boolean;
    },
  ): void;
}
