import { IncomingMessage, ServerResponse } from 'node:http';
import express from 'express';
import { createGateServices } from '../__testUtils__/createGateServices';
import { createPolicy } from '../__testUtils__/createPolicy';
import { createGate } from '../../gate/createGate';
import { tokenAt, VERIFIED } from './tokens';

/** The headers of a request by what it presents; a cookie is the gate's or Backstage's. */
const CREDENTIALS: Record<string, Record<string, string>> = {
  nothing: {},
  service: {
    authorization: `Bearer ${tokenAt('service', 'authorization')}`,
  },
  user: { authorization: `Bearer ${tokenAt('user', 'authorization')}` },
  'service for user': {
    authorization: `Bearer ${tokenAt('service for user', 'authorization')}`,
  },
  cookie: { cookie: `token=${tokenAt('user', 'cookie')}` },
  'user-cookie': {
    cookie: `backstage-auth=${tokenAt('limited user', 'userCookie')}`,
  },
};

const PATHS = {
  protected: '/here/data',
  declared: '/here/static/data',
  trusted: '/here/trusted/data',
  endpoint: '/here/.backstage/auth/v1/cookie',
  rule: '/here/open',
  nature: '/app/bundle.js',
  auth: '/auth/github/start',
  mcp: '/mcp-actions/v1',
};

const OWN_ORIGIN = 'https://backstage.example.com';
const TRUSTED_ORIGIN = 'https://frontend.example.com';

/** Creates a gate, and returns what it does with a request whose handler answers with HTML, or another type. */
function createScene({
  hasAuth,
  hasProxy,
  mode = 'enforce',
  ...replaced
}: {
  hasAuth: boolean;
  hasProxy?: boolean;
  mode?: 'enforce' | 'report-only';
  cookie?: undefined;
}) {
  const installed = ['here', 'app', 'search', 'mcp-actions'];
  const gate = createGateServices({
    installed: [
      ...installed,
      hasAuth ? 'auth' : 'gateway',
      ...(hasProxy ? ['proxy'] : []),
    ],
  });
  gate.tokens = VERIFIED;
  const policy = createPolicy({
    mode,
    allow: [{ plugin: 'here', path: '/open', methods: ['GET', 'WEBSOCKET'] }],
    trustedPaths: [{ plugin: 'here', path: '/trusted/**' }],
    mcpPaths: new Set(['/v1']),
    trustedOrigins: [OWN_ORIGIN, TRUSTED_ORIGIN],
    credentialHeader: 'x-credential',
  });
  let isIssued = false;
  const services = {
    ...gate.services,
    source: { current: policy },
    revocations: { isLoaded: true, isRevoked: () => false } as never,
    cookieIssuer: {
      issueCookie: async () => {
        isIssued = true;
        return undefined;
      },
    },
    ...replaced,
  };
  const app = express();
  app.use(
    '/api/:gatedPluginId',
    createGate(services, { guardServerOf: () => {} }),
  );
  return async (
    target: string,
    credential: string,
    others: object = {},
    method = 'GET',
    type = 'text/html',
    status = 200,
  ) => {
    gate.decided.length = 0;
    isIssued = false;
    const headers = { ...CREDENTIALS[credential], ...others };
    const req = {
      method,
      url: `/api${target}`,
      headers,
      rawHeaders: Object.entries(headers).flat(),
      socket: {},
    } as unknown as IncomingMessage;
    const res = new ServerResponse(req);
    await new Promise<void>(resolve => {
      const handle = (error?: Error) => {
        res.setHeader('Content-Type', type);
        if (status !== 200) {
          res.setHeader('Content-Security-Policy', 'img-src *');
        }
        res.writeHead(error ? 401 : status);
        resolve();
      };
      Reflect.apply(app as never, undefined, [req, res, handle]);
    });
    return {
      isIssued,
      authorization: req.headers.authorization,
      cookie: req.headers.cookie,
      reason: gate.decided[0].decision.reason,
      policy: res.getHeader('Content-Security-Policy'),
      vary: res.getHeader('Vary'),
      cacheControl: res.getHeader('Cache-Control'),
      challenge: String(res.getHeader('WWW-Authenticate')),
    };
  };
}

