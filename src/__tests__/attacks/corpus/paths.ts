export interface PathAttack {
  /** The id of the advisory; `-` for a known mistake without one. */
  id: string;
  product: string;
  flaw: string;
  targets: string[];
}

/** Paths that a gate and the router behind it read differently. Each of them reaches the plugin `hello` with a token. */
export const CONFUSIONS: PathAttack[] = [
  {
    id: 'CVE-2019-9901',
    product: 'Envoy',
    flaw: 'matched its rules before dot segments were resolved',
    targets: [
      '/api/hello/public/../secret',
      '/api/hello/public/./../secret',
      '/api/hello/secret/../health',
      '/api/hello/./health',
      '/api/hello/health/.',
    ],
  },
  {
    id: 'CVE-2023-46805',
    product: 'Ivanti Connect Secure',
    flaw: 'a prefix was public, and the server climbed out of it',
    targets: ['/api/hello/public/totp/code/../../../secret'],
  },
  {
    id: 'CVE-2021-29492',
    product: 'Envoy',
    flaw: 'an escaped slash or backslash was no separator to it',
    targets: [
      '/api/hello/public/..%2fsecret',
      '/api/hello/public/..%2Fsecret',
      '/api/hello/public/..%5csecret',
      '/api/hello/public%2f..%2fsecret',
    ],
  },
  {
    id: 'CVE-2021-20090',
    product: 'Arcadyan routers',
    flaw: 'whatever began like the path of an image needed no sign-in',
    targets: ['/api/hello/public/images/..%2f..%2fsecret'],
  },
  {
    id: 'CVE-2025-0108',
    product: 'PAN-OS',
    flaw: 'the proxy decoded once and the server behind it twice',
    targets: [
      '/api/hello/public/%252e%252e/secret',
      '/api/hello/public/..%252fsecret',
    ],
  },
  {
    id: 'CVE-2023-20198',
    product: 'Cisco IOS XE',
    flaw: 'a doubly escaped letter hid the path from the check',
    targets: ['/api/hello/%2573ecret', '/api/hello/%2568ealth'],
  },
  {
    id: 'CVE-2025-66202',
    product: 'Astro',
    flaw: 'middleware saw the path decoded once, and the router until nothing was left to decode',
    targets: ['/api/hello/%252573ecret'],
  },
  {
    id: 'CVE-2026-22031',
    product: '@fastify/middie',
    flaw: 'middleware matched the escaped path, and the router the decoded one',
    targets: ['/api/hello/%73ecret', '/api/hello/%68ealth'],
  },
  {
    id: 'CVE-2026-2880',
    product: '@fastify/middie',
    flaw: 'the router alone joined slashes and cut at semicolons',
    targets: [
      '/api/hello//secret',
      '/api/hello/secret;x',
      '/api/hello/public//secret',
      '/api/hello//health',
      '/api/hello/health/',
    ],
  },
  {
    id: 'CVE-2023-4853',
    product: 'Quarkus',
    flaw: 'policies compared paths with doubled slashes and semicolons as they came',
    targets: [
      '/api/hello///secret',
      '/api/hello/;/health',
      '/api/hello/health;',
    ],
  },
  {
    id: 'CVE-2021-31920',
    product: 'Istio',
    flaw: 'several slashes, or an escaped one, were another path to its policies',
    targets: ['/api/hello//public/x', '/api/hello/public%2fx'],
  },
  {
    id: 'CVE-2020-5902',
    product: 'F5 BIG-IP',
    flaw: 'to Tomcat behind the proxy, "..;" is a dot segment',
    targets: [
      '/api/hello/public/..;/secret',
      '/api/hello/public/..;x=1/secret',
      '/api/hello/public/.;/secret',
    ],
  },
  {
    id: 'CVE-2020-1957',
    product: 'Apache Shiro',
    flaw: 'cut the path at the first semicolon, and Spring did not',
    targets: ['/api/hello/health;/../secret', '/api/hello/x/..;/health'],
  },
  {
    id: 'CVE-2020-13933',
    product: 'Apache Shiro',
    flaw: 'decoded an escaped semicolon, and cut there',
    targets: ['/api/hello/public/%3bsecret', '/api/hello/health%3bsecret'],
  },
  {
    id: 'CVE-2020-17510',
    product: 'Apache Shiro',
    flaw: 'resolved escaped dots that Spring took for a name',
    targets: ['/api/hello/public/%2e', '/api/hello/public/%2e%2e/secret'],
  },
  {
    id: 'CVE-2020-17523',
    product: 'Apache Shiro',
    flaw: 'an escaped space was an empty segment to it',
    targets: ['/api/hello/%20/health', '/api/hello/public/%20'],
  },
  {
    id: 'CVE-2016-5007',
    product: 'Spring Security',
    flaw: 'Spring MVC trimmed spaces, and the security rules did not',
    targets: ['/api/hello/health%20', '/api/hello/%20health'],
  },
  {
    id: 'CVE-2016-9879',
    product: 'Spring Security',
    flaw: 'an escaped slash in a path parameter moved the end of the path',
    targets: [
      '/api/hello/public/;x=%2f../secret',
      '/api/hello/secret;%2fhealth',
    ],
  },
  {
    id: 'CVE-2022-22978',
    product: 'Spring Security',
    flaw: 'the dot of a regular expression matches no line break',
    targets: [
      '/api/hello/secret%0a',
      '/api/hello/secret%0d',
      '/api/hello/public/%0a/../../secret',
      '/api/hello/health%0a',
      '/api/hello/secret%e2%80%a8',
    ],
  },
  {
    id: 'CVE-2021-32779',
    product: 'Envoy',
    flaw: 'a fragment was part of the path, so that a rule for a suffix matched it',
    targets: [
      '/api/hello/secret#/public/x',
      '/api/hello/secret#/api/hello/health',
      '/api/hello/health#x',
      '/api/hello/health#',
    ],
  },
  {
    id: 'CVE-2023-45539',
    product: 'HAProxy',
    flaw: 'a rule for the end of the path read on behind "#"',
    targets: [
      '/api/hello/secret#logo.svg',
      '/api/hello/secret?#/logo.svg',
      '/api/hello/health?#/secret',
    ],
  },
  {
    id: 'CVE-2026-41059',
    product: 'OAuth2 Proxy',
    flaw: 'a fragment, escaped or not, counted for a public path',
    targets: [
      '/api/hello/secret%23/public/x',
      '/api/hello/public/..%2fsecret%23/x',
    ],
  },
  {
    id: 'CVE-2024-1019',
    product: 'ModSecurity',
    flaw: 'decoded the path before it looked for the query',
    targets: ['/api/hello/health%3f/../secret', '/api/hello/secret%3f/health'],
  },
  {
    id: 'CVE-2007-0450',
    product: 'Apache Tomcat behind a proxy',
    flaw: 'a backslash was a separator behind the proxy, and a character in front',
    targets: [
      '/api/hello/public/..\\secret',
      '/api/hello/public\\..\\secret#',
      '/api/hello\\health#',
    ],
  },
  {
    id: 'CVE-2008-2938',
    product: 'Apache Tomcat',
    flaw: 'decoded an overlong form of UTF-8 to a dot or slash',
    targets: [
      '/api/hello/public/%c0%ae%c0%ae/secret',
      '/api/hello/public/..%c0%afsecret',
      '/api/hello/public/%2e%2e%ef%bc%8fsecret',
    ],
  },
  {
    id: '-',
    product: 'Express',
    flaw: 'matches paths without case',
    targets: [
      '/api/hello/Health',
      '/api/hello/PUBLIC/x',
      '/api/HELLO/health',
      '/API/hello/health',
    ],
  },
  {
    id: '-',
    product: 'Express',
    flaw: 'for a target with "#", its parser escapes characters, and a mount then cuts the raw URL by the escaped length',
    targets: [
      '/api/hello/^^^^/public/secret#',
      '/api/hello/public/^^^^/../secret#',
      '/api/hello/{}{}/health#',
    ],
  },
  {
    id: 'CVE-2025-58362',
    product: 'Hono',
    flaw: 'found the path in an absolute URL by counting slashes',
    targets: [
      'http://any/api/hello/health',
      'http://any/api/hello/public/x',
      'http:///api/hello/health',
      'https://user@any:1/api/hello/public/x',
    ],
  },
];

