import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';
import type { ApiGateConfig } from '../config/readApiGateConfig';
import type { BackendPlugins } from '../credentials/BackendPlugins';
import { Refusal } from '../decision/Refusal';
import { Policy } from '../policy/Policy';
import { ExpressRequest, UpgradeRequest } from './GateRequest';

const COOKIE_ENDPOINT = '/.backstage/auth/v1/cookie';
const UPGRADE = { connection: 'Upgrade', upgrade: 'websocket' };

const rule = (path: string, methods = ['GET'], plugin = 'hello') => ({
  plugin,
  path,
  methods,
});

interface Options {
  allow?: ReturnType<typeof rule>[];
  candidate?: ReturnType<typeof rule>[];
  audit?: { clientAddress: boolean };
  hasPluginKeys?: boolean;
}

/** Creates a policy, and a backend with the plugin `hello`. */
function create(options: Options) {
  const { allow = [], candidate, hasPluginKeys = true } = options;
  const { audit = { clientAddress: false } } = options;
  const policy = new Policy({
    allow,
    candidate: candidate && { allow: candidate },
    audit,
    signOut: { providers: new Set(['github']) },
    trustedOrigins: [],
    trustedPaths: [],
  } as unknown as ApiGateConfig);
  const targetOf = jest.fn(() => ({ id: 'hello', mountedAs: 'Hello' }));
  const plugins = {
    hasPluginKeys,
    isInstalled: (id: string) => id === 'hello',
    targetOf,
  } as unknown as BackendPlugins;
  return { policy, plugins, targetOf };
}

/** Creates a request at the gate's mount in Express, for a target below `/api/Hello` or as it is. */
function createRequest(
  method: string,
  target: string,
  options: Options & { headers?: object; baseUrl?: string } = {},
) {
  const { headers = {}, baseUrl = '/api/Hello' } = options;
  const { policy, plugins, targetOf } = create(options);
  const url = target.slice(baseUrl.length) || '/';
  const req = {
    method,
    headers,
    baseUrl,
    originalUrl: target,
    url,
    path: url.split('?')[0],
    params: { gatedPluginId: 'Hello' },
    ip: '192.0.2.1',
  } as unknown as Request;
  const request = new ExpressRequest(req, {} as never, policy, plugins);
  return { request, targetOf };
}

describe('ExpressRequest', () => {
  it('has its plugin in lower case, its path as it was sent, and its path as Express has it for reports', () => {
    const { request } = createRequest('GET', '/api/Hello/a/b?secret');
    const { method, pluginId, isInstalled, path, reportedPath } = request;
    expect({ method, pluginId, isInstalled, path, reportedPath }).toEqual({
      method: 'GET',
      pluginId: 'hello',
      isInstalled: true,
      path: '/a/b',
      reportedPath: '/a/b',
    });
  });

  it('finds its plugin once, when that is needed', () => {
    const { request, targetOf } = createRequest('GET', '/api/Hello/x');
    expect(targetOf).not.toHaveBeenCalled();
    expect([request.path, request.plugin.id, request.route]).toEqual([
      '/x',
      'hello',
      'protected',
    ]);
    expect(targetOf).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['GET', '/api/Hello/ws', {}, '/ws'],
    ['GET', '/api/Hello/ws', UPGRADE, '/ws'],
    // Node treats it as no upgrade, so that no rule for one may open it.
    ['GET', '/api/Hello/ws', { upgrade: 'websocket' }, undefined],
    ['GET', '/api/Hello//ws#', {}, undefined],
  ])('%s %s with %j has the path %s', (method, target, headers, path) => {
    expect(createRequest(method, target, { headers }).request.path).toBe(path);
  });

  it.each([
    ['DELETE', COOKIE_ENDPOINT, COOKIE_ENDPOINT, {}, COOKIE_ENDPOINT],
    ['GET', `${COOKIE_ENDPOINT}?x`, COOKIE_ENDPOINT, {}, COOKIE_ENDPOINT],
    ['DELETE', `${COOKIE_ENDPOINT}/x`, COOKIE_ENDPOINT, {}, undefined],
    ['GET', COOKIE_ENDPOINT, COOKIE_ENDPOINT, UPGRADE, undefined],
    ['DELETE', '/other', '/other', {}, undefined],
  ])(
    '%s %s mounted at %s with %j has the path %s',
    (method, target, baseUrl, headers, path) => {
      const { request } = createRequest(method, target, { baseUrl, headers });
      expect(request.path).toBe(path);
    },
  );

  it.each([
    ['GET', '/open', rule('/open')],
    ['GET', '/other', 'protected'],
    ['GET', '/.backstage/auth/v1/jwks.json', 'built-in-public'],
    ['DELETE', COOKIE_ENDPOINT, 'sign-out'],
  ])('%s %s is %j', (method, path, route) => {
    const options = { allow: [rule('/open')] };
    const { request } = createRequest(method, `/api/Hello${path}`, options);
    expect(request.route).toEqual(route);
  });

  it('for keys is protected where plugins have none', () => {
    const target = '/api/Hello/.backstage/auth/v1/jwks.json';
    const options = { hasPluginKeys: false };
    expect(createRequest('GET', target, options).request.route).toBe(
      'protected',
    );
  });
});

