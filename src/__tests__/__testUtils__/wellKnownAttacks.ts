/** A request without a valid credential at a path that Backstage's own router serves to anybody, or beside one. */
export interface WellKnownAttack {
  flaw: string;
  method: string;
  /** Below a plugin. */
  path: string;
  headers?: string[];
  body?: string;
  /** The answer, which no handler gives. The keys of a plugin that is not installed are 404. */
  answer: 'keys' | 'signed out' | 'refused';
}

const COOKIE = '/.backstage/auth/v1/cookie';
const KEYS = '/.backstage/auth/v1/jwks.json';
const OVERRIDES = [
  'X-HTTP-Method-Override',
  'X-HTTP-Method',
  'X-Method-Override',
];

/** Requests that must reach no handler, whoever serves the plugin. */
export const ATTACKS: WellKnownAttack[] = [
  ...['', '?x=1', '?_method=POST'].map(rest => ({
    flaw: 'a handler of any plugin took the call for one of its own',
    method: 'DELETE',
    path: `${COOKIE}${rest}`,
    answer: 'signed out' as const,
  })),
  {
    flaw: 'a handler compared the path without case',
    method: 'DELETE',
    path: '/.Backstage/AUTH/v1/Cookie',
    answer: 'signed out',
  },
  {
    flaw: 'a handler read the body of a call that has none',
    method: 'DELETE',
    path: COOKIE,
    headers: ['Content-Type: application/json'],
    body: '{"delete":"everything"}',
    answer: 'signed out',
  },
  ...[
    'Cookie: token=x',
    'Cookie: backstage-auth=x',
    'Authorization: Bearer x',
    'Authorization: Basic YTpi',
    ...OVERRIDES.map(name => `${name}: POST`),
  ].map(line => ({
    flaw: 'a header that anybody can send made another request of it',
    method: 'DELETE',
    path: COOKIE,
    headers: [line],
    answer: 'signed out' as const,
  })),
  ...OVERRIDES.map(name => ({
    flaw: 'a header replaced the method',
    method: 'POST',
    path: COOKIE,
    headers: [`${name}: DELETE`],
    answer: 'refused' as const,
  })),
  ...[
    `${COOKIE}/`,
    `${COOKIE}/x`,
    `/x/..${COOKIE}`,
    `/${COOKIE}`,
    `${COOKIE};x`,
    `${COOKIE}%2f`,
    `${COOKIE}#`,
    '/.backstage/auth/v1/%63ookie',
  ].map(path => ({
    flaw: 'the path was another one to the handler',
    method: 'DELETE',
    path,
    answer: 'refused' as const,
  })),
  ...['GET', 'POST', 'PUT', 'PATCH', 'OPTIONS'].map(method => ({
    flaw: 'the path was public for all methods',
    method,
    path: `${COOKIE}?_method=DELETE`,
    answer: 'refused' as const,
  })),
  ...['GET', 'HEAD'].flatMap(method =>
    ['', '?x=1', '?_method=DELETE'].map(query => ({
      flaw: 'a handler of any plugin took the call for one of its own',
      method,
      path: `${KEYS}${query}`,
      answer: 'keys' as const,
    })),
  ),
  {
    flaw: 'a handler read the body of a call that has none',
    method: 'GET',
    path: KEYS,
    headers: ['Content-Type: application/json'],
    body: '{"delete":"everything"}',
    answer: 'keys',
  },
  ...[
    'Authorization: Bearer x',
    'Cookie: token=x',
    ...OVERRIDES.map(name => `${name}: DELETE`),
  ].map(line => ({
    flaw: 'a header that anybody can send made another request of it',
    method: 'GET',
    path: KEYS,
    headers: [line],
    answer: 'keys' as const,
  })),
  ...[
    `${KEYS}/`,
    `${KEYS}/x`,
    `/x/..${KEYS}`,
    `/${KEYS}`,
    `${KEYS};x`,
    `${KEYS}#`,
    '/.backstage/auth/v1/JWKS.json',
    '/.backstage/auth/v1/%6awks.json',
  ].map(path => ({
    flaw: 'the path was another one to the handler',
    method: 'GET',
    path,
    answer: 'refused' as const,
  })),
  ...['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].map(method => ({
    flaw: 'the path was public for all methods',
    method,
    path: `${KEYS}?_method=GET`,
    answer: 'refused' as const,
  })),
  {
    flaw: 'an upgrade was judged as the GET that it is',
    method: 'GET',
    path: KEYS,
    headers: ['Upgrade: websocket'],
    answer: 'refused',
  },
];

/** Names an attack in the title of a test. */
export function nameOf({ flaw, method, path, headers, body }: WellKnownAttack) {
  return [method, path, ...(headers ?? []), body, `(${flaw})`]
    .filter(Boolean)
    .join(' ');
}
