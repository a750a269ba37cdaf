import { PassThrough } from 'node:stream';
import express from 'express';
import { createGateServices } from '../__testUtils__/createGateServices';
import { createPolicy } from '../__testUtils__/createPolicy';
import { isNamedBy, isPublicWithoutRule } from '../__testUtils__/publicModel';
import {
  ExpressRequest,
  GateRequest,
  UpgradeRequest,
} from '../../gate/read/GateRequest';
import { readTokens } from '../../gate/read/readTokens';
import { readUpgradeTarget } from '../../gate/read/mountedRequest';
import { mountAt } from '../../backstage/mountGate';

/** `npm test` has every so many of the cookies, `.ci/run` has all. */
const STEP = process.env.PROPERTIES === 'long' ? 1 : 7;

const OWN_ORIGIN = 'https://backstage.example.com';
/** All ends are seen at this instant, from which on what ends at it has ended. */
const NOW = Date.now();
const LATER = NOW + 3_600_000;

/** The rules, by their reasons. Where several name a request, the first one here opens it. */
const RULES: Record<
  string,
  {
    plugin?: string;
    path: string;
    methods?: string[];
    until?: number;
  }
> = {
  root: { path: '/' },
  exact: { path: '/a' },
  'exact once more': { path: '/a' },
  'exact with a literal': { path: '/a/b/c' },
  'any segment': { path: '/a/*/c' },
  subtree: { path: '/a/**' },
  'any segment before another literal': { path: '/*/b/d' },
  'subtree below any segment': { path: '/*/s/**' },
  socket: { path: '/b/**', methods: ['WEBSOCKET'] },
  change: { path: '/b', methods: ['POST', 'HEAD'] },
  ended: { path: '/ended', until: NOW },
  'ended at the same path': { path: '/ended/later', until: NOW },
  'ends later': { path: '/ended/later', until: LATER },
  'ended there, too': { path: '/ended/later', until: NOW - 1 },
  whole: { plugin: 'absent', path: '/**', methods: ['PUT'] },
};

const allow = Object.entries(RULES).map(([reason, rule]) => ({
  plugin: 'here',
  methods: ['GET'],
  reason,
  ...rule,
}));
/** Rules as the model reads them, which has no milliseconds. */
const written = allow.map(({ until = Infinity, ...rule }) => ({
  ...rule,
  ...(until < Infinity && { until: new Date(until).toISOString() }),
}));

const IN_FORCE = Object.keys(RULES).filter(
  reason => !/^ended|more$/.test(reason),
);

const PLUGINS = ['here', 'auth', 'app', 'absent', 'x.y'];
const INSTALLED = ['here', 'auth', 'app'];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'];
const COOKIE_ENDPOINT = '/.backstage/auth/v1/cookie';
const KEYS = '/.backstage/auth/v1/jwks.json';
const PATHS = [
  ...['', '/', '/a', '/a/', '/A', '/a/b', '/a/b/c', '/a/x/c', '/x/b/c'],
  ...['/x/b/d', '/a/b/d', '/a//c', '/x/s', '/x/s/y', '/b', '/b/c', '/c'],
  ...['/a/b/c/d', '/*/b/d', '/a/./c', '/a/../a', '/a;b', '/a%2fb', '/a?b'],
  ...['/ended', '/ended/later', KEYS, `${KEYS}/x`, KEYS.toUpperCase()],
  ...[COOKIE_ENDPOINT, COOKIE_ENDPOINT.toUpperCase(), `${COOKIE_ENDPOINT}/x`],
  ...['/github/logout', '/GitHub/LOGOUT', '/other/logout', '/github/logout/x'],
  ...['/github/start', '/api-gate', '/API-gate/v1/policy', '/api-gates'],
];
const TARGETS = [
  ...PLUGINS.flatMap(plugin => PATHS.map(below => `/api/${plugin}${below}`)),
  // An escaped id is that of no plugin.
  ...['/api/%68ere', '/api/%68ere/a', '/api/her%65/b'],
];
/** The root's copy of the cookie endpoint, which is mounted in Express alone. */
const ROOT_TARGETS = ['', '/', '?a', '/x'].flatMap(rest => [
  COOKIE_ENDPOINT + rest,
  COOKIE_ENDPOINT.toUpperCase() + rest,
]);
const UPGRADES: Record<string, Record<string, string>> = {
  none: {},
  'to a WebSocket': { upgrade: 'WebSocket', connection: 'x, Upgrade' },
  'not to Node': { upgrade: 'websocket', connection: 'keep-alive' },
  "without Node's option": { upgrade: 'websocket' },
  'to another protocol': { upgrade: 'h2c', connection: 'upgrade' },
  'without a protocol': { connection: 'upgrade' },
};

