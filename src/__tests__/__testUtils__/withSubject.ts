/** Returns the token with another user as its subject: its signature is invalid. */
export function withSubject(token: string, sub: string): string {
  const [header, payload, signature] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const changed = Buffer.from(JSON.stringify({ ...claims, sub }));
  return [header, changed.toString('base64url'), signature].join('.');
}
