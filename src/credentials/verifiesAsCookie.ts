import type { Request } from 'express';
import type { Policy } from '../policy/Policy';
import { assertNotRevoked } from './assertNotRevoked';
import type { Revocations } from '../revocation/Revocations';
import { verifyCredential, VerifyOptions } from './verifyCredential';

/** Whether a token would count as the gate's cookie: it verifies, is a user's own, and its session has not ended. */
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
