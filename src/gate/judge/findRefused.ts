import type {
  BackstageCredentials,
  BackstageServicePrincipal,
  BackstageUserPrincipal,
} from '@backstage/backend-plugin-api';
import type { SocketSession } from '../sessions/SessionSockets';
import type { PresentedToken, Token } from '../read/token';
import type { CredentialKind } from '../Decision';
import { Refusal } from '../Refusal';

/** A token that Backstage has verified. */
export interface VerifiedToken {
  token: Token;
  /** The result of Backstage's `httpAuth`. */
  credentials: BackstageCredentials<
    BackstageUserPrincipal | BackstageServicePrincipal
  >;
  /** Why the token opens nothing all the same: its session, or `auth.apiGate.tokens`. */
  excluded: Refusal | undefined;
  /** The session that ends a socket which the token has opened. */
  session: SocketSession | undefined;
}

/**
 * What a token turns out to be: verified; invalid, or not to be verified now, as the refusal says; or harmless, so that nobody has to
 * know more of it.
 */
export type TokenOutcome = VerifiedToken | Refusal | 'harmless';

/** A token of a request, and what it has turned out to be. */
export interface FoundToken {
  presented: PresentedToken;
  outcome: TokenOutcome;
}

/** A refusal, and the kind of the credential that it is for. */
interface Refused {
  refusal: Refusal;
  credential: CredentialKind;
}

/** Returns whether the judgement may depend on a token beside those that were found before it. */
export function isNeeded(
  { kind, role, token }: PresentedToken,
  found: readonly FoundToken[],
): boolean {
  switch (role) {
    case 'authenticates':
      return !found.some(
        ({ outcome }) => isVerified(outcome) || hasFailed(outcome),
      );
    case 'signs out':
      return !found.some(({ outcome }) => hasFailed(outcome));
    case 'may be read': {
      // A cookie that is excluded is only removed: its token, sent as a bearer token too, still has to refuse the request.
      const isSame = ({ outcome, presented }: FoundToken) =>
        isVerified(outcome) &&
        presented.kind === kind &&
        presented.token!.text === token?.text;
      return !findRefused(found) && !found.some(isSame);
    }
    default:
      return true;
  }
}

/** Returns the refusal of the token that authenticates, else of one that may be read, else of one that goes elsewhere. */
export function findRefused(found: readonly FoundToken[]): Refused | undefined {
  const by = findRefusedCredential(found);
  if (by?.refusal) {
    return by as Refused;
  }
  const read = findRefusedReadable(found);
  if (read) {
    return { refusal: read, credential: by?.credential ?? 'none' };
  }
  for (const { outcome, presented } of found) {
    if (presented.role === 'goes elsewhere') {
      return { refusal: outcome as Refusal, credential: presented.kind };
    }
  }
  return undefined;
}

/**
 * Returns the kind of the token that authenticates, with its refusal if it is refused; `undefined` if no token has that role. If none of
 * several verifies, the refusal is preferably one that may be different at another moment or plugin, else the last. If the first that
 * verifies is excluded, the gate does not fall back to another.
 */
function findRefusedCredential(
  found: readonly FoundToken[],
): Partial<Refused> | undefined {
  const tried = found.filter(each => each.presented.role === 'authenticates');
  const last = tried.at(-1);
  if (!last) {
    return undefined;
  }
  const credential = last.presented.kind;
  if (isVerified(last.outcome)) {
    return { refusal: last.outcome.excluded, credential };
  }
  const refusals = tried.map(each => each.outcome as Refusal);
  const open = refusals.find(each => !each.isFinal);
  const refusal = last.outcome as Refusal;
  return {
    refusal: refusal.isUnexpected ? refusal : (open ?? refusal),
    credential,
  };
}

/** Returns the refusal of a token that a handler may read: preferably a user's. */
function findRefusedReadable(
  found: readonly FoundToken[],
): Refusal | undefined {
  let refusal: Refusal | undefined;
  for (const each of found) {
    const { kind, role, token } = each.presented;
    if (role === 'may be read' && kind !== 'user-cookie') {
      const own = refusalOfReadable(each);
      if (own && token?.userToken) {
        return own;
      }
      refusal ??= own;
    }
  }
  return refusal;
}

/**
 * Returns the refusal of a token that a handler may read; `undefined` for one that does no harm. Refused are
 *
 * - one that verifies and is excluded, or whose issuer is not trusted
 * - a user's with other characters than a compact JWS, by its claims alone: Backstage verifies some of them
 * - a user's that can't be verified now: the handler may get the keys a moment later. If its key is new, the handler can't verify it
 *   either, and a refusal would reveal that the session in the claims of a forged token was revoked
 *
 * A handler refuses a token that does not verify.
 */
export function refusalOfReadable({
  outcome,
  presented: { refused, token },
}: FoundToken): Refusal | undefined {
  if (outcome === 'harmless') {
    return undefined;
  }
  if (!(outcome instanceof Refusal)) {
    return outcome.excluded;
  }
  if (
    refused ||
    outcome.isUnexpected ||
    outcome.reason === 'untrusted-issuer'
  ) {
    return outcome;
  }
  const isHarmless =
    !token!.userToken ||
    (token!.isCompact && outcome.isFinal) ||
    outcome.reason === 'restricted' ||
    outcome.detail === 'new-key';
  return isHarmless ? undefined : outcome;
}

function hasFailed(outcome: TokenOutcome): boolean {
  return outcome instanceof Refusal && outcome.isUnexpected;
}

export function isVerified(outcome: TokenOutcome): outcome is VerifiedToken {
  return typeof outcome === 'object' && !(outcome instanceof Refusal);
}
