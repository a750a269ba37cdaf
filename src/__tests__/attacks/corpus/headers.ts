import type { Refused } from '../../__testUtils__/expectRefused';

/** Published bypasses in which a header that anybody can send decided. Each row is sent alone, without a credential. */
export const DECIDING: {
  id: string;
  product: string;
  flaw: string;
  headers: string[];
}[] = [
  {
    id: 'CVE-2025-29927',
    product: 'Next.js',
    flaw: 'a header for its own use told that the middleware had run',
    headers: [
      'x-middleware-subrequest: middleware',
      'x-middleware-subrequest: src/middleware:src/middleware:src/middleware:src/middleware:src/middleware',
      'x-middleware-next: 1',
      'x-middleware-rewrite: /api/hello/health',
    ],
  },
  {
    id: 'CVE-2018-14773',
    product: 'Symfony',
    flaw: 'a header of IIS replaced the path',
    headers: [
      'X-Original-URL: /api/hello/health',
      'X-Rewrite-URL: /api/hello/health',
    ],
  },
  {
    id: 'CVE-2026-40575',
    product: 'OAuth2 Proxy',
    flaw: 'public paths were matched with a header of the client',
    headers: [
      'X-Forwarded-Uri: /api/hello/health',
      'X-Forwarded-Path: /api/hello/health',
      'X-Forwarded-Prefix: /api/hello/public',
      'X-Auth-Request-Redirect: /api/hello/health',
      'X-Original-URI: /api/hello/health',
    ],
  },
  {
    id: 'CVE-2026-34457',
    product: 'OAuth2 Proxy',
    flaw: 'whoever called itself a health check was let in',
    headers: [
      'User-Agent: GoogleHC/1.0',
      'User-Agent: kube-probe/1.32',
      'User-Agent: ELB-HealthChecker/2.0',
    ],
  },
  {
    id: 'CVE-2022-40684',
    product: 'Fortinet FortiOS',
    flaw: 'an address in a header, and a name of its own in another, were trusted',
    headers: [
      'Forwarded: for="[127.0.0.1]:8000";by="[127.0.0.1]:9000"\r\nUser-Agent: Report Runner',
      'Forwarded: for=127.0.0.1\r\nUser-Agent: Node.js',
    ],
  },
  {
    id: 'CVE-2022-24112',
    product: 'Apache APISIX',
    flaw: 'the address of the client was what a header said',
    headers: [
      'X-Real-IP: 127.0.0.1',
      'X-Forwarded-For: 127.0.0.1',
      'X-Forwarded-For: ::1, 127.0.0.1',
      'X-Client-IP: 127.0.0.1',
      'True-Client-IP: 127.0.0.1',
      'Client-IP: 127.0.0.1',
    ],
  },
  {
    id: 'CVE-2024-0012',
    product: 'PAN-OS',
    flaw: 'the proxy in front told by a header that nothing was to be checked',
    headers: ['X-PAN-AUTHCHECK: off', 'X-Auth-Check: off', 'X-Skip-Auth: 1'],
  },
  {
    id: 'CVE-2025-53770',
    product: 'Microsoft SharePoint (ToolShell)',
    flaw: 'whoever came from the page for signing out was let in',
    headers: [
      'Referer: /api/auth/signs-in/logout',
      'Referer: /_layouts/SignOut.aspx',
      'Referer: http://localhost/api/hello/health',
      'Origin: http://localhost:3000\r\nSec-Fetch-Site: same-origin',
    ],
  },
  {
    id: 'CVE-2025-64484',
    product: 'OAuth2 Proxy',
    flaw: 'a name with an underscore was another header to it, and the same to what is behind',
    headers: [
      'X_Forwarded_User: user:default/admin',
      'X-Forwarded-User: user:default/admin',
      'X-Forwarded-Email: admin@example.com',
      'X-Forwarded-Access-Token: TOKEN',
      'Remote-User: user:default/admin',
      'X-Backstage-User: user:default/admin',
    ],
  },
  {
    id: 'CVE-2025-64525',
    product: 'Astro',
    flaw: 'the URL was put together from headers',
    headers: [
      'X-Forwarded-Proto: https://localhost/api/hello/health?x',
      'X-Forwarded-Host: localhost/api/hello/health?x',
      'X-Forwarded-Port: 80/api/hello/health?x',
    ],
  },
  {
    id: 'CVE-2022-22972',
    product: 'VMware Workspace ONE Access',
    flaw: 'whom to ask for the credential was what Host said',
    headers: ['X-Forwarded-Host: ATTACKER', 'X-Host: ATTACKER'],
  },
  {
    id: 'CVE-2024-55591',
    product: 'Fortinet FortiOS',
    flaw: 'a request that asked for an upgrade was of an inner socket',
    headers: [
      'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings',
      'Upgrade: TLS/1.0\r\nConnection: Upgrade',
    ],
  },
  {
    id: '-',
    product: 'backends behind a proxy',
    flaw: 'a token in another header, of another scheme or from another protocol counted',
    headers: [
      'Proxy-Authorization: Bearer TOKEN',
      'X-Authorization: Bearer TOKEN',
      'X-Access-Token: TOKEN',
      'X-Auth-Token: TOKEN',
      'Authorization_: Bearer TOKEN',
      'Cookie2: token=TOKEN',
      'Set-Cookie: token=TOKEN',
      'Sec-WebSocket-Protocol: TOKEN',
    ],
  },
];

