import type { IncomingMessage } from 'node:http';
import {
  canRunScript,
  createCrossSiteCheck,
  isCodeDestination,
  isCrossOrigin,
  isPageDestination,
} from './browsers';

const request = (headers: Record<string, string>) =>
  ({ headers }) as unknown as IncomingMessage;

describe('isCrossOrigin', () => {
  const own = { origin: 'https://backstage.example.com' };
  const other = { origin: 'https://portal.example.com' };

  it.each<[Record<string, string>, boolean]>([
    [{}, false],
    [own, false],
    [other, true],
    [{ origin: 'null' }, true],
    [{ 'sec-fetch-site': 'same-origin' }, false],
    [{ 'sec-fetch-site': 'none' }, false],
    [{ 'sec-fetch-site': 'same-site' }, true],
    [{ 'sec-fetch-site': 'cross-site' }, true],
    [{ 'sec-fetch-site': '' }, true],
    [{ ...own, 'sec-fetch-site': 'cross-site' }, true],
    // The browser's header decides, whatever `backend.baseUrl` is: a development server may proxy the backend.
    [{ ...other, 'sec-fetch-site': 'same-origin' }, false],
  ])('%j: %s', (headers, expected) => {
    expect(isCrossOrigin(request(headers), own.origin)).toBe(expected);
  });
});

describe('isCodeDestination', () => {
  // The table has all destinations of the Fetch standard, and those of other standards.
  it.each([
    'audioworklet',
    'paintworklet',
    'script',
    'serviceworker',
    'sharedstorageworklet',
    'sharedworker',
    'style',
    'worker',
    'xslt',
  ])('%s: true', destination => {
    expect(isCodeDestination(request({ 'sec-fetch-dest': destination }))).toBe(
      true,
    );
  });

  it.each([
    'audio',
    'document',
    'embed',
    'empty',
    'font',
    'frame',
    'iframe',
    'image',
    'json',
    'manifest',
    'object',
    'prescript',
    'report',
    'stylesheet',
    'text',
    'track',
    'video',
    'webidentity',
  ])('%s: false', destination => {
    expect(isCodeDestination(request({ 'sec-fetch-dest': destination }))).toBe(
      false,
    );
  });

  it('is true for the script of a service worker in a browser without Sec-Fetch-Dest', () => {
    expect(isCodeDestination(request({ 'service-worker': 'script' }))).toBe(
      true,
    );
    expect(isCodeDestination(request({}))).toBe(false);
  });
});

describe('[P47] isPageDestination', () => {
  it.each(['document', 'embed', 'fencedframe', 'frame', 'iframe', 'object'])(
    '%s: true',
    destination => {
      const headers = { 'sec-fetch-dest': destination };
      expect(isPageDestination(request(headers))).toBe(true);
    },
  );

  it.each([
    'audio',
    'empty',
    'font',
    'image',
    'script',
    'sharedworker',
    'xdocument',
    'documents',
    '',
  ])('%s: false, whatever the browser accepts', destination => {
    const headers = { 'sec-fetch-dest': destination, accept: 'text/html' };
    expect(isPageDestination(request(headers))).toBe(false);
  });

  it.each([
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', true],
    ['application/json, TEXT/HTML', true],
    ['image/avif,image/webp,*/*;q=0.8', false],
    ['*/*', false],
    ['', false],
  ])('without Sec-Fetch-Dest, with Accept: %s: %s', (accept, expected) => {
    expect(isPageDestination(request({ accept }))).toBe(expected);
    expect(isPageDestination(request({}))).toBe(false);
  });
});