interface SentRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
}

const onlyOf = (path: string) => [{ plugin: 'here', path, methods: ['GET'] }];

/** Creates the gate's reading of requests at both doors. */
function createReaders(installed = INSTALLED) {
  const { services } = createGateServices({ installed });
  const policy = createPolicy({
    // It enforces from this instant on.
    mode: 'report-only',
    until: new Date(NOW),
    allow,
    trustedPaths: [
      { plugin: 'here', path: '/trusted/**' },
      { plugin: 'auth', path: '/**' },
    ],
    tokens: [
      { subject: 'narrow', only: allow },
      { subject: 'ended', only: 'all', until: NOW },
      { subject: 'renewed', only: 'all', until: NOW },
      { subject: 'renewed', only: 'all', until: LATER },
      { subject: 'both', only: onlyOf('/a'), until: LATER },
      { subject: 'both', only: onlyOf('/b'), until: NOW },
      { subject: 'both', only: onlyOf('/a/**') },
      { subject: 'ci*', only: onlyOf('/b'), until: NOW },
      { subject: 'ci-a*', only: 'all', until: LATER },
      { subject: 'ci-a-b*', only: allow },
      { subject: 'ci-n*', only: [] },
      { subject: 'ci-n1', only: onlyOf('/a') },
      { subject: 'none*', only: [] },
    ],
    signOut: { scope: 'session', providers: new Set(['github']) },
  } as never);
  const reading = { ...services, source: { current: policy } };
  const app = express().disable('x-powered-by');
  let request: GateRequest | undefined;
  mountAt(app, (req, res) => {
    request = new ExpressRequest(req, res, reading);
  });
  return {
    atExpress(req: SentRequest): GateRequest {
      const rawHeaders = Object.entries(req.headers).flat();
      Reflect.apply(app as never, undefined, [
        { ...req, rawHeaders },
        {},
        () => {},
      ]);
      return request!;
    },
    atServer: (req: SentRequest): GateRequest =>
      new UpgradeRequest(
        req as never,
        new PassThrough(),
        readUpgradeTarget(req.url)!,
        reading,
      ),
  };
}

beforeEach(() => {
  jest.spyOn(Date, 'now').mockReturnValue(NOW);
});
afterEach(() => jest.restoreAllMocks());

/** Returns the route by V1 to V9. */
function routeOf(
  door: string,
  { method, url }: Omit<SentRequest, 'headers'>,
  upgrade: string,
): string {
  const ruleFor = (as: string) =>
    written.find(rule => isNamedBy(rule, as, url))?.reason ?? 'protected';
  const isGet = method === 'GET';
  const isForNode = upgrade === 'to a WebSocket';
  const isWebSocket = isForNode || /^(not to|without) Node/.test(upgrade);
  if (door === 'atServer' || (isGet && isWebSocket)) {
    const isUpgrade = isGet && (isForNode || door === 'atServer');
    return isUpgrade && isWebSocket ? ruleFor('WEBSOCKET') : 'protected';
  }
  const isOfRoot = url.startsWith('/.');
  const isPublic = isPublicWithoutRule(
    method,
    isOfRoot ? `/api/app${url}` : url,
  );
  const isSignOut =
    (method === 'POST' && /^\/api\/auth\/github\/logout$/i.test(url)) ||
    (method === 'DELETE' && isPublic && /cookie(\?a)?$/i.test(url));
  if (isSignOut || isOfRoot) {
    return isSignOut ? 'sign-out' : 'protected';
  }
  // No plugin has an id with a dot.
  return isPublic && !url.startsWith('/api/x.y/')
    ? 'built-in-public'
    : ruleFor(method);
}

