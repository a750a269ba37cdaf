import type { IncomingMessage } from 'node:http';
import type { AllowRule } from '../config/AllowRule';

/**
 * Why a request passed or was refused. These words are the same in the log, the metrics, the audit and the policy route.
 *
 * Passed:
 * - `built-in-public`: keys, signing in, the frontend bundle
 * - `allow-rule`: a rule of `auth.apiGate.allow`
 * - `sign-out`: it ends a session, or there was none
 * - `bearer`, `cookie`, `user-cookie`: the credential that verified
 */
export type PassReason =
  | 'built-in-public'
  | 'allow-rule'
  | 'sign-out'
  | 'bearer'
  | 'cookie'
  | 'user-cookie';

/**
 * Refused:
 * - `missing-credentials`
 * - `repeated-authorization`: more than one `Authorization` header
 * - `unsupported-scheme`: an `Authorization` that is not `Bearer`
 * - `too-many-tokens`: a WebSocket offers more than Backstage tries
 * - `conflicting-cookies`: different values under one name, or parts that don't make a whole
 * - `cross-site`: another site's page used the cookie
 * - `unsafe-destination`: a browser requested a script, a style or a worker by the cookie alone
 * - `invalid-token`: expired, forged, of the wrong kind or for another plugin
 * - `untrusted-issuer`: a user token of another deployment
 * - `revoked`: the session was ended
 * - `restricted`: the token's access restrictions leave this plugin out
 * - `starting`: the plugin, or `auth` behind it, is not up
 * - `keys-unavailable`: whether the token is valid can't be told now
 * - `revocations-unavailable`: whether the session was ended can't be told yet
 * - `sign-out-not-stored`: the session is ended here, and at other replicas once the database is back
 * - `sign-out-incomplete`: the session is ended, and the refresh tokens of OAuth clients once the `auth` plugin can be reached
 * - `failed`: an unexpected error; see the log
 */
export type RefusalReason =
  | 'missing-credentials'
  | 'repeated-authorization'
  | 'unsupported-scheme'
  | 'too-many-tokens'
  | 'conflicting-cookies'
  | 'cross-site'
  | 'unsafe-destination'
  | 'invalid-token'
  | 'untrusted-issuer'
  | 'revoked'
  | 'restricted'
  | 'starting'
  | 'keys-unavailable'
  | 'revocations-unavailable'
  | 'sign-out-not-stored'
  | 'sign-out-incomplete'
  | 'failed';

/**
 * What came of it. `would-refuse`: in report-only a request that would be refused goes on, to whatever the backend does with
 * it without the gate.
 */
export type Outcome = 'passed' | 'refused' | 'would-refuse';

/** The kind of credential that a request was judged by. */
export type CredentialKind = 'none' | 'bearer' | 'cookie' | 'user-cookie';

/** What the gate decided about a request. */
export interface Decision {
  /** Id of the plugin, in lower case, installed or not. */
  plugin: string;
  outcome: Outcome;
  reason: PassReason | RefusalReason;
  credential: CredentialKind;
  /** With the reason `allow-rule`. */
  rule?: AllowRule;
}

/** The decisions, by request: how the second look in front of each plugin's routes knows what the gate has passed. */
export class Decisions {
  readonly #byRequest = new WeakMap<IncomingMessage, Decision>();

  set(req: IncomingMessage, decision: Decision): void {
    this.#byRequest.set(req, decision);
  }

  get(req: IncomingMessage): Decision | undefined {
    return this.#byRequest.get(req);
  }

  /** Whether the gate has let this request through to this plugin. */
  hasPassed(req: IncomingMessage, pluginId: string): boolean {
    const decision = this.#byRequest.get(req);
    return (
      decision?.outcome === 'passed' &&
      decision.plugin === pluginId.toLowerCase()
    );
  }
}
