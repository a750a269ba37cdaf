import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { DefaultHttpAuthService } from '@backstage/backend-defaults/httpAuth';
import {
  AuthenticationError,
  ServiceUnavailableError,
} from '@backstage/errors';
import type { Request, Response } from 'express';
import fc from 'fast-check';
import { checkProperty } from '../__testUtils__/checkProperty';
import {
  createGateServices,
  ISSUER,
} from '../__testUtils__/createGateServices';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import { DefaultCookieIssuer } from '../../gate/cookie/DefaultCookieIssuer';
import type { TokenEntry } from '../../gate/rules/GateSettings';
import { tokenOf } from '../../gate/read/token';
import { CachingHttpAuth } from '../../gate/verify/CachingHttpAuth';
import { TokenCache } from '../../gate/verify/TokenCache';
import { Refusal } from '../../gate/Refusal';
import { Passed, settle } from '../../gate/decide';
import { decideAtOnce } from '../../gate/createGate';
import { ExpressRequest } from '../../gate/read/GateRequest';

jest.setTimeout(120_000);

const NOW = Math.floor(Date.now() / 1000);
const claims = { sub: 'user:default/a', iat: NOW, exp: NOW + 3600 };
const user = (more: object = {}) =>
  unsignedToken('vnd.backstage.user', { iss: ISSUER, ...claims, ...more });
const limited = unsignedToken('vnd.backstage.limited-user', claims);
const principal = { type: 'user', userEntityRef: 'user:default/a' };
const other = { type: 'user', userEntityRef: 'user:default/b' };
const actor = { type: 'service', subject: 'plugin:search' };

/** Tokens of every kind, with the principal that `auth` finds for them; `undefined` for one that does not verify. */
const TOKENS: Record<string, object | undefined> = {
  [user()]: principal,
  [user({ exp: NOW + 20 })]: principal,
  [user({ exp: NOW - 20 })]: principal,
  [user({ iss: 'https://other.example.com' })]: principal,
  [user({ sub: 'user:default/b' })]: other,
  [user({ sub: 'user:default/c' })]: other,
  [`${user()}%`]: principal,
  [limited]: principal,
  [unsignedToken('vnd.backstage.plugin', { sub: 'search', obo: limited })]: {
    ...principal,
    actor,
  },
  [unsignedToken('vnd.backstage.plugin', { sub: 'search' })]: actor,
  static: { type: 'service', subject: 'external:ci' },
  [user({ sub: 'user:default/forged' })]: undefined,
  nonsense: undefined,
};

const HEADER = 'x-backstage-token';
const PLUGINS = ['hello', 'auth', 'mcp-actions', 'proxy'];

const token = fc.constantFrom(...Object.keys(TOKENS));

const mostlyTrue = fc.integer({ min: 0, max: 9 }).map(n => n > 0);
const bearer = token.map(text => `Bearer ${text}`);
const odd = fc.constantFrom('', 'Basic dTpw', 'Bearer ', 'bearer static');

const request = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'OPTIONS', 'DELETE'),
  target: fc.constantFrom(
    '/api/hello/x',
    '/api/hello/y',
    '/api/hello/z',
    '/api/hello/static/x',
    '/api/hello/open',
    '/api/hello//x',
    '/api/hello/.backstage/auth/v1/cookie',
    '/api/HELLO/x',
    '/api/absent/x',
    '/api/mcp-actions/v1',
    '/api/hello/foreign/x',
    '/api/hello/FOREIGN/x',
    '/api/proxy/x',
    '/api/proxy/foreign/x',
  ),
  authorization: fc.oneof(
    { weight: 4, arbitrary: bearer.map(line => [line]) },
    { weight: 1, arbitrary: fc.array(fc.oneof(bearer, odd), { maxLength: 2 }) },
  ),
  credentialHeader: fc.option(fc.oneof(token, bearer, odd), {
    nil: undefined,
    freq: 3,
  }),
  isIssuedInFront: mostlyTrue.map(isTrue => !isTrue),
  cookies: fc.array(
    fc.tuple(fc.constantFrom('token', 'token.0', 'backstage-auth'), token),
    { maxLength: 2 },
  ),
  headers: fc.record(
    {
      'sec-fetch-site': fc.constantFrom('same-origin', 'none', 'cross-site'),
      'sec-fetch-dest': fc.constantFrom('empty', 'script', 'document'),
      origin: fc.constantFrom('https://backstage.example.com', 'https://evil'),
      'user-agent': fc.constantFrom('Mozilla/5.0', 'curl'),
    },
    { requiredKeys: [] },
  ),
});