it.each([
  [
    'atExpress',
    [...TARGETS, ...ROOT_TARGETS],
    [...IN_FORCE, 'built-in-public', 'protected', 'sign-out'],
  ],
  ['atServer', TARGETS, ['socket', 'protected']],
] as const)('[P111] a request has its route, %s', (door, targets, classes) => {
  const readers = createReaders();
  const wrong: unknown[] = [];
  const seen = new Set<string>();
  for (const [upgrade, headers] of Object.entries(UPGRADES)) {
    for (const method of METHODS) {
      for (const url of targets) {
        const request = readers[door]({ method, url, headers });
        const { isEnforced, isUpgrade, route } = request;
        const found = typeof route === 'object' ? route.reason! : route;
        const expected = routeOf(door, { method, url }, upgrade);
        seen.add(found);
        const isWebSocket = method === 'GET' && /^webs/i.test(headers.upgrade);
        if (
          !isEnforced ||
          found !== expected ||
          isUpgrade !== (door === 'atServer' || isWebSocket)
        ) {
          wrong.push({ upgrade, method, url, isUpgrade, found, expected });
        }
      }
    }
  }
  expect(wrong.slice(0, 10)).toEqual([]);
  expect([...seen].sort()).toEqual([...classes].sort());
});

it('[P111] a logout is a sign-out where auth is installed, by V5', () => {
  const { atExpress } = createReaders(['here', 'app']);
  const url = '/api/auth/github/logout';
  const { route } = atExpress({ method: 'POST', url, headers: {} });
  expect(route).toBe('built-in-public');
});

it('[P111] the limits of an external token refuse by T11, T12 and R12', () => {
  const wrong: unknown[] = [];
  const { atExpress } = createReaders();
  for (const method of METHODS) {
    for (const url of TARGETS) {
      const request = atExpress({ method, url, headers: {} });
      const { tokenLimits } = request.policy;
      const isNamed = allow.some(({ until, ...rule }) =>
        isNamedBy(rule, method, url),
      );
      const isIn = (path: string) => isNamedBy(onlyOf(path)[0], method, url);
      const restricted = ['restricted', -Infinity];
      const ended = ['token-ended', -Infinity];
      const expected = {
        narrow: isNamed ? [undefined, Infinity] : restricted,
        ended,
        renewed: [undefined, LATER],
        free: restricted,
        endex: restricted,
        both:
          (isIn('/a') && [undefined, LATER]) ||
          (isIn('/a/**') ? [undefined, Infinity] : restricted),
        ci: ended,
        'ci-': ended,
        cx: restricted,
        'ci-a': [undefined, LATER],
        'ci-a-b': [undefined, isNamed ? Infinity : LATER],
        'ci-n': ended,
        'ci-n1': isIn('/a') ? [undefined, Infinity] : restricted,
        none: restricted,
        'none-at-all': restricted,
      };
      for (const [subject, [refusal, end]] of Object.entries(expected)) {
        const found = tokenLimits.findRefusal(subject, request, request.now);
        const foundEnd = tokenLimits.endFor(subject, request, request.now);
        if (found !== refusal || foundEnd !== end) {
          wrong.push({ method, url, subject, found, foundEnd });
        }
      }
    }
  }
  expect(wrong.slice(0, 10)).toEqual([]);
});

