import type { IncomingMessage } from 'node:http';
import type { AllowRule } from './request/AllowList';

/**
 * Why a request passed or was refused: the words of the log, and of whatever else tells of decisions.
 *
 * Passed:
 * - `public-by-nature`: keys, signing in, the frontend bundle
 * - `allow-rule`: a rule of `auth.apiGate.allow`
 * - `bearer`, `cookie`, `stock-cookie`: the credential that verified
 */
export type PassReason =
  'public-by-nature' | 'allow-rule' | 'bearer' | 'cookie' | 'stock-cookie';

/**
 * Refused:
 * - `missing-credentials`
 * - `repeated-authorization`: more than one `Authorization` header
 * - `unsupported-scheme`: an `Authorization` that is not `Bearer`
 * - `conflicting-cookies`: different values under one name
 * - `invalid-token`: expired, forged, of the wrong kind or for another plugin
 * - `foreign-issuer`: a user token of another deployment
 * - `restricted`: the token's access restrictions leave this plugin out
 * - `starting`: the plugin, or `auth` behind it, is not up
 * - `keys-unavailable`: whether the token is valid can't be told now
 * - `failed`: an unexpected error; see the log
 */
export type RefusalReason =
  | 'missing-credentials'
  | 'repeated-authorization'
  | 'unsupported-scheme'
  | 'conflicting-cookies'
  | 'invalid-token'
  | 'foreign-issuer'
  | 'restricted'
  | 'starting'
  | 'keys-unavailable'
  | 'failed';

/** What the gate decided about a request. */
export interface Decision {
  /** Id of the plugin, in lower case, installed or not. */
  plugin: string;
  reason: PassReason | RefusalReason;
  passed: boolean;
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
      decision !== undefined &&
      decision.passed &&
      decision.plugin === pluginId.toLowerCase()
    );
  }
}
