import { Refusal } from '../decision/Refusal';
import type { PresentedCredential } from './readCredential';
import type { PresentedToken } from './verifyCredential';

/** @throws Refusal unless a request presents exactly one credential of a supported kind */
export function assertToken(presented: PresentedCredential): PresentedToken {
  const token = toToken(presented);
  if (token instanceof Refusal) {
    throw token;
  }
  return token;
}

/**
 * Returns the one credential of a request, or a refusal. The refusal is not thrown: anybody can send requests without a credential,
 * and an exception takes longer than all other steps of refusing one.
 */
export function toToken(
  presented: PresentedCredential,
): PresentedToken | Refusal {
  switch (presented.kind) {
    case 'none':
      return Refusal.missingCredentials;
    case 'repeated-authorization':
      return Refusal.repeatedAuthorization;
    case 'unsupported-scheme':
      return Refusal.unsupportedScheme;
    case 'conflicting-cookies':
      return Refusal.conflictingCookies;
    default:
      return presented;
  }
}
