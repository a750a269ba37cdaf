import type { UserTokenClaims } from '../../src/__testUtils__/signingKey';
import type { BackendProcess } from '../BackendProcess';

/** The gate's default, and what a backend may need beyond it. */
export const WITHIN_MS = 2_000 + 1_000;

export const EXTERNAL = {
  unrestricted: 'external-token-unrestricted',
  hello: 'external-token-for-hello',
  catalog: 'external-token-for-catalog',
};

/** The backends that the checks act on. */
export interface World {
  /** `auth`, `catalog` and `gateway`. */
  first: BackendProcess;
  /** `hello`, `notes` and `techdocs`, which the gateway of the first leads to. */
  second: BackendProcess;
  /** A backend with a gateway alone, and the one with all the plugins behind it, which were not started yet. */
  createDoorAndHome(): { door: BackendProcess; home: BackendProcess };
  /** A user token of this deployment that no `auth` plugin has issued. */
  sign(claims?: Partial<UserTokenClaims>): Promise<string>;
}

/** The targets of the callers. */
export const CATALOG = '/api/catalog/entities';
export const HELLO = '/api/hello/x';

/** A service token of one plugin for another, and on behalf of a user where one is given. */
export function tokenOf(
  backend: BackendProcess,
  of: string,
  to: string,
  onBehalfOf?: string,
): Promise<string> {
  return backend.ask('token', { of, to, ...(onBehalfOf && { onBehalfOf }) });
}

/** With another signature: flipped in the middle, as the last bits of one may not count. */
export function forged(token: string): string {
  const [header, payload, signature] = token.split('.');
  const at = Math.floor(signature.length / 2);
  const other = signature[at] === 'A' ? 'B' : 'A';
  return `${header}.${payload}.${signature.slice(0, at)}${other}${signature.slice(at + 1)}`;
}
