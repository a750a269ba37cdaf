/** Published bypasses in which a rule for public routes matched more than it names. */
export const ATTACKS: {
  id: string;
  product: string;
  flaw: string;
  targets: string[];
  /** Default `GET`. */
  method?: string;
}[] = [
  {
    id: 'CVE-2025-54576',
    product: 'OAuth2 Proxy',
    flaw: 'a regular expression for public paths was matched with the query as well',
    targets: [
      '/api/hello/secret?/public/x',
      '/api/hello/secret?x=/health',
      '/api/hello/secret?x=/api/hello/health',
      '/api/hello/secret?%0a/api/hello/public/x',
      '/api/hello?/public/x',
    ],
  },
  {
    id: 'CVE-2021-34473',
    product: 'Microsoft Exchange (ProxyShell)',
    flaw: 'what the query named was cut out of the path',
    targets: [
      '/api/hello/public@any/secret?x=/api/hello/public',
      '/api/hello/secret?@any/health&Email=api/hello/health%3f@any',
    ],
  },
  {
    id: 'CVE-2024-27198',
    product: 'JetBrains TeamCity',
    flaw: 'a parameter of the query named the page that was served',
    targets: [
      '/api/hello/none?jsp=/api/hello/health;.jsp',
      '/api/hello/none?path=/public/x',
    ],
  },
  {
    id: 'CVE-2020-8595',
    product: 'Istio',
    flaw: 'a policy for the exact path did not hold with "?" or "#" behind it',
    targets: [
      '/api/hello/secret?',
      '/api/hello/secret#',
      '/api/hello/secret??',
    ],
  },
  {
    id: 'CVE-2023-42793',
    product: 'JetBrains TeamCity',
    flaw: 'a wildcard in front made every path with one ending public',
    targets: ['/api/hello/secret/health', '/api/hello/users/1/tokens/public/x'],
  },
  {
    id: 'CVE-2020-10148',
    product: 'SolarWinds Orion',
    flaw: 'a name anywhere in the path, as that of a static file, skipped the check',
    targets: [
      '/api/hello/secret/logo.svg',
      '/api/hello/secret/public/logo.svg',
      '/api/hello/secret.logo.svg',
    ],
  },
  {
    id: 'CVE-2022-32532',
    product: 'Apache Shiro',
    flaw: 'the dot of a pattern is any character, but a line break',
    targets: [
      '/api/hello/logo-svg',
      '/api/hello/logo/svg',
      '/api/hello/logosvg',
    ],
  },
  {
    id: '-',
    product: 'prefixes of text',
    flaw: 'a prefix ends within a name',
    targets: [
      '/api/hello/healthz',
      '/api/hello/health.json',
      '/api/hello/public',
      '/api/hello/publicsecret',
      '/api/hello/public-secret/x',
      '/api/hello/public.secret/x',
      '/api/hello/logo.svg/secret',
      '/api/hello/logo.svg.secret',
    ],
  },
  {
    id: 'CVE-2026-73563',
    product: 'Backstage auth-backend',
    flaw: 'one wildcard stood for several segments, for none, or for a part of one',
    targets: [
      ...['/api/hello/entity/a/b/badge/c', '/api/hello/entity/badge/c'],
      ...['/api/hello/entity/a/badge', '/api/hello/entity/a/badge/c/d'],
      ...['/api/hello/entity/a/badge-specs', '/api/hello/entity/a/badge/'],
      ...['/api/hello/entity/a/badges/c', '/api/hello/x/entity/a/badge/c'],
      ...['/api/hello/entity//badge/c', '/api/hello/entity/a/badge//'],
      ...['/api/hello/entityx/a/badge/c', '/api/hello/entity/a/Badge/c'],
    ],
  },
  {
    id: '-',
    product: 'Backstage auth-backend',
    flaw: 'a segment that others read as several, or as none, was taken for one',
    targets: [
      ...['/api/hello/entity/../badge/c', '/api/hello/entity/./badge/c'],
      ...['/api/hello/entity/a/badge/..', '/api/hello/entity/a/badge/.'],
      ...[
        '/api/hello/entity/a%2fb/badge/c',
        '/api/hello/entity/%2e%2e/badge/c',
      ],
      ...['/api/hello/entity/..;/badge/c', '/api/hello/entity/a;b/badge/c'],
      ...['/api/hello/entity/%/badge/c', '/api/hello/entity/a%00/badge/c'],
      ...['/api/hello/entity/^^^^/badge/c#', '/api/hello/entity/a/badge/c#x'],
      '/api/hello/entity/a\\b/badge/c',
    ],
  },
  {
    id: '-',
    product: 'rules that end',
    flaw: 'a rule that has ended opens what it opened before',
    targets: ['/api/hello/demo/x', '/api/hello/demo/x?/health'],
  },
  {
    id: '-',
    product: 'rules of one plugin',
    flaw: 'hold for another as well',
    targets: ['/api/hello/api/forwarding/public/x', '/api/hello/hello/health'],
  },
  ...['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'MERGE'].map(
    method => ({
      id: 'CVE-2010-0738',
      product: 'JBoss',
      flaw: 'the rule was about GET and POST, and its lack of a word about others opened them',
      method,
      targets: ['/api/hello/health', '/api/hello/public/x'],
    }),
  ),
  {
    id: 'CVE-2026-33011',
    product: 'NestJS on Fastify',
    flaw: 'a HEAD was not looked at, and ran the handler of GET',
    method: 'HEAD',
    targets: ['/api/hello/secret', '/api/hello/hook', '/api/hello/health/x'],
  },
  {
    id: 'CVE-2010-0738',
    product: 'JBoss',
    flaw: 'a rule for POST opened GET',
    method: 'GET',
    targets: ['/api/hello/hook'],
  },
];
