import type { IncomingMessage } from 'node:http';
import { createCrossSiteCheck } from './createCrossSiteCheck';

const isCrossSite = createCrossSiteCheck([
  'https://backstage.example.com',
  'http://localhost:3000',
]);
const request = (method: string, headers: Record<string, string>) =>
  ({ method, headers }) as unknown as IncomingMessage;

describe('[P8] createCrossSiteCheck', () => {
  const trusted = { origin: 'https://backstage.example.com' };
  const evil = { origin: 'https://evil.example.com' };

  it.each<[Record<string, string>, boolean]>([
    [{}, false],
    [{ 'sec-fetch-site': 'same-origin' }, false],
    [{ 'sec-fetch-site': 'none' }, false],
    [{ 'sec-fetch-site': 'same-site' }, true],
    [{ 'sec-fetch-site': 'cross-site' }, true],
    [{ 'sec-fetch-site': '' }, true],
    [{ 'sec-fetch-site': 'same-origin, cross-site' }, true],
    [{ 'sec-fetch-site': 'Same-Origin' }, true],
    [trusted, false],
    [{ origin: 'http://localhost:3000' }, false],
    [{ ...trusted, 'sec-fetch-site': 'cross-site' }, false],
    [{ ...trusted, 'sec-fetch-site': 'same-site' }, false],
    [evil, true],
    [{ ...evil, host: 'evil.example.com' }, true],
    [{ ...evil, 'sec-fetch-site': 'cross-site' }, true],
    [{ origin: 'null' }, true],
    [{ origin: '' }, true],
    [{ origin: 'https://backstage.example.com/' }, true],
    [{ origin: 'https://backstage.example.com:443' }, true],
    [{ origin: 'http://backstage.example.com' }, true],
    [{ origin: 'https://sub.backstage.example.com' }, true],
    [
      { origin: 'https://backstage.example.com, https://evil.example.com' },
      true,
    ],
    // The row is a same-origin form of a page with `Referrer-Policy: no-referrer`, which Backstage sets.
    [{ origin: 'null', 'sec-fetch-site': 'same-origin' }, false],
  ])('judges an unsafe method with %j: %s', (headers, expected) => {
    for (const method of [
      'POST',
      'PUT',
      'PATCH',
      'DELETE',
      'PROPFIND',
      'get',
    ]) {
      expect(isCrossSite(request(method, headers))).toBe(expected);
    }
    // Without an `Origin`, a safe method passes from any site: links to the backend, and its images on other pages.
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      expect(isCrossSite(request(method, headers))).toBe(
        expected && 'origin' in headers,
      );
    }
  });

  it('can judge a request as one of another method', () => {
    const get = request('GET', { 'sec-fetch-site': 'cross-site' });
    expect(isCrossSite(get)).toBe(false);
    expect(isCrossSite(get, 'POST')).toBe(true);
  });

  it.each<[Record<string, string>, boolean]>([
    [{}, true],
    [{ 'sec-fetch-site': 'same-origin' }, true],
    [{ ...evil, 'sec-fetch-site': 'same-origin' }, true],
    [{ origin: 'null' }, true],
    [trusted, false],
    [{ ...trusted, 'sec-fetch-site': 'cross-site' }, false],
  ])('judges a WebSocket handshake with %j: %s', (headers, expected) => {
    for (const upgrade of ['websocket', 'WebSocket']) {
      expect(isCrossSite(request('GET', { ...headers, upgrade }))).toBe(
        expected,
      );
    }
  });
});
