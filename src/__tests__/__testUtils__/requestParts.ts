export const COOKIE_ENDPOINT = '/.backstage/auth/v1/cookie';
export const KEYS = '/.backstage/auth/v1/jwks.json';
export const POLICY = '/api/auth/api-gate/v1/policy';
export const REVOCATIONS = '/api/auth/api-gate/v1/revocations';

export const JSON_TYPE = 'Content-Type: application/json';
export const SAME_ORIGIN = 'Sec-Fetch-Site: same-origin';

export const bearer = (token: string) => `Authorization: Bearer ${token}`;
export const cookie = (token: string) => `Cookie: token=${token}`;
export const from = (origin: string) => `Origin: ${origin}`;
export const protocol = (...values: string[]) =>
  `Sec-WebSocket-Protocol: ${values.join(', ')}`;

/** The present second, as claims of tokens have it. */
export const now = () => Math.floor(Date.now() / 1000);

/** Returns a token whose signature is invalid, changed in its middle. */
export function forge(token: string): string {
  const at = token.length - 40;
  const other = token[at] === 'A' ? 'B' : 'A';
  return `${token.slice(0, at)}${other}${token.slice(at + 1)}`;
}

/** Returns the claims of a token, verified or not. */
export const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