/** Where a cookie is used: whether the plugin has declared the path for GET and HEAD, and whether the operator trusts it. */
const COOKIE_PATHS: Record<string, { declared?: true; trusted?: true }> = {
  '/here/data': {},
  // It has no path, by V1.
  '/here/': {},
  '/here/static/data': { declared: true },
  '/here/static/%41%20b': { declared: true },
  '/here/static/a;b': { declared: true },
  '/here/static/...': { declared: true },
  '/here/static/..': {},
  '/here/static/.': {},
  '/here/static//data': {},
  '/here/static/%2e%2e/data': {},
  '/here/static/..;/data': {},
  '/here/static/;/data': {},
  '/here/static/a%5c..%5cb': {},
  '/here/static/%': {},
  '/here/trusted/data': { trusted: true },
  '/here/trusted/data?x': { trusted: true },
  '/here/trusted/%41': {},
  '/here/trusted/../data': {},
  '/auth/api-gate/x': { trusted: true },
  [`/auth${COOKIE_ENDPOINT}`]: {},
};
const SITES = ['', 'same-origin', 'same-site', 'cross-site', 'none'];
const ORIGINS = ['', OWN_ORIGIN, 'https://evil.example.com', 'null'];
const CODE = [
  ...['script', 'style', 'xslt', 'worker', 'sharedworker', 'serviceworker'],
  ...['audioworklet', 'paintworklet'],
];
const OTHERS = ['', 'document', 'frame', 'font', 'xstyle', 'images', 'workers'];
/** The destinations that a page of another origin may load without CORS. */
const OPAQUE = ['script', 'style', 'document', 'frame'];
const USES = [
  { 'service-worker': 'script' },
  { upgrade: 'websocket' },
  ...[...CODE, ...OTHERS].map(use => ({ 'sec-fetch-dest': use })),
];

/** Returns the kind of the token that authenticates a request with a cookie, or the reason of the refusal. */
function kindOf(
  path: string,
  method: string,
  headers: Record<string, string>,
): string {
  const { declared, trusted } = COOKIE_PATHS[path];
  const { cookie, origin, 'sec-fetch-site': site } = headers;
  const isRead = ['GET', 'HEAD'].includes(method);
  const isWebSocket = headers.upgrade !== undefined;
  const isDeclared = isRead && declared && !(isWebSocket && method === 'GET');
  const isSafe = isRead || method === 'OPTIONS';
  const use = headers['sec-fetch-dest'];
  const isOfOther = origin
    ? origin !== OWN_ORIGIN
    : isWebSocket ||
      (!isSafe && ![undefined, 'none'].includes(site)) ||
      (use !== undefined && !OPAQUE.includes(use));
  const isCode = CODE.includes(use) || 'service-worker' in headers;
  const kind = cookie.startsWith('token=') ? 'cookie' : 'user-cookie';
  return (
    (kind === 'user-cookie' && !isDeclared && 'missing-credentials') ||
    (isOfOther && (isWebSocket || site !== 'same-origin') && 'cross-site') ||
    (isCode && !isDeclared && !trusted && 'unsafe-destination') ||
    kind
  );
}

/** Yields each combination of the headers by which a browser says whence and for what it sends a cookie. */
function* browserHeaders(): Generator<Record<string, string>> {
  for (const cookie of ['token=a', 'backstage-auth=a']) {
    for (const site of SITES) {
      for (const origin of ORIGINS) {
        for (const use of USES) {
          const headers = { cookie, origin, 'sec-fetch-site': site, ...use };
          const present = Object.entries(headers).filter(([, value]) => value);
          yield Object.fromEntries(present);
        }
      }
    }
  }
}

it('[P111] a cookie authenticates by J8 and J9', () => {
  const { atExpress } = createReaders();
  const wrong: unknown[] = [];
  let count = 0;
  for (const headers of browserHeaders()) {
    for (const method of METHODS.filter(each => each !== 'DELETE')) {
      for (const below of Object.keys(COOKIE_PATHS)) {
        count += 1;
        if (count % STEP === 0) {
          const request = atExpress({ method, url: `/api${below}`, headers });
          const [{ kind, refused }] = readTokens(request);
          const found = refused?.reason ?? kind;
          const expected = kindOf(below, method, headers);
          if (found !== expected) {
            wrong.push({ below, method, headers, found, expected });
          }
        }
      }
    }
  }
  expect(wrong.slice(0, 10)).toEqual([]);
  expect(count).toBeGreaterThan(40_000);
});
