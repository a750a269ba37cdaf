import type { UserTokenClaims } from '../../../src/__tests__/__testUtils__/signingKey';
import type { BackendProcess } from '../../BackendProcess';
import { send, until } from '../../http';

/** The gate's default, and the time that a backend may need beyond it. */
export const WITHIN_MS = 2_000 + 1_000;

export const EXTERNAL = {
  unrestricted: 'external-token-unrestricted',
  hello: 'external-token-for-hello',
  catalog: 'external-token-for-catalog',
};

/** `auth.apiGate.credentialHeader` of both backends. */
export const CREDENTIAL_HEADER = 'X-Backstage-Token';

/** The backends that the checks act on. */
export interface World {
  /** The backend with `auth`, `catalog` and `gateway`. */
  first: BackendProcess;
  /** The backend with `hello`, `notes` and `techdocs`, behind the gateway of the first. */
  second: BackendProcess;
  /** Creates a backend with a gateway alone, and one with all the plugins behind it, without starting them. */
  createDoorAndHome(): { door: BackendProcess; home: BackendProcess };
  /** Signs a user token of this deployment that no `auth` plugin has issued. */
  sign(claims?: Partial<UserTokenClaims>): Promise<string>;
}

/** The targets of the callers. */
export const CATALOG = '/api/catalog/entities';
export const HELLO = '/api/hello/x';

/**
 * Waits until users pass at a backend without `auth`: until it has read the ended sessions from the backend with `auth`, which
 * may start later, it answers 503 to every user.
 */
export async function usersPass(port: number, bearer: string): Promise<void> {
  await until('users pass', WITHIN_MS, async () => {
    const { status } = await send(port, { path: HELLO, bearer });
    return status === 200;
  });
}

/** Returns a service token of one plugin for another, on behalf of a user if one is given. */
export function tokenOf(
  backend: BackendProcess,
  of: string,
  to: string,
  onBehalfOf?: string,
): Promise<string> {
  return backend.ask('token', { of, to, ...(onBehalfOf && { onBehalfOf }) });
}

/** Returns the token with another signature, changed in the middle, as the last bits of a signature may have no meaning. */
export function forged(token: string): string {
  const [header, payload, signature] = token.split('.');
  const at = Math.floor(signature.length / 2);
  const other = signature[at] === 'A' ? 'B' : 'A';
  return `${header}.${payload}.${signature.slice(0, at)}${other}${signature.slice(at + 1)}`;
}
