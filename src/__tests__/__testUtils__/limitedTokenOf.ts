import { claimsOf } from './requestParts';

/** Returns JSON as a part of a JWT. */
export const encode = (value: object) =>
  Buffer.from(JSON.stringify(value)).toString('base64url');

/** Returns the limited token of a user's own one, with the proof that is in it, or another one. */
export function limitedTokenOf(token: string, proof?: string): string {
  const { sub, iat, exp, uip } = claimsOf(token);
  const typ = 'vnd.backstage.limited-user';
  const header = { typ, alg: 'ES256', kid: 'test-key' };
  return [encode(header), encode({ sub, iat, exp }), proof ?? uip].join('.');
}
