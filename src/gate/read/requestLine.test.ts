import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';
import {
  asksForUpgrade,
  expressPath,
  isCookieEndpoint,
  isUnambiguousPath,
  pathBelowPlugin,
  hasNoDotSegments,
  requestMethod,
  withoutQuery,
} from './requestLine';
import * as paths from './requestLine';

const requestWith = (headers: Record<string, string>, method?: string) =>
  ({ method, headers }) as unknown as IncomingMessage;

describe('requestMethod', () => {
  it.each([
    ['GET', {}, 'GET'],
    ['GET', { upgrade: 'WebSocket' }, 'WEBSOCKET'],
    ['GET', { upgrade: 'h2c' }, 'GET'],
    ['POST', { upgrade: 'websocket' }, 'POST'],
    [undefined, {}, ''],
  ])('of %s with %j is %j', (method, headers, expected) => {
    expect(requestMethod(requestWith(headers, method))).toBe(expected);
  });
});

describe('asksForUpgrade', () => {
  it.each([
    [{ upgrade: 'websocket', connection: 'Upgrade' }, true],
    [{ upgrade: 'h2c', connection: 'keep-alive, upgrade' }, true],
    [{ upgrade: 'websocket', connection: 'keep-alive' }, false],
    [{ upgrade: 'websocket' }, false],
    [{ connection: 'upgrade' }, false],
    [{}, false],
  ])('with %j is %s', (headers, expected) => {
    expect(asksForUpgrade(requestWith(headers))).toBe(expected);
  });
});

/** Makes a request as a handler at `/api/:gatedPluginId` receives it when Express has left its target unchanged. */
const request = (originalUrl: string, baseUrl = '/api/pub') =>
  ({
    originalUrl,
    baseUrl,
    url: originalUrl.slice(baseUrl.length),
  }) as Request;

describe('pathBelowPlugin', () => {
  it.each([
    ['/api/pub/health', '/health'],
    ['/api/pub/a/b', '/a/b'],
    ['/api/pub/a/', '/a/'],
    ['/api/pub//a', '//a'],
    ['/api/pub/%2e;@[]^`{|}~', '/%2e;@[]^`{|}~'],
    ['/api/pub/health?a=/b?c', '/health'],
    ['/api/pub/', undefined],
    ['/api/pub/?a', undefined],
  ])('of %s is %s', (target, expected) => {
    expect(pathBelowPlugin(request(target), 'pub')).toBe(expected);
  });

  it.each([
    ['/api/pub', '/'],
    ['/api/pub?a=b', '/?a=b'],
  ])('of %s is the root, though Express makes it %s', (target, url) => {
    expect(pathBelowPlugin({ ...request(target), url } as Request, 'pub')).toBe(
      '/',
    );
  });

  it.each([
    ['a fragment', '/api/pub/health#'],
    ['a backslash', '/api/pub/a\\health'],
    ['a space', '/api/pub/a b'],
    ['a control character', '/api/pub/a\x01b'],
    ['a character beyond ASCII', '/api/pub/é'],
    ['DEL', '/api/pub/\x7f'],
  ])('is undefined for a target with %s', (_, target) => {
    expect(pathBelowPlugin(request(target), 'pub')).toBeUndefined();
  });

  it('is undefined for a target that is an address', () => {
    const address = request('http://any/api/pub/health', 'http://any/api/pub');
    expect(pathBelowPlugin(address, 'pub')).toBeUndefined();
  });

  it.each([
    ['spelt otherwise', '/API/pub', '/API/pub/health'],
    ['spelt otherwise than the plugin', '/api/Pub', '/api/Pub/health'],
    ['of another plugin', '/api/pub2', '/api/pub2/health'],
    ['that the target does not begin with', '/api/pub', '/api/Pub/health'],
  ])('is undefined below a mount %s', (_, baseUrl, target) => {
    expect(pathBelowPlugin(request(target, baseUrl), 'pub')).toBeUndefined();
  });

  it('is undefined if the next router reads another path', () => {
    const req = { ...request('/api/pub/health'), url: '/secret' } as Request;
    expect(pathBelowPlugin(req, 'pub')).toBeUndefined();
  });
});

describe('isUnambiguousPath', () => {
  it.each([
    '/',
    '/a',
    '/a/b',
    '/...',
    '/.a/a./..a/a..',
    "/AZaz09-._~!$&'()*+,=:@",
  ])('accepts %s', path => {
    expect(isUnambiguousPath(path)).toBe(true);
  });

  it.each([
    '//',
    '/a/',
    '//a',
    '/a//b',
    '/.',
    '/..',
    '/a/./b',
    '/a/../b',
    '/a/.',
    '/a/..',
    ...[...'%;?#\\" <>[]^`{|}\n\x7fé'].flatMap(character => [
      `/${character}a`,
      `/a${character}`,
    ]),
  ])('does not accept %j', path => {
    expect(isUnambiguousPath(path)).toBe(false);
  });
});

describe('hasNoDotSegments', () => {
  it.each(['/a', '/a/b%20c', '/...', '/.a', '/a;b', '/..a/a..', '/%2e%2e%2e'])(
    'holds for %s',
    path => {
      expect(hasNoDotSegments(path)).toBe(true);
    },
  );

  it.each([
    '/',
    '/a/',
    '//a',
    '/a//b',
    '/.',
    '/a/./b',
    '/a/../b',
    '/a/..',
    '/a/%2e%2e/b',
    '/a%2f..%2fb',
    '/a\\..\\b',
    '/a%5c..',
    '/a/..;/b',
    '/a/;x/b',
    '/%',
    '/%ff',
  ])('does not hold for %s', path => {
    expect(hasNoDotSegments(path)).toBe(false);
  });
});

describe('withoutQuery', () => {
  it.each([
    ['/a', '/a'],
    ['/a?b', '/a'],
    ['/a?b?c', '/a'],
    ['?a', ''],
    ['', ''],
  ])('of %j is %j', (target, expected) => {
    expect(withoutQuery(target)).toBe(expected);
  });
});

describe('expressPath', () => {
  it('is the path as Express reads it', () => {
    expect(expressPath({ path: '/a' } as Request)).toBe('/a');
  });

  it('is undefined if Express can not read it', () => {
    const unreadable = {
      get path(): string {
        throw new TypeError('Invalid URL');
      },
    } as Request;
    expect(expressPath(unreadable)).toBeUndefined();
  });
});

const COOKIE = '/.backstage/auth/v1/cookie';

describe('isCookieEndpoint', () => {
  it.each([
    [COOKIE, true],
    [`${COOKIE}/`, true],
    [COOKIE.toUpperCase(), true],
    [`${COOKIE}//`, false],
    [`${COOKIE}s`, false],
    [`${COOKIE}/x`, false],
    [`/x${COOKIE}`, false],
    ['/', false],
    [undefined, false],
  ])('holds for %s: %s', (path, expected) => {
    expect(isCookieEndpoint(path)).toBe(expected);
  });
});

it('has the paths of Backstage and of this module as clients call them', () => {
  expect(paths).toMatchObject({
    PLUGIN_KEYS_PATH: '/.backstage/auth/v1/jwks.json',
    USER_KEYS_PATH: '/.well-known/jwks.json',
    COOKIE_PATH: COOKIE,
    OWN_ROUTES_PATH: '/api-gate',
    PAGE_PATH: '/api-gate/',
    POLICY_PATH: '/api-gate/v1/policy',
    REVOCATIONS_PATH: '/api-gate/v1/revocations',
  });
});