/** More such paths, which lead to no handler even with a token. */
export const NOWHERE: PathAttack[] = [
  {
    id: 'CVE-2021-40539',
    product: 'ManageEngine ADSelfService Plus',
    flaw: '"/./" in front hid the path from its filter',
    targets: ['/api/./hello/secret', '/api/x/../hello/secret'],
  },
  {
    id: 'CVE-2026-22031',
    product: '@fastify/middie',
    flaw: 'an escaped letter in the mount itself',
    targets: [
      '/api/hel%6co/secret',
      '/api/hello%2fhealth',
      '/api/hello%00/health',
    ],
  },
];

/** Attacks that Node's parser or Express answers by itself, with the status. */
export const UNROUTABLE: (PathAttack & { status: number })[] = [
  {
    id: 'CVE-2022-22978',
    product: 'Spring Security',
    flaw: 'a raw line break or space in the target',
    targets: [
      '/api/hello/health\n/secret',
      '/api/hello/health secret',
      '/a\0b',
    ],
    status: 400,
  },
  {
    id: 'CVE-2025-64500',
    product: 'Symfony',
    flaw: 'a path without its leading slash matched no rule for a prefix',
    targets: ['api/hello/secret', '?/api/hello/secret', '#/api/hello/secret'],
    status: 400,
  },
  {
    id: 'CVE-2021-31920',
    product: 'Istio',
    flaw: 'slashes doubled in front of the mount',
    targets: [
      '//api/hello/secret',
      '/api//hello/secret',
      '/%61pi/hello/secret',
    ],
    status: 404,
  },
  {
    id: 'CVE-2026-22031',
    product: '@fastify/middie',
    flaw: 'an escape in the mount itself, that nobody can decode',
    targets: ['/api/%/secret', '/api/%ff/secret', '/api/hello%c0/health'],
    status: 400,
  },
  {
    id: 'CVE-2025-58362',
    product: 'Hono',
    flaw: 'found the path in an absolute URL by counting slashes',
    targets: [
      'http://any?/api/hello/health',
      'http://any?x=/api/hello/public/x',
    ],
    status: 404,
  },
];
