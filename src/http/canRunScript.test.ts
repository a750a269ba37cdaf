import { canRunScript } from './canRunScript';

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
