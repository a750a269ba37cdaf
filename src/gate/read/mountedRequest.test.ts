import { pluginIdOf, rawPluginId, readUpgradeTarget } from './mountedRequest';

describe('[P11] readUpgradeTarget', () => {
  it.each([
    ['/api/live', 'live', '/api/live', '/'],
    ['/api/live?a=/api/b', 'live', '/api/live', '/?a=/api/b'],
    ['/api/live/', 'live', '/api/live', '/'],
    ['/api/live/open?x', 'live', '/api/live', '/open?x'],
    ['/API/Live/open', 'Live', '/API/Live', '/open'],
    ['/api/live/a%20b', 'live', '/api/live', '/a%20b'],
    ['/api/live//a/./b', 'live', '/api/live', '//a/./b'],
    ['/api/;x/live', ';x', '/api/;x', '/live'],
    ['/api/live/..a', 'live', '/api/live', '/..a'],
    ["/api/a;b'c/d", "a;b'c", "/api/a;b'c", '/d'],
  ])('reads %s as Express does', (target, gatedPluginId, baseUrl, url) => {
    expect(readUpgradeTarget(target)).toEqual({
      originalUrl: target,
      baseUrl,
      url,
      params: { gatedPluginId },
    });
  });

  it.each([
    '/',
    '/?x=/api/live',
    '/live',
    '/live/api/x',
    '/socket.io/?EIO=4&transport=websocket',
    '/apix',
    '/api-v2/x',
    '/%61',
    '/live;v=1/x',
    '/live//x',
    '/live/./x',
    '/live/...',
    '/live/a%2fb',
    '/live/x%3fy',
    '/live/%C3%A9',
    '/live/%2561',
    '/http://any/live',
    'http://any.example:80/live',
    'HTTPS://[::1]/',
  ])('leaves %s alone, which no reader finds below /api', target => {
    expect(readUpgradeTarget(target)).toBeUndefined();
  });

  it.each([
    // The target is the mount itself, or a spelling of it.
    '/api',
    '/api/',
    '/api?x',
    '/api//live/open',
    '/%61pi/live',
    '/%2561pi/live',
    '/%252561pi/live',
    '/a%70i/live',
    '/api%2flive',
    '/api%2Flive/open',
    '/api%5clive',
    '/api;x/live',
    '/api/l%69ve/open',
    '/api/live%2fopen',
    // A normaliser may read another path in these targets.
    '//api/live',
    '//any/api/live',
    '/./api/live',
    '/%2e/api/live',
    '/;/api/live',
    '/%2fapi/live',
    '/live/../api/live',
    '/live/..',
    '/live/%2e%2e/api/live',
    '/live/.%2E/api/live',
    '/live/%252e%252e/api/live',
    '/live/..;/api/live',
    '/live/..%2fapi/live',
    '/live\\..\\api/live',
    '/live/..%5capi/live',
    '/live/..%09/api/live',
    '/live/%0a../api/live',
    '/live/%2e%0d%2e/api/live',
    '/api/live/../secret/x',
    '/api/live/%2e%2e/secret/x',
    '/%C4%B1/x',
    '/ａｐｉ/x',
    '/%EF%BD%81pi/x',
    '/%',
    '/live/%ff',
    '/%2525252561pi/x',
    '/live/%252561',
    '/x%3f/api/live',
    // These are other forms of a target.
    '/live#/../api/live',
    '/live/x#/api/live',
    '/live/\\api\\live',
    '\\api\\live',
    '/\\api/live',
    '',
    '*',
    'api/live',
    'foo://any/api/live',
    'http://any/api/live',
    'http://any',
    'http://user:password@any/live',
    'http://any%2fapi/live',
    'http:///api/live',
    'http:/api/live',
    '/a\tb',
    '/\u00a0api/live',
  ])('treats %j as doubtful: it is for no plugin and no rule', target => {
    expect(readUpgradeTarget(target)).toMatchObject({
      originalUrl: target,
      baseUrl: '',
      params: { gatedPluginId: '%' },
    });
  });

  it('does not treat a plugin as doubtful, whether or not it is installed', () => {
    expect(readUpgradeTarget('/api/live')!.params.gatedPluginId).toBe('live');
  });

  it.each([
    ['/api//live/open?token=x', '/api//live/open?token=x'],
    ['http://user:password@any/api/live', ''],
  ])('reports at most the path of %s', (target, url) => {
    expect(readUpgradeTarget(target)?.url).toBe(url);
  });
});

describe('rawPluginId', () => {
  it.each([
    ['/api/Live', 'Live', 'Live'],
    ['/a%20b/api/live', 'live', 'live'],
    ['/api/%4Cive', 'Live', '%'],
  ])('of %s, which Express reads as %s, is %s', (baseUrl, read, id) => {
    const req = { baseUrl, params: { gatedPluginId: read } };
    expect(rawPluginId(req)).toBe(id);
    expect(pluginIdOf(req)).toBe(id.toLowerCase());
  });
});