const limitedTo = (path: string) => ({
  plugin: 'hello',
  path,
  methods: ['GET', 'POST'],
});

const world = fc.record({
  remembered: fc.subarray(Object.keys(TOKENS), { minLength: 8 }),
  isUp: mostlyTrue,
  areKeysUp: mostlyTrue,
  isLoaded: mostlyTrue,
  isCallerKnown: mostlyTrue,
  mode: fc.constantFrom('enforce' as const, 'report-only' as const),
  revoked: fc.constantFrom(undefined, 'user:default/a', 'user:default/b'),
  hasIssuer: fc.boolean(),
  hasHeader: fc.boolean(),
  hasForeignPaths: fc.boolean(),
  limits: fc.constantFrom<TokenEntry[][]>(
    [],
    [{ subject: 'external:ci', until: NOW * 1000 + 1_000_000 }],
    [{ subject: 'external:ci', only: [limitedTo('/x'), limitedTo('/open')] }],
  ),
  /** The milliseconds that pass between what is remembered and the request. */
  passed: fc.constantFrom(0, 100, 500, 1_500, 29_000, 31_000, 4_000_000),
});

type World = typeof world extends fc.Arbitrary<infer T> ? T : never;
type Sent = typeof request extends fc.Arbitrary<infer T> ? T : never;

async function createWorld({ remembered, ...options }: World) {
  const tokens = new TokenCache({ ttlMs: 30_000 });
  const gate = createGateServices({
    installed: PLUGINS,
    replaced: { tokens },
  });
  const { services } = gate;
  gate.policy = {
    allow: [{ plugin: 'hello', path: '/open', methods: ['GET'] }],
    mcpPaths: new Set(['/v1']),
    ...(options.hasHeader && { credentialHeader: HEADER }),
    ...(options.hasForeignPaths && {
      foreignAuthorization: ['hello', 'proxy'].map(plugin => ({
        plugin,
        path: '/foreign/**',
      })),
    }),
    mode: options.mode,
    tokens: options.limits,
  };
  const auth = {
    authenticate: async (text: string) => {
      const found = TOKENS[text];
      if (!found) {
        throw new AuthenticationError('Unknown');
      }
      return { principal: found };
    },
    isPrincipal: (credentials: any, type: string) =>
      credentials.principal.type === type,
    getLimitedUserToken: async () => ({ token: '', expiresAt: new Date() }),
  };
  const isUp = (id: string) =>
    id === 'auth' ? options.areKeysUp : options.isUp;
  for (const id of PLUGINS) {
    gate.plugins.register({
      ...gate.plugins.installed(id),
      id,
      isUp: () => isUp(id),
      started: async () => {
        if (!isUp(id)) {
          throw new ServiceUnavailableError('Not up');
        }
      },
      httpAuth: new CachingHttpAuth(
        DefaultHttpAuthService.create({
          auth: tokens.wrap(auth as never, id),
          discovery: {} as never,
          pluginId: id,
          getTokenFromRequest: req => ({ token: tokenOf(req) }),
        }),
        tokens,
        id,
      ),
    } as never);
    for (const text of remembered) {
      await tokens
        .wrap(auth as never, id)
        .authenticate(text)
        .catch(() => {});
    }
  }
  services.observer.externalTokenUsed = (subject, { method, path }) =>
    gate.told.push([subject, method, path]);
  Object.assign(services.keyEndpoints, {
    isCallerKnown: () => options.isCallerKnown,
    assertCallerKnown: async () => {
      if (!options.isCallerKnown) {
        throw Refusal.because('keys-unavailable');
      }
    },
  });
  const issuer = new DefaultCookieIssuer({
    cookie: services.cookie!,
    logger: services.logger,
    observer: services.observer,
    verifies: async () => true,
    isRevoked: () => false,
  });
  services.cookieIssuer = options.hasIssuer ? issuer : undefined;
  await services.ownIssuer.trusts(
    { iss: '', typ: 'vnd.backstage.user' },
    services.source.current,
  );
  if (options.isLoaded) {
    await gate.loadRevocations();
  }
  if (options.revoked) {
    gate.revocations.add([
      { ...claims, scope: 'user', sub: options.revoked, iat: NOW + 10 },
    ]);
  }
  gate.revocations.stop();
  return gate;
}

