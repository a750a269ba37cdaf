import { createHash } from 'node:crypto';
import { Content, Html, html } from './html';
import { STYLE } from './style';

// The policy has the hash of exactly this text.
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`);
const hash = createHash('sha256').update(STYLE).digest('base64');

/**
 * What a browser may do with the page (Content Security Policy, level 3): show it with this style, and send its form. It runs no
 * script, loads nothing, and no other page may frame it. Without `allow-same-origin`, the page acts as no user.
 */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${hash}'`,
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  'sandbox allow-forms allow-top-navigation-by-user-activation',
].join('; ');

/** As {@link PAGE_POLICY}, for errors: they have no form. */
export const ERROR_POLICY = PAGE_POLICY.replace(/sandbox .*/, 'sandbox');

/** The headers of a page, beside its policy. No cache stores it, and no address of it leaves the browser. */
export const PAGE_HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Type': 'text/html; charset=utf-8',
  'Referrer-Policy': 'no-referrer',
};

/** Makes a whole document. */
export function createDocument(title: string, body: Content): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        ${body}
      </body>
    </html> `.toString();
}
