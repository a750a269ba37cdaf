/** Returns a JWT without a valid signature, for code that only decodes tokens. */
export function unsignedToken(
  typ: string | undefined,
  claims: object,
  kid?: string,
): string {
  return [{ typ, alg: 'ES256', kid }, claims, {}]
    .map(part => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
}