describe('the decision about a request', () => {
  const audit = { clientAddress: true };

  it('that passes has no id, no subject and no address', () => {
    const { request } = createRequest('GET', '/api/Hello/x', { audit });
    request.credential = 'cookie';
    const decided = { outcome: 'passed', reason: 'cookie' } as const;
    expect(request.toDecision(decided)).toEqual({
      plugin: 'hello',
      outcome: 'passed',
      reason: 'cookie',
      credential: 'cookie',
    });
  });

  it('that a rule opens has the rule, and whether it is anonymous', () => {
    const { request } = createRequest('GET', '/api/Hello/open');
    request.isAnonymous = true;
    const decided = {
      outcome: 'passed',
      reason: 'allow-rule',
      rule: rule('/open'),
    } as const;
    expect(request.toDecision(decided)).toEqual({
      ...decided,
      plugin: 'hello',
      credential: 'none',
      isAnonymous: true,
    });
  });

  it.each([
    [{ clientAddress: true }, '192.0.2.1'],
    [{ clientAddress: false }, undefined],
  ])('that is refused with %j has the address %s', (settings, address) => {
    const { request } = createRequest('GET', '/api/Hello/x', {
      audit: settings,
    });
    const decided = { outcome: 'refused', reason: 'revoked' } as const;
    const refusal = Refusal.revoked.of('user:default/a');
    const decision = request.toDecision(decided, refusal);
    expect(decision).toEqual({
      ...decided,
      plugin: 'hello',
      credential: 'none',
      id: expect.stringMatching(/^[0-9a-f]{16}$/),
      subject: 'user:default/a',
      clientAddress: address,
    });
    expect(request.decisionId).toBe(decision.id);
  });
});

describe('a candidate', () => {
  const [open, both, added] = ['/open', '/both', '/new/**'].map(path =>
    rule(path),
  );
  const anywhere = rule('/**', ['GET', 'DELETE']);
  const decided = { outcome: 'passed', reason: 'bearer' } as const;

  it.each([
    ['GET', '/api/Hello/open', [added], { change: 'would-close', rule: open }],
    ['GET', '/api/Hello/both', [both], undefined],
    ['GET', '/api/Hello/new/x', [added], { change: 'would-open', rule: added }],
    ['POST', '/api/Hello/new/x', [added], undefined],
    ['GET', '/api/Hello/other', [added], undefined],
    // No rule opens a path that routers read in different ways, whether or not it can be told.
    ['GET', '/api/Hello/new//x', [added], undefined],
    ['GET', '/api/Hello/new/x#', [added], undefined],
    // The candidate does not change a route that is public without a rule.
    ['DELETE', `/api/Hello${COOKIE_ENDPOINT}`, [anywhere], undefined],
    ['GET', '/api/Hello/.backstage/auth/v1/jwks.json', [anywhere], undefined],
  ])('for %s %s of %j differs by %j', (method, target, candidate, expected) => {
    const options = { allow: [open, both], candidate };
    const { request } = createRequest(method, target, options);
    expect(request.route).toBeDefined();
    expect(request.toDecision(decided).candidate).toEqual(expected);
  });

  it('closes a rule at a path that it can not read', () => {
    const allow = [{ ...rule('/open'), methods: ['WEBSOCKET'] }];
    const { request } = createRequest('GET', '/api/Hello/open', {
      headers: UPGRADE,
      allow,
      candidate: [],
    });
    expect(request.route).toEqual(allow[0]);
    expect(request.toDecision(decided).candidate).toEqual({
      change: 'would-close',
      rule: allow[0],
    });
  });

  it('does not differ for a request that was decided without its route', () => {
    const options = { allow: [open], candidate: [added] };
    for (const target of ['/api/Hello/open', '/api/Hello/new/x']) {
      const { request } = createRequest('GET', target, options);
      expect(request.toDecision(decided).candidate).toBeUndefined();
    }
  });

  it('does not differ where there is none', () => {
    const { request } = createRequest('GET', '/api/Hello/open', {
      allow: [open],
    });
    expect(request.route).toEqual(open);
    expect(request.toDecision(decided).candidate).toBeUndefined();
  });
});

describe('UpgradeRequest', () => {
  const createUpgrade = (headers: object, options: Options = {}) => {
    const { policy, plugins } = create(options);
    return new UpgradeRequest(
      { method: 'GET', headers } as IncomingMessage,
      {} as never,
      {
        baseUrl: '/api/Hello',
        originalUrl: '/api/Hello/ws?x',
        url: '/ws?x',
        params: { gatedPluginId: 'Hello' },
      },
      policy,
      { plugins, clientAddressOf: () => '192.0.2.2' },
    );
  };

  it('has its path as the target has it', () => {
    const { method, path, reportedPath } = createUpgrade(UPGRADE);
    expect([method, path, reportedPath]).toEqual(['WEBSOCKET', '/ws', '/ws?x']);
  });

  it('to another protocol has no path by which a rule could open it', () => {
    const other = createUpgrade(
      { connection: 'Upgrade', upgrade: 'h2c' },
      { allow: [rule('/ws')] },
    );
    expect([other.method, other.path, other.route]).toEqual([
      'GET',
      undefined,
      'protected',
    ]);
  });

  it('has the address of its client in the decision', () => {
    const upgrade = createUpgrade(UPGRADE, { audit: { clientAddress: true } });
    const decided = { outcome: 'refused', reason: 'revoked' } as const;
    expect(upgrade.toDecision(decided, Refusal.revoked).clientAddress).toBe(
      '192.0.2.2',
    );
  });
});
