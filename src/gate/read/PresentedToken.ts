import type { CredentialKind } from '../Decision';
import { Refusal } from '../Refusal';
import type { GateRequest } from './GateRequest';
import type { Credential } from './readCredential';
import type { Token } from './token';

// Verifying each one takes time, and Backstage tries as many.
export const MAX_TOKENS = 5;

/**
 * What a token is there for.
 *
 * - `authenticates`: the request passes by it
 * - `may be read`: a handler that needs no credential may read it, and Backstage's cookie endpoint may renew it
 * - `goes elsewhere`: the handler may send it to another server
 * - `signs out`: its session is to be revoked
 */
export type Role =
  'authenticates' | 'may be read' | 'goes elsewhere' | 'signs out';

/** A token that a request presents, or what the request has in the place of a token. */
export interface PresentedToken {
  role: Role;
  /** `none`: a token is missing, or has too many values. */
  kind: CredentialKind;
  /** `undefined`: `refused` says why. */
  token: Token | undefined;
  /** The refusal that follows from the request alone, whatever the token is. */
  refused: Refusal | undefined;
  /** The offered protocol of a WebSocket that holds the token. */
  authProtocol?: string;
  /** Whether the token is the first of several protocols, and claims a user: a comma may have cut it. */
  mayBeCut?: boolean;
}

/** Returns an entry for a credential that was read, or for the refusal in the place of one. */
export function present(
  { services }: GateRequest,
  role: Role,
  credential: Credential | Refusal,
): PresentedToken {
  if (credential instanceof Refusal) {
    return { role, kind: 'none', token: undefined, refused: credential };
  }
  const token = services.tokens.read(credential.token);
  return { role, kind: credential.kind, token, refused: undefined };
}

/** Returns an entry for each of some bearer tokens, or one entry that refuses them if they are too many. */
export function presentBearers(
  request: GateRequest,
  role: Role,
  texts: string[],
): PresentedToken[] {
  return texts.length > MAX_TOKENS
    ? [present(request, role, Refusal.because('too-many-tokens'))]
    : texts.map(token => present(request, role, { kind: 'bearer', token }));
}
