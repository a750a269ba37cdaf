import { tokenTypes } from '@backstage/plugin-auth-node';
import { Refusal } from '../decision/Refusal';
import type { TargetPlugin } from './BackendPlugins';
import type { Policy } from '../policy/Policy';
import { isRevokedByClaims } from './assertNotRevoked';
import type { Revocations } from '../revocation/Revocations';
import { substituteRequest } from './substituteRequest';
import { verifyCredential, VerifyOptions } from './verifyCredential';

/**
 * Returns whether a token verifies and its session was revoked, for paths where the gate needs no token and a handler may read
 * one. The result for a forged token is the same as for a session that is not revoked, so that nobody can find out who has signed
 * out. Only a token whose claims are on the list is verified; for any other token this returns at once.
 *
 * @throws Refusal 503 if the keys are not available: the handler may get them a moment later
 */
export function isOfRevokedSession(
  token: string | undefined,
  plugin: Pick<TargetPlugin, 'id' | 'httpAuthFor'>,
  policy: Policy,
  options: VerifyOptions & { revocations: Revocations },
): Promise<boolean> | false {
  return (
    token !== undefined &&
    isRevokedByClaims(token, options) &&
    verifies(token, plugin, policy, options)
  );
}

async function verifies(
  token: string,
  plugin: Pick<TargetPlugin, 'id' | 'httpAuthFor'>,
  policy: Policy,
  options: VerifyOptions,
): Promise<boolean> {
  const isLimited =
    options.tokens.read(token).claims?.typ === tokenTypes.limitedUser.typParam;
  try {
    await verifyCredential(
      substituteRequest(token),
      plugin,
      { kind: isLimited ? 'user-cookie' : 'bearer', token },
      policy,
      options,
    );
    return true;
  } catch (error) {
    if (
      error instanceof Refusal &&
      (error.isFinal || error.reason === 'restricted')
    ) {
      return false;
    }
    throw error;
  }
}
