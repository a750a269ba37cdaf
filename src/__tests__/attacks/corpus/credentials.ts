import type { Refused } from '../../__testUtils__/expectRefused';

export const SECRET = '/api/hello/secret';
export const STATIC = '/api/docs/static/x';

export interface CredentialAttack {
  id: string;
  product: string;
  flaw: string;
  /** Default `GET`. */
  method?: string;
  /** Default `/api/hello/secret`. */
  target?: string;
  /** Header lines, separated as in a request. */
  headers: string[];
  /** The rows of src/gate/README.md by which it is refused. */
  rows: string;
  refused: Refused;
}

const bearer = { credential: 'bearer' } as const;
const cookie = { credential: 'cookie' } as const;

/**
 * Published bypasses in which a second credential was accepted when the first failed, or the server picked one of several.
 * `TOKEN` is valid, and so is `JANES`, of another user.
 */
export const ATTACKS: CredentialAttack[] = [
  {
    id: '-',
    product: "Backstage's tutorial",
    flaw: 'the cookie counted where the bearer was not valid',
    headers: [
      'Authorization: Bearer FORGED\r\nCookie: token=TOKEN',
      'Authorization: Bearer EXPIRED\r\nCookie: token=TOKEN',
      'Authorization: Bearer x\r\nCookie: token=TOKEN',
      'Authorization: bearer FORGED\r\nCookie: token=TOKEN; backstage-auth=LIMITED',
    ],
    rows: 'T2, T9',
    refused: { reason: 'invalid-token', ...bearer },
  },
  {
    id: '-',
    product: "Backstage's tutorial",
    flaw: 'the cookie counted where the header held no bearer token',
    headers: [
      'Authorization: Basic dXNlcjpwYXNz\r\nCookie: token=TOKEN',
      'Authorization: Bearer\r\nCookie: token=TOKEN',
      'Authorization: Bearer x y\r\nCookie: token=TOKEN',
      'Authorization: Negotiate x\r\nCookie: token=TOKEN',
      'Authorization: TOKEN',
      'Authorization: Token TOKEN',
      'Authorization: DPoP TOKEN',
      'Authorization: BearerTOKEN',
      'Authorization: Bearer\tTOKEN',
      'Authorization: Bearer,TOKEN',
      'Authorization: Bearer: TOKEN',
      'Authorization: Bearer TOKEN, Bearer TOKEN',
      'Authorization: Basic x, Bearer TOKEN',
      'Authorization: "Bearer TOKEN"',
      'Authorization: Bearer\xa0TOKEN',
    ],
    rows: 'J4',
    refused: { reason: 'unsupported-scheme' },
  },
  {
    id: '-',
    product: 'several cookies',
    flaw: "Backstage's own cookie counted where the gate's was not valid",
    target: STATIC,
    headers: [
      'Cookie: token=FORGED; backstage-auth=LIMITED',
      'Cookie: backstage-auth=LIMITED; token=EXPIRED',
    ],
    rows: 'T2, T9',
    refused: { plugin: 'docs', reason: 'invalid-token', ...cookie },
  },
  {
    id: '-',
    product: 'several cookies',
    flaw: "Backstage's own cookie counted where it is not meant to",
    headers: ['Cookie: backstage-auth=LIMITED', 'Cookie: backstage-auth=TOKEN'],
    rows: 'P6, J6',
    refused: {},
  },
  {
    id: '-',
    product: 'several cookies',
    flaw: "Backstage's own cookie counted for a method that changes something",
    method: 'POST',
    target: STATIC,
    headers: ['Cookie: backstage-auth=LIMITED'],
    rows: 'P6, J6',
    refused: { plugin: 'docs' },
  },
  ...[
    '/api/docs/static/../secret',
    '/api/docs/static/%2e%2e/secret',
    '/api/docs/static/..%2fsecret',
    '/api/docs/static/..%5csecret',
    '/api/docs/static/..;/secret',
    '/api/docs/static/x/%2e.%2f%2e%2e%2fsecret',
    '/api/docs/static//secret',
    '/api/docs//static/x',
    '/api/docs/staticx',
    '/api/docs/secret/static/x',
    '/api/docs/secret?/static/x',
    '/api/docs/secret#/static/x',
    '/api/docs/static/x#',
    '/api/docs/%73tatic/x',
    '/api/DOCS/static/x',
    'http://any/api/docs/static/x',
  ].map(target => ({
    id: 'CVE-2023-46805',
    product: 'Ivanti Connect Secure',
    flaw: 'a prefix was enough for a lesser credential, and the server climbed out of it',
    target,
    headers: ['Cookie: backstage-auth=LIMITED'],
    rows: 'P6, J6',
    refused: { plugin: 'docs' },
  })),
  {
    id: '-',
    product: 'several cookies',
    flaw: 'a limited token counted for a full one',
    headers: ['Authorization: Bearer LIMITED'],
    rows: 'R4, T9',
    refused: { reason: 'invalid-token', ...bearer },
  },
  {
    id: '-',
    product: 'several cookies',
    flaw: 'a limited or a service token counted in the cookie of users',
    headers: ['Cookie: token=LIMITED', 'Cookie: token=SERVICE'],
    rows: 'R4, T9',
    refused: { reason: 'invalid-token', ...cookie },
  },
  {
    id: 'RFC 6750, 2',
    product: 'servers of bearer tokens',
    flaw: 'a token in the query or the body counted',
    target: `${SECRET}?token=TOKEN&access_token=TOKEN&authorization=Bearer%20TOKEN`,
    headers: ['X: y'],
    rows: 'J6',
    refused: {},
  },
  {
    id: 'CVE-2021-29624',
    product: 'fastify-csrf',
    flaw: 'a sibling domain tossed a cookie of the same name, and one of the two was believed',
    headers: [
      'Cookie: token=TOKEN; token=JANES',
      'Cookie: token=JANES; token=TOKEN',
      'Cookie: token=TOKEN; token=x',
      'Cookie: token=x; a=1; token=TOKEN',
      'Cookie: token=TOKEN; token.0=JANES',
      'Cookie: token.0=TOKEN; token=JANES',
      'Cookie: token.0=TOKEN; token.0=JANES',
      'Cookie: token.0=TOKEN; token.2=x',
      'Cookie: token.1=TOKEN',
      'Cookie: token=TOKEN; token="JANES"',
    ],
    rows: 'J5',
    refused: { reason: 'conflicting-cookies' },
  },
  {
    id: 'CVE-2021-29624',
    product: 'fastify-csrf',
    flaw: 'a sibling domain tossed a part of a cookie',
    headers: ['Cookie: token.0=TOKEN; token.1=x', 'Cookie: token.0=FORGED'],
    rows: 'T9',
    refused: { reason: 'invalid-token', ...cookie },
  },
  {
    id: 'CVE-2023-23934',
    product: 'Werkzeug',
    flaw: 'a cookie without a name gave another one its name',
    headers: [
      'Cookie: =token=TOKEN',
      'Cookie: ==token=TOKEN',
      'Cookie: =; =TOKEN',
    ],
    rows: 'J6',
    refused: {},
  },
  {
    id: 'CVE-2020-8184',
    product: 'Rack',
    flaw: 'names of cookies were unescaped',
    headers: [
      'Cookie: %74oken=TOKEN',
      'Cookie: token%3DTOKEN',
      'Cookie: token%2e0=TOKEN',
      'Cookie: to%6ben=TOKEN',
    ],
    rows: 'J6',
    refused: {},
  },
  {
    id: 'CVE-2022-31629',
    product: 'PHP',
    flaw: 'names of cookies were mended',
    headers: [
      'Cookie: Token=TOKEN',
      'Cookie: token_0=TOKEN',
      'Cookie: token[0]=TOKEN',
      'Cookie: token.00=TOKEN',
      'Cookie: token.=TOKEN',
      'Cookie: .token=TOKEN',
      'Cookie: \xa0token=TOKEN',
      'Cookie: $token=TOKEN',
      'Cookie: __Host-token=TOKEN',
    ],
    rows: 'J6',
    refused: {},
  },
  {
    id: 'RFC 6265, 4.2',
    product: 'parsers of older cookies',
    flaw: 'a quote or a comma put two cookies into one, or one into two',
    headers: [
      'Cookie: $Version=1; token="x; a="; token=TOKEN',
      'Cookie: token="TOKEN; token=JANES"',
    ],
    rows: 'J5',
    refused: { reason: 'conflicting-cookies' },
  },
  {
    id: 'RFC 6265, 4.2',
    product: 'parsers of older cookies',
    flaw: 'a quote or a comma put two cookies into one, or one into two',
    headers: [
      'Cookie: token=x,token=TOKEN',
      'Cookie: token=TOKEN, a=1',
      'Cookie: token="TOKEN',
    ],
    rows: 'T9',
    refused: { reason: 'invalid-token', ...cookie },
  },
  ...['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'].map(method => ({
    id: 'CVE-2023-29003',
    product: 'SvelteKit',
    flaw: 'a type of body, or a method, was none that another site can send',
    method,
    headers: [
      'Cookie: token=TOKEN\r\nOrigin: http://evil.example',
      'Cookie: token=TOKEN\r\nOrigin: http://evil.example\r\nContent-Type: text/plain',
      'Cookie: token=TOKEN\r\nSec-Fetch-Site: cross-site\r\nContent-Type: application/json',
      'Cookie: token=TOKEN\r\nSec-Fetch-Site: same-site',
      // Firefox sends this for a form, by a redirect that sends no referrer.
      'Cookie: token=TOKEN\r\nSec-Fetch-Site: none\r\nOrigin: null',
    ],
    rows: 'J8',
    refused: { status: 403, reason: 'cross-site', ...cookie } as const,
  })),
  {
    id: 'CVE-2024-43787',
    product: 'Hono',
    flaw: 'a type of body in capital letters, or none, was not looked at',
    method: 'POST',
    headers: [
      'Cookie: token=TOKEN\r\nOrigin: http://evil.example\r\nContent-Type: Text/Plain',
      'Cookie: token=TOKEN\r\nOrigin: http://evil.example\r\nContent-Type:',
    ],
    rows: 'J8',
    refused: { status: 403, reason: 'cross-site', ...cookie },
  },
  {
    id: 'CVE-2025-47909',
    product: 'gorilla/csrf',
    flaw: 'a trusted host was trusted by any scheme',
    method: 'POST',
    headers: [
      'Cookie: token=TOKEN\r\nOrigin: https://localhost:3000',
      'Cookie: token=TOKEN\r\nOrigin: http://localhost:3001',
      'Cookie: token=TOKEN\r\nOrigin: http://localhost',
      'Cookie: token=TOKEN\r\nOrigin: HTTP://LOCALHOST:3000',
    ],
    rows: 'J8',
    refused: { status: 403, reason: 'cross-site', ...cookie },
  },
  {
    id: 'CVE-2025-24358',
    product: 'gorilla/csrf',
    flaw: 'the Referer was not looked at, or the Host was believed instead',
    method: 'POST',
    headers: [
      'Cookie: token=TOKEN\r\nOrigin: http://evil.example\r\nReferer: http://localhost:3000/',
      'Cookie: token=TOKEN\r\nOrigin: http://evil.example\r\nX-Forwarded-Host: evil.example',
      'Cookie: token=TOKEN\r\nSec-Fetch-Site: cross-site\r\nOrigin: http://localhost:3000.\r\nReferer: http://localhost:3000/',
    ],
    rows: 'J8',
    refused: { status: 403, reason: 'cross-site', ...cookie },
  },
];