/** Headers that declare others as hop-by-hop, or repeat a name, and their effect on a credential. */
export const CREDENTIALS: {
  id: string;
  product: string;
  flaw: string;
  headers: string[];
  method?: string;
  /** The rows of src/gate/README.md by which it is refused. */
  rows: string;
  refused: Refused;
}[] = [
  {
    id: 'CVE-2022-1388',
    product: 'F5 BIG-IP',
    flaw: 'Connection named the header with the token, and whoever had none was trusted',
    headers: [
      'Connection: authorization\r\nAuthorization: Bearer FORGED\r\nCookie: token=TOKEN',
      'Connection: close, Authorization, cookie\r\nAuthorization: Bearer FORGED',
      'Connection: X-F5-Auth-Token\r\nX-F5-Auth-Token: 1\r\nAuthorization: Bearer FORGED',
      'Keep-Alive: authorization\r\nAuthorization: Bearer FORGED\r\nCookie: token=TOKEN',
    ],
    rows: 'T9',
    refused: { reason: 'invalid-token', credential: 'bearer' },
  },
  {
    id: 'CVE-2022-31813',
    product: 'Apache httpd',
    flaw: 'Connection took away the headers that tell whom a request is from',
    headers: [
      'Connection: X-Forwarded-For, X-Forwarded-Host, cookie',
      'Connection: cookie, host, authorization',
    ],
    rows: 'J6',
    refused: {},
  },
  {
    id: 'CVE-2021-32777',
    product: 'Envoy',
    flaw: 'of two headers with one name, the check saw the last alone',
    headers: [
      'Authorization: Bearer FORGED\r\nAuthorization: Bearer TOKEN',
      'Authorization: Bearer TOKEN\r\nAuthorization: Bearer FORGED',
      'authorization: Bearer TOKEN\r\nAUTHORIZATION: Bearer TOKEN',
      'Authorization:\r\nAuthorization: Bearer TOKEN',
      'Authorization: Bearer TOKEN\r\nAuthorization:',
    ],
    rows: 'J2',
    refused: { status: 400, reason: 'repeated-authorization' },
  },
  {
    id: 'CVE-2021-32777',
    product: 'Envoy',
    flaw: 'of two headers with one name, the check saw the last alone',
    headers: [
      'Cookie: token=FORGED\r\nCookie: token=TOKEN',
      'Cookie: token=TOKEN\r\nCookie: token=FORGED',
    ],
    rows: 'J5',
    refused: { reason: 'conflicting-cookies' },
  },
  {
    id: 'CVE-2021-32777',
    product: 'Envoy',
    flaw: 'of two origins, the check saw one alone',
    method: 'POST',
    headers: [
      'Cookie: token=TOKEN\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Site: same-origin',
      'Cookie: token=TOKEN\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site',
      'Cookie: token=TOKEN\r\nOrigin: http://evil.example\r\nOrigin: http://localhost:3000',
      'Cookie: token=TOKEN\r\nOrigin: http://localhost:3000.evil.example',
      'Cookie: token=TOKEN\r\nOrigin: http://localhost:3000@evil.example',
      'Cookie: token=TOKEN\r\nOrigin: null',
    ],
    rows: 'J8',
    refused: { status: 403, reason: 'cross-site', credential: 'cookie' },
  },
  {
    id: 'CWE-650',
    product: 'frameworks with a method override',
    flaw: 'a rule saw one method, and the handler another',
    method: 'POST',
    headers: [
      'X-HTTP-Method-Override: GET',
      'X-HTTP-Method: GET',
      'X-Method-Override: GET',
    ],
    rows: 'J6',
    refused: {},
  },
  {
    id: 'CWE-650',
    product: 'frameworks with a method override',
    flaw: 'a POST that calls itself a GET was not cross-site',
    method: 'POST',
    headers: [
      'X-HTTP-Method-Override: GET\r\nCookie: token=TOKEN\r\nOrigin: null',
    ],
    rows: 'J8',
    refused: { status: 403, reason: 'cross-site', credential: 'cookie' },
  },
];
