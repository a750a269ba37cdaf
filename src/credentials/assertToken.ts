import { Refusal } from '../decision/Refusal';
import type { PresentedCredential } from './readCredential';
import type { PresentedToken } from './verifyCredential';

/** @throws Refusal unless a request presents exactly one credential of a supported kind */
export function assertToken(presented: PresentedCredential): PresentedToken {
  switch (presented.kind) {
    case 'none':
      throw Refusal.missingCredentials;
    case 'repeated-authorization':
      throw Refusal.repeatedAuthorization;
    case 'unsupported-scheme':
      throw Refusal.unsupportedScheme;
    case 'conflicting-cookies':
      throw Refusal.conflictingCookies;
    default:
      return presented;
  }
}