const isCrossSite = createCrossSiteCheck([
  'https://backstage.example.com',
  'http://localhost:3000',
]);
const sent = (method: string, headers: Record<string, string>) =>
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
    // Firefox sends this for another page's form, by a redirect that sends no referrer.
    [{ origin: 'null', 'sec-fetch-site': 'none' }, true],
    [{ ...evil, 'sec-fetch-site': 'none' }, true],
    [{ ...trusted, 'sec-fetch-site': 'none' }, false],
  ])('judges an unsafe method with %j: %s', (headers, expected) => {
    for (const method of [
      'POST',
      'PUT',
      'PATCH',
      'DELETE',
      'PROPFIND',
      'get',
    ]) {
      expect(isCrossSite(sent(method, headers))).toBe(expected);
    }
    // Without an `Origin`, a safe method passes from any site: links to the backend, and its images on other pages.
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      expect(isCrossSite(sent(method, headers))).toBe(
        expected && 'origin' in headers,
      );
    }
  });

  // The destinations of the Fetch standard, and of other standards, by whether a page can load them from another origin without CORS.
  const OPAQUE =
    'audio document embed empty fencedframe frame iframe image object script style video';
  const OTHERS =
    'audioworklet dictionary font json manifest paintworklet report serviceworker sharedstorageworklet sharedworker speculationrules text track webidentity worker xslt';
  const ODD = ['', 'Image', 'ximage', 'images', 'font, image', 'image, font'];
  const SITES = ['', 'same-origin', 'same-site', 'cross-site', 'none'];

  it.each([
    ...OPAQUE.split(' ').map(each => [each, true] as const),
    ...[...OTHERS.split(' '), ...ODD].map(each => [each, false] as const),
  ])(
    'without an Origin, passes the destination %j of a page of another origin: %s',
    (destination, passes) => {
      for (const site of SITES) {
        for (const mode of ['', 'no-cors', 'cors', 'same-origin', 'navigate']) {
          const headers = {
            'sec-fetch-dest': destination,
            ...(site && { 'sec-fetch-site': site }),
            ...(mode && { 'sec-fetch-mode': mode }),
          };
          const isOwn = site === 'same-origin';
          for (const method of ['GET', 'HEAD', 'OPTIONS']) {
            const judged = [{}, trusted, evil].map(origin =>
              isCrossSite(sent(method, { ...headers, ...origin })),
            );
            expect(judged).toEqual([!isOwn && !passes, false, !isOwn]);
          }
        }
      }
    },
  );

  it('can judge a request as one of another method', () => {
    const get = sent('GET', { 'sec-fetch-site': 'cross-site' });
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
      expect(isCrossSite(sent('GET', { ...headers, upgrade }))).toBe(expected);
    }
  });
});

describe('[P16] canRunScript', () => {
  it.each([
    'text/html',
    'text/html; charset=utf-8',
    'TEXT/HTML',
    ' text/html',
    'application/xhtml+xml',
    'image/svg+xml',
    'image/svg+xml;charset=utf-8',
    'Image/SVG+XML',
    'image/svg',
    'text/xml',
    'application/xml',
    'application/rss+xml',
    'application/mathml+xml',
    'application/vnd.anything+xml',
    'text/xsl',
    'application/xslt+xml',
    'text/rdf',
    'text/vnd.wap.wml',
    'multipart/x-mixed-replace; boundary=x',
    'multipart/related',
    'message/rfc822',
    'application/x-mimearchive',
    'application/unknown',
    'unknown/unknown',
    '*/*',
    'text/*',
    // Browsers take the last valid one of several types.
    'text/plain, text/html',
    'text/plain;a="b,c"',
    'text/html, text/plain',
    '',
    ' ',
    'text',
    'text/',
    '/html',
    'text html',
    'text/plain/html',
    'text/plain text/html',
    'text/plain\u00a0',
    ';text/plain',
    'image',
    // None of these is an inert type with something before or after it.
    'ximage/png',
    'xtext/plain',
    'text/plainx',
    'xapplication/json',
    'application/jsonx',
    'xapplication/a+json',
    'application/a+jsonx',
    'xapplication/x-gzip',
    'application/x-gzipx',
  ])('%j: true', type => {
    expect(canRunScript(type)).toBe(true);
  });

  it('is true without a type, and with two', () => {
    expect(canRunScript(undefined)).toBe(true);
    expect(canRunScript(['text/plain', 'text/html'])).toBe(true);
    expect(canRunScript(['text/plain'])).toBe(false);
  });

  it.each([
    'text/plain',
    'text/plain; charset=utf-8',
    'Text/Plain;charset=UTF-8',
    'text/css',
    'text/csv; header=present',
    'text/event-stream',
    'text/javascript',
    'text/markdown',
    'text/calendar',
    'application/json',
    'application/json; charset=utf-8',
    'application/problem+json',
    'application/vnd.api+json',
    'application/x-ndjson',
    'application/x-bzip',
    'application/x-bzip2',
    'application/octet-stream',
    'application/pdf',
    'application/zip',
    'application/gzip',
    'application/wasm',
    'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    'application/vnd.oasis.opendocument.text',
    'application/vnd.ms-excel',
    'image/png',
    'image/jpeg',
    'image/webp',
    'image/avif',
    'image/x-icon',
    'image/vnd.microsoft.icon',
    'audio/mpeg',
    'audio/ogg',
    'video/mp4',
    'font/woff2',
  ])('%j: false', type => {
    expect(canRunScript(type)).toBe(false);
  });
});
