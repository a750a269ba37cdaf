import { IncomingMessage, ServerResponse } from 'node:http';
import {
  removeTargetedCacheControl,
  toPrivateCacheControl,
} from './cacheControl';

describe('[P17] toPrivateCacheControl', () => {
  it.each([
    ['', 'private'],
    [' , ', 'private'],
    ['max-age=3600', 'private, max-age=3600'],
    ['public, max-age=3600', 'private, max-age=3600'],
    ['Public,S-MaxAge=60,max-age=3600', 'private, max-age=3600'],
    ['s-maxage="60", must-revalidate', 'private, must-revalidate'],
    ['s-maxage = 60, max-age=1', 'private, max-age=1'],
    ['no-cache', 'private, no-cache'],
    ['no-cache, no-transform', 'private, no-cache, no-transform'],
    ['private="Set-Cookie, X", max-age=1', 'private, max-age=1'],
    [
      'no-cache="a, public", max-age=1',
      'private, no-cache="a, public", max-age=1',
    ],
    ['x="no-store, private"', 'private, x="no-store, private"'],
    ['x="a\\", no-store"', 'private, x="a\\", no-store"'],
    ['x="unclosed, no-store', 'private, x="unclosed, no-store'],
    ['publicity=1, xprivate', 'private, publicity=1, xprivate'],
    ['private', 'private'],
    ['PRIVATE, max-age=0', 'PRIVATE, max-age=0'],
    ['no-store', 'no-store'],
    ['public, no-store', 'public, no-store'],
    ['max-age=1,private', 'max-age=1,private'],
  ])('%j becomes %j', (cacheControl, expected) => {
    expect(toPrivateCacheControl(cacheControl)).toBe(expected);
  });

  it.each([',', '"', '"\\', 'a,"', '"\\",'])(
    'of 15 KB of %j takes linear time',
    text => {
      const startedAt = performance.now();
      toPrivateCacheControl(text.repeat(15_000 / text.length));
      expect(performance.now() - startedAt).toBeLessThan(200);
    },
  );
});

describe('removeTargetedCacheControl', () => {
  it('removes what some shared caches prefer to Cache-Control, and nothing else', () => {
    const res = new ServerResponse({ method: 'GET' } as IncomingMessage);
    const kept = ['cache-control', 'x-cache-control-by', 'x-accel-buffering'];
    for (const name of [
      ...kept,
      'CDN-Cache-Control',
      'Cloudflare-CDN-Cache-Control',
      'Edge-Control',
      'Surrogate-Control',
      'X-Accel-Expires',
    ]) {
      res.setHeader(name, 'public, max-age=60');
    }
    removeTargetedCacheControl(res);
    expect(res.getHeaderNames()).toEqual(kept);
  });
});
