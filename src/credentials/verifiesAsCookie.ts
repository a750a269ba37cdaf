import type { Request } from 'express';
import type { Policy } from '../policy/Policy';
import { assertNotRevoked } from './assertNotRevoked';
import type { Revocations } from '../revocation/Revocations';
import { verifyCredential, VerifyOptions } from './verifyCredential';

/**
 * Returns whether the gate would accept a token as its cookie: the token verifies, is a user's own, and its session is not
 * revoked.
 */
export async function verifiesAsCookie(
  token: string,
  policy: Policy,
  options: VerifyOptions,
  revocations: Revocations,
): Promise<boolean> {
  try {
    const request = { headers: {} } as Request;
    assertNotRevoked(
      await verifyCredential(
        request,
        options.plugins.anyRegistered(),
        { kind: 'cookie', token },
        policy,
        options,
      ),
      revocations,
    );
    return true;
  } catch {
    return false;
  }
}
