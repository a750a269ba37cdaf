import { createGateServices } from '../../__tests__/__testUtils__/createGateServices';
import { upgradeRequest } from '../../__tests__/__testUtils__/upgradeServices';
import { readUpgradeTarget } from './mountedRequest';
import { ExpressRequest, UpgradeRequest } from './GateRequest';

const COOKIE_ENDPOINT = '/.backstage/auth/v1/cookie';
const UPGRADE = { connection: 'Upgrade', upgrade: 'websocket' };

const rule = (path: string, methods = ['GET']) => ({
  plugin: 'hello',
  path,
  methods,
});

/** Creates the services of a backend with the plugin `Hello`. */
function createServices() {
  const gate = createGateServices({ installed: ['Hello'] });
  gate.policy.allow = [rule('/open'), rule('/ws', ['GET', 'WEBSOCKET'])];
  gate.policy.foreignAuthorization = [rule('/open'), rule('/foreign/**')];
  return gate.services;
}

/** Creates a request at the gate's mount in Express. */
function createRequest(
  method: string,
  target: string,
  { baseUrl = '/api/Hello', headers = {} } = {},
) {
  const url = target.slice(baseUrl.length) || '/';
  const req = {
    method,
    headers,
    baseUrl,
    originalUrl: target,
    url,
    path: url.split('?')[0],
    params: { gatedPluginId: 'Hello' },
    ip: '192.0.2.2',
  };
  return new ExpressRequest(req as never, {} as never, createServices());
}

describe('ExpressRequest', () => {
  it('has its plugin in lower case, its path as it was sent, and its path as Express has it for reports', () => {
    expect(createRequest('GET', '/api/Hello/a/b?secret')).toMatchObject({
      method: 'GET',
      isUpgrade: false,
      pluginId: 'hello',
      isInstalled: true,
      path: '/a/b',
      reportedPath: '/a/b',
      route: 'protected',
      clientAddress: '192.0.2.2',
    });
  });

  it.each([
    ['GET', '/api/Hello/ws', {}, '/ws', rule('/ws', ['GET', 'WEBSOCKET'])],
    ['GET', '/api/Hello/ws', UPGRADE, '/ws', rule('/ws', ['GET', 'WEBSOCKET'])],
    // Node treats it as no upgrade, so that no rule for one may open it.
    ['GET', '/api/Hello/ws', { upgrade: 'websocket' }, undefined, 'protected'],
    ['GET', '/api/Hello//ws#', {}, undefined, 'protected'],
    ['DELETE', `/api/Hello${COOKIE_ENDPOINT}`, {}, COOKIE_ENDPOINT, 'sign-out'],
  ])(
    '%s %s with %j has the path %s',
    (method, target, headers, ...expected) => {
      const { path, route } = createRequest(method, target, { headers });
      expect([path, route]).toEqual(expected);
    },
  );

  it.each([
    ['DELETE', COOKIE_ENDPOINT, COOKIE_ENDPOINT, {}, COOKIE_ENDPOINT],
    ['GET', `${COOKIE_ENDPOINT}?x`, COOKIE_ENDPOINT, {}, COOKIE_ENDPOINT],
    ['DELETE', `${COOKIE_ENDPOINT}/x`, COOKIE_ENDPOINT, {}, undefined],
    ['GET', COOKIE_ENDPOINT, COOKIE_ENDPOINT, UPGRADE, undefined],
    ['DELETE', '/other', '/other', {}, undefined],
  ])(
    '%s %s mounted at %s with %j has the path %s',
    (method, target, baseUrl, headers, path) => {
      expect(createRequest(method, target, { baseUrl, headers }).path).toBe(
        path,
      );
    },
  );
});

describe('a path where Authorization is for another server', () => {
  it.each([
    ['/api/Hello/foreign/x', true],
    // It has no path by which the gate may decide, and Express finds the handler.
    ['/api/Hello/foreign/x#', true],
    ['/api/Hello/x', false],
    ['/api/Hello/x#', false],
    // A reload may have opened it.
    ['/api/Hello/open', false],
  ])('is %s: %s', (target, isForeignPath) => {
    const { places } = createRequest('GET', target);
    expect(places.isForeignPath).toBe(isForeignPath);
  });
});

describe('UpgradeRequest', () => {
  const createUpgrade = (headers: Record<string, string> = {}) =>
    new UpgradeRequest(
      upgradeRequest(headers),
      {} as never,
      readUpgradeTarget('/api/Hello/ws?x')!,
      createServices(),
    );

  it('has the path of its target, and the address of its client', () => {
    expect(createUpgrade()).toMatchObject({
      method: 'WEBSOCKET',
      isUpgrade: true,
      path: '/ws',
      reportedPath: '/ws?x',
      clientAddress: '192.0.2.1',
    });
  });

  it('to another protocol has no path by which a rule could open it', () => {
    expect(createUpgrade({ upgrade: 'h2c' })).toMatchObject({
      method: 'GET',
      isUpgrade: true,
      path: undefined,
      route: 'protected',
    });
  });
});
