import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { AllowRule } from './rules/AllowRule';
import type { RefusalDetail, RefusalReason } from './Refusal';

/**
 * Why a request passed. The log, the metrics, the audit and the policy route use the same words.
 *
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
 * The outcome of a decision. `would-refuse`: in report-only, a request that only the rules refuse goes on, and the backend serves it
 * as it does without the gate.
 */
export type Outcome = 'passed' | 'refused' | 'would-refuse';

/** Where a request has a token: as a bearer token, in the gate's cookie, or in Backstage's own. */
export type TokenKind = 'bearer' | 'cookie' | 'user-cookie';

/** The kind of credential that a request was decided by. */
export type CredentialKind = 'none' | TokenKind;

/** Returns whether a browser sends a kind of credential by itself. */
export function isCookie(credential: CredentialKind): boolean {
  return credential === 'cookie' || credential === 'user-cookie';
}

export interface Decision {
  /** Id of the plugin, in lower case, installed or not. */
  plugin: string;
  outcome: Outcome;
  reason: PassReason | RefusalReason;
  credential: CredentialKind;
  /** With the reason `allow-rule`. */
  rule?: AllowRule;
  /** Identifies a refusal, and one that report-only omits. A request that passed has none. */
  id?: string;
  /** Narrows the reason, in the log and in the audit only. */
  detail?: RefusalDetail;
  /** The subject of a refused token that has verified; never a claim of any other token. */
  subject?: string;
  /** The client's address, with `auth.apiGate.audit.clientAddress`. */
  clientAddress?: string;
}

/**
 * Returns 62 random bits as 16 hex digits. Nobody can derive other ids, or the number of refusals, from an id. Node makes the random bits of
 * 128 UUIDs at once, where asking for the bytes of one id takes a sixth of the time of a refusal.
 */
export function createDecisionId(): string {
  return randomUUID().slice(19).replace('-', '');
}

/** Keeps the last decision about each request. In front of each plugin's routes, a second check reads there which requests have passed. */
export class Decisions extends WeakMap<IncomingMessage, Decision> {
  /** Whether the gate has let this request through to this plugin. */
  hasPassed(req: IncomingMessage, pluginId: string): boolean {
    const decision = this.get(req);
    return (
      decision?.outcome === 'passed' &&
      decision.plugin === pluginId.toLowerCase()
    );
  }
}