/** A browser's kinds of requests. Express answers an upgrade that no listener takes. */
const ASKED = {
  page: { accept: 'text/html' },
  frame: { 'sec-fetch-dest': 'frame' },
  image: { accept: 'image/png' },
  'image, or HTML': { 'sec-fetch-dest': 'image', accept: 'text/html' },
  'no document': {
    'sec-fetch-dest': 'xdocument',
    'sec-fetch-site': 'same-origin',
  },
  'no embed': {
    'sec-fetch-dest': 'embedx',
    'sec-fetch-site': 'same-origin',
  },
  upgrade: {
    connection: 'upgrade',
    upgrade: 'websocket',
    origin: OWN_ORIGIN,
  },
};

/** Returns the headers of the answer by A6 and A7. */
function restrictionsOf(path: string, credential: string, asked: string) {
  const isUpgrade = asked === 'upgrade';
  const isCookie = /cookie/.test(credential);
  const isOfUser = isCookie || /user/.test(credential);
  const isOpen = path === 'rule' || (path === 'nature' && !isUpgrade);
  const isDeclared = path === 'declared' && !isUpgrade;
  const isTrusted = path === 'trusted' || isDeclared;
  const isSandboxed = path === 'rule' || (!isOpen && isOfUser && !isTrusted);
  const isUnstored = /^(page|frame)$/.test(asked) && !isDeclared;
  return {
    policy: isSandboxed ? 'sandbox' : undefined,
    vary: isSandboxed && !isOpen ? 'Sec-Fetch-Dest' : undefined,
    cacheControl:
      !isOpen && isCookie ? (isUnstored && 'no-store') || 'private' : undefined,
  };
}

it.each(['protected', 'declared', 'trusted', 'rule', 'nature'] as const)(
  '[P111] an answer is restricted by A6 and A7: %s',
  async path => {
    const send = createScene({ hasAuth: true });
    for (const credential of Object.keys(CREDENTIALS)) {
      for (const [asked, headers] of Object.entries(ASKED)) {
        // Elsewhere, the cookie of Backstage authenticates nothing.
        const isUsed =
          credential !== 'user-cookie' ||
          (path === 'declared' && asked !== 'upgrade');
        const found = await send(PATHS[path], credential, headers);
        expect({ credential, asked, ...found }).toMatchObject(
          restrictionsOf(path, isUsed ? credential : 'nothing', asked),
        );
      }
    }
  },
);

it.each([
  ['application/json; charset=utf-8', false],
  ['application/zip', false],
  ['application/problem+json', false],
  ['application/x-bzip', false],
  ['application/vnd.ms-excel', false],
  ['application/vnd.oasis.opendocument.text', false],
  ['application/vnd.openxmlformats-officedocument.any', false],
  ['Text/Plain', false],
  [' text/csv ;header=present', false],
  ['image/png', false],
  ['image/svg', true],
  ['image/x.svg+xml', true],
  ['text/xml', true],
  ['text/plain, text/html', true],
  ['text/html, text/plain', true],
  ['ximage/png', true],
  ['xtext/plain', true],
  ['text/plainx', true],
  ['xapplication/zip', true],
  ['application/zipx', true],
  ['xapplication/a+json', true],
  ['application/a+jsonx', true],
  ['xapplication/x-tar', true],
  ['application/x-tarx', true],
  ['', true],
])(
  '[P111] by A6, an answer of the type %j is sandboxed: %s',
  async (type, isExpected) => {
    const send = createScene({ hasAuth: true });
    const { policy } = await send(PATHS.protected, 'cookie', {}, 'GET', type);
    expect(policy).toBe(isExpected ? 'sandbox' : undefined);
  },
);

it.each([
  [404, ['img-src *', 'sandbox']],
  [204, 'img-src *'],
  [304, undefined],
])(
  '[P111] by A6, an answer of the status %i has these policies: %j',
  async (status, expected) => {
    const scene = createScene({ hasAuth: true });
    for (const path of [PATHS.protected, PATHS.rule]) {
      const answer = scene(path, 'cookie', {}, 'GET', 'text/html', status);
      expect((await answer).policy).toEqual(expected);
    }
  },
);

