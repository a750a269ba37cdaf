import type { JsonObject } from '@backstage/types';
import type { CredentialKind, PassReason, TokenKind } from '../Decision';
import type { PresentedToken } from '../read/token';
import type { AllowRule } from '../rules/AllowRule';
import type { SocketEnd } from '../sessions/SessionSockets';
import type { GateRequest } from '../read/GateRequest';
import { Refusal } from '../Refusal';
import {
  FoundToken,
  VerifiedToken,
  findRefused,
  isVerified,
  refusalOfReadable,
} from './findRefused';

/** The part of a judgement for a request that signs out. */
export interface SignOut {
  /** The tokens whose sessions are to be revoked. */
  verified: VerifiedToken[];
  /** Whether one of them is a credential on other routes. */
  hasCredential: boolean;
  clearsCookie: boolean;
}

/** An answer that the gate gives in place of a handler. */
export interface GateAnswer {
  status: 200 | 204 | 404;
  body?: JsonObject;
}

/** The judgement of a request or an upgrade: whether it passes, why, and what is to be carried out. */
export class Judgement {
  /** The rule that opens the request. */
  rule: AllowRule | undefined = undefined;
  /** The token that authenticates the request, which goes on to the handler. */
  presented: PresentedToken | undefined = undefined;
  verified: VerifiedToken | undefined = undefined;
  /** Ends the socket of an upgrade. */
  socketEnds: SocketEnd[] = [];
  signOut: SignOut | undefined = undefined;
  answer: GateAnswer | undefined = undefined;
  /** The address at which a client that is refused reads how to sign in. */
  resourceMetadata: string | undefined = undefined;

  constructor(
    /** Why the request passes, or is refused. */
    public reason: PassReason | Refusal,
    /** The kind of the credential that the judgement depends on. */
    public credential: CredentialKind,
    /** Whether Backstage's own cookie is removed from what goes on. */
    readonly removesUserCookie: boolean,
  ) {}

  /** Why the request is refused; `undefined` if it passes. */
  get refusal(): Refusal | undefined {
    return this.reason instanceof Refusal ? this.reason : undefined;
  }
}

/**
 * Judges a request or an upgrade by its route, and by what its tokens have turned out to be; {@link findRefused} has the order of all
 * checks. It waits for nothing, changes nothing and never throws.
 */
export function judge(
  request: Pick<GateRequest, 'isEnforced' | 'isUpgrade' | 'route'>,
  found: readonly FoundToken[],
): Judgement {
  const { isEnforced, isUpgrade, route } = request;
  if (route === 'sign-out') {
    return judgeSignOut(found);
  }
  const removesUserCookie = found.some(each =>
    isCookieRefused(each, isEnforced),
  );
  const refused = findRefused(found);
  if (refused) {
    const { credential, refusal } = refused;
    return new Judgement(refusal, credential, removesUserCookie);
  }
  if (route === 'built-in-public') {
    return new Judgement(route, 'none', removesUserCookie);
  }
  if (route !== 'protected') {
    const opened = new Judgement('allow-rule', 'none', removesUserCookie);
    opened.rule = route;
    opened.socketEnds = isUpgrade ? socketEndsOf(found) : [];
    return opened;
  }
  const { outcome, presented } = found.find(isAuthenticated)!;
  const kind = presented.kind as TokenKind;
  // In an upgrade, a handler would read Backstage's own cookie, and nothing has verified it.
  const passed = new Judgement(kind, kind, removesUserCookie || isUpgrade);
  passed.presented = presented;
  passed.verified = outcome as VerifiedToken;
  passed.socketEnds = isUpgrade ? socketEndsOf(found) : [];
  return passed;
}

/** Returns whether Backstage's own cookie is refused where a handler may read it. Report-only does not remove it for want of the list. */
function isCookieRefused(each: FoundToken, isEnforced: boolean): boolean {
  const { kind, role } = each.presented;
  if (role !== 'may be read' || kind !== 'user-cookie') {
    return false;
  }
  const refusal = refusalOfReadable(each);
  return (
    refusal !== undefined &&
    (refusal.reason !== 'revocations-unavailable' || isEnforced)
  );
}

/**
 * Judges a request that signs out: the session of each token that verifies is revoked, even if another token can't be verified now. If
 * the keys are missing, the cookie is cleared all the same, as the browser may not call again. If a plugin starts or stops, the cookie
 * stays, and the same call revokes the session a moment later.
 */
function judgeSignOut(found: readonly FoundToken[]): Judgement {
  const failed = found.filter(
    ({ outcome }) =>
      outcome instanceof Refusal &&
      !outcome.isFinal &&
      outcome.reason !== 'restricted',
  );
  const ending = failed.find(
    ({ outcome, presented }) =>
      presented.refused || (outcome as Refusal).isUnexpected,
  );
  if (ending) {
    const { outcome, presented } = ending;
    return new Judgement(outcome as Refusal, presented.kind, false);
  }
  const failure = failed.at(0)?.outcome as Refusal | undefined;
  const verified = found.map(({ outcome }) => outcome).filter(isVerified);
  const last = found.findLast(
    each => failed.includes(each) || isVerified(each.outcome),
  );
  const credential = last?.presented.kind ?? 'none';
  const judgement = new Judgement(failure ?? 'sign-out', credential, false);
  judgement.signOut = {
    verified,
    // The token of a session that was revoked before is no credential.
    hasCredential: verified.some(({ excluded }) => !excluded),
    clearsCookie: !failure || failure.reason === 'keys-unavailable',
  };
  return judgement;
}

/** Returns what ends the socket of an upgrade: the session of the token that authenticates it or, under a rule, of each valid token. */
export function socketEndsOf(found: readonly FoundToken[]) {
  const own = found.find(isAuthenticated);
  return (own ? [own] : found)
    .filter(({ presented }) => presented.kind !== 'user-cookie')
    .flatMap(({ outcome }) => (isVerified(outcome) && outcome.session) || []);
}

function isAuthenticated({ outcome, presented }: FoundToken): boolean {
  return presented.role === 'authenticates' && isVerified(outcome);
}