function requestOf(
  {
    authorization,
    cookies,
    credentialHeader,
    headers,
    isIssuedInFront,
    method,
    target,
  }: Sent,
  services: Parameters<typeof settle>[0]['services'],
): ExpressRequest {
  const [, baseUrl, id, url] = target.match(/^(\/api\/([^/]+))(.*)$/)!;
  const req = new IncomingMessage(new Socket());
  const cookie = cookies.map(([name, text]) => `${name}=${text}`).join('; ');
  Object.assign(req, {
    method,
    url,
    originalUrl: target,
    baseUrl,
    path: url,
    params: { gatedPluginId: id },
    headers: {
      ...headers,
      ...(isIssuedInFront && { 'x-api-gate-cookie-issued-in-front': '1' }),
      ...(authorization.length > 0 && { authorization: authorization[0] }),
      ...(cookie && { cookie }),
      ...(credentialHeader !== undefined && { [HEADER]: credentialHeader }),
    },
    rawHeaders: authorization.flatMap(each => ['Authorization', each]),
  });
  return new ExpressRequest(
    req as unknown as Request,
    new ServerResponse(req) as unknown as Response,
    services,
  );
}

/** What a decision comes to, for the handler and for the answer. */
function outcomeOf(
  decided: Passed | Refusal,
  {
    answer,
    credential,
    forwarded,
    isAnonymous,
    resourceMetadata,
  }: ExpressRequest,
) {
  return {
    ...(decided instanceof Refusal
      ? { reason: decided.reason, detail: decided.detail, of: decided.subject }
      : { ...decided, verified: decided.verified?.credentials.principal }),
    token: decided instanceof Refusal ? '' : decided.verified?.token.text,
    answer,
    credential,
    forwarded,
    isAnonymous,
    resourceMetadata,
  };
}

it('[P12] the shortcut decides as the long way does, wherever it decides', async () => {
  const at = Date.now();
  const monotonic = performance.now();
  const decided = { passed: 0, refused: 0, not: 0 };
  try {
    await checkProperty(
      fc.asyncProperty(world, request, async (options, sent) => {
        jest.spyOn(Date, 'now').mockReturnValue(at);
        jest.spyOn(performance, 'now').mockReturnValue(monotonic);
        const gate = await createWorld(options);
        jest.spyOn(Date, 'now').mockReturnValue(at + options.passed);
        jest
          .spyOn(performance, 'now')
          .mockReturnValue(monotonic + options.passed);

        const first = requestOf(sent, gate.services);
        const atOnce = decideAtOnce(first);
        const told = gate.told.splice(0);
        if (atOnce === undefined) {
          decided.not += 1;
          expect(told).toEqual([]);
          return;
        }
        decided[atOnce instanceof Refusal ? 'refused' : 'passed'] += 1;
        const second = requestOf(sent, gate.services);
        const settled = await settle(second);
        expect(outcomeOf(atOnce, first)).toEqual(outcomeOf(settled, second));
        expect(told.sort()).toEqual(gate.told.sort());
      }),
      { runs: 800, seconds: 60 },
    );
  } finally {
    jest.restoreAllMocks();
  }
  // A shortcut that never decides would agree with everything.
  expect(decided.passed).toBeGreaterThan(20);
  expect(decided.refused).toBeGreaterThan(20);
  expect(decided.not).toBeGreaterThan(20);
});