it('[P111] a cookie is issued by A4', async () => {
  const send = createScene({ hasAuth: true });
  for (const site of ['', 'same-origin', 'same-site', 'cross-site', 'none']) {
    for (const origin of ['', OWN_ORIGIN, TRUSTED_ORIGIN, 'null']) {
      const headers = {
        ...(site && { 'sec-fetch-site': site }),
        ...(origin && { origin }),
      };
      const isOwn = site
        ? /^(same-origin|none)$/.test(site)
        : [OWN_ORIGIN, ''].includes(origin);
      const isCrossSite =
        site !== 'same-origin' &&
        (origin ? origin === 'null' : !/^(none)?$/.test(site));
      for (const path of ['protected', 'endpoint'] as const) {
        const { isIssued } = await send(PATHS[path], 'user', headers);
        const isExpected = !isCrossSite && (isOwn || path === 'endpoint');
        expect({ path, headers, isIssued }).toEqual({
          path,
          headers,
          isIssued: isExpected,
        });
      }
    }
  }
});

it.each([
  ['auth', true, false],
  ['auth', false, true],
  ['nature', true, false],
  ['nature', false, false],
  ['protected', false, false],
] as const)(
  '[P111] the cookie of the gate goes on to a gate behind the gateway: %s, with auth here: %s',
  async (path, hasAuth, goesOn) => {
    const send = createScene({ hasAuth });
    const { cookie } = await send(PATHS[path], 'cookie');
    expect(cookie !== undefined).toBe(goesOn);
  },
);

it.each([
  ['Basic YTpi', 'here', true, true],
  ['Basic YTpi', 'elsewhere', true, true],
  ['Basic YTpi', 'proxy', false, true],
  ['Basic YTpi', 'proxy', true, false],
  [undefined, 'proxy', true, true],
])(
  '[P111] beside the Authorization %s, %s gets what authenticates: %s, with the proxy here: %s',
  async (authorization, plugin, isHandedOn, hasProxy) => {
    const send = createScene({ hasAuth: true, hasProxy });
    const cookies = [CREDENTIALS.cookie, CREDENTIALS['user-cookie']];
    const found = await send(`/${plugin}/data`, 'nothing', {
      ...(authorization && { authorization }),
      cookie: cookies.map(each => each.cookie).join('; '),
    });
    const token = tokenAt('user', 'cookie');
    expect(found).toMatchObject({
      authorization: isHandedOn ? `Bearer ${token}` : 'Basic YTpi',
      cookie: isHandedOn ? CREDENTIALS['user-cookie'].cookie : undefined,
    });
  },
);

it.each([
  ['/here/data', 'GET', 'enforce', 'missing-credentials'],
  ['/here/data', 'GET', 'report-only', 'missing-credentials'],
  ['/here/open', 'GET', 'enforce', 'allow-rule'],
  ['/here/.backstage/auth/v1/cookie', 'DELETE', 'enforce', 'sign-out'],
] as const)(
  '[P111] where the configuration disables the cookie, it is none: %s, %s, %s',
  async (target, method, mode, expected) => {
    const send = createScene({ hasAuth: true, mode, cookie: undefined });
    const origin = 'https://evil.example.com';
    const found = await send(target, 'cookie', { origin }, method);
    expect(found).toMatchObject({ reason: expected, ...CREDENTIALS.cookie });
    const { reason } = await send(PATHS.declared, 'user-cookie');
    expect(reason).toBe('user-cookie');
  },
);

it('[P111] a 401 names the address of an MCP resource by A11', async () => {
  const send = createScene({ hasAuth: true });
  const { challenge } = await send(PATHS.mcp, 'nothing');
  expect(challenge).toContain('/.well-known/oauth-protected-resource');
  const other = await send(PATHS.protected, 'nothing');
  expect(other.challenge).toBe('Bearer realm="Backstage"');
});
