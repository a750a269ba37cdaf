import { createHash } from 'node:crypto';
import { Content, Html, html } from './html';

/** The style of the page. It loads nothing, and no element has a style of its own: the policy allows this text alone. */
const STYLE = `
:root {
  --page: #f4f6f9; --card: #fff; --ink: #15202b; --muted: #556270; --line: #dfe5ec; --accent: #2557d6;
  --open: #b3201a; --open-pale: #fdeae8; --closed: #1d4fb8; --closed-pale: #e7eefc;
  --warned: #855000; --warned-pale: #fff1d6; --good: #0b6b3c; --good-pale: #e1f4e9;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0d1218; --card: #161e27; --ink: #e7edf3; --muted: #9fadbc; --line: #2a3643; --accent: #7fa6ff;
    --open: #ff9188; --open-pale: #43191a; --closed: #a3c0ff; --closed-pale: #182a4f;
    --warned: #ffca74; --warned-pale: #3f2c0a; --good: #74dba1; --good-pale: #11351f;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 3rem; max-width: 72rem; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1, h2, h3, p, ul, dl, dd { margin: 0; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { font-size: 1.2rem; }
h3 { margin-top: 1.1rem; font-size: 1rem; }
section > p { margin-top: 0.4rem; max-width: 52rem; }
code, pre { font: 0.875rem/1.5 ui-monospace, Menlo, Consolas, monospace; }
pre { margin: 0.6rem 0 0; padding: 0.7rem 0.9rem; background: var(--page); border: 1px solid var(--line); border-radius: 0.5rem; white-space: pre-wrap; }
a { color: var(--accent); }
ul { padding-left: 1.2rem; }
small, .muted { color: var(--muted); font-size: 0.9rem; }
nav { display: flex; flex-wrap: wrap; gap: 0.3rem 1.1rem; margin-top: 1rem; }
section { margin-top: 1.25rem; padding: 1.4rem 1.5rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.9rem; }
.mode { display: inline-block; margin-right: 0.4rem; padding: 0.1rem 0.7rem; border-radius: 1rem; font-weight: 600; background: var(--pale); color: var(--kind); }
.tag { display: inline-block; padding: 0 0.5rem; border-radius: 0.4rem; font-size: 0.85rem; background: var(--pale); color: var(--kind); }
.note { margin-top: 0.6rem; padding: 0.5rem 0.8rem; border-radius: 0.5rem; background: var(--pale); color: var(--kind); }
.good { --kind: var(--good); --pale: var(--good-pale); }
.open { --kind: var(--open); --pale: var(--open-pale); }
.closed { --kind: var(--closed); --pale: var(--closed-pale); }
.warned { --kind: var(--warned); --pale: var(--warned-pale); }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 0.7rem 1.4rem; margin-top: 1rem; }
.facts dt { color: var(--muted); font-size: 0.85rem; }
table { width: 100%; margin-top: 0.7rem; border-collapse: collapse; }
caption { padding-bottom: 0.3rem; color: var(--muted); font-size: 0.9rem; text-align: left; }
th, td { min-width: 6rem; padding: 0.45rem 0.9rem 0.45rem 0; border-top: 1px solid var(--line); text-align: left; vertical-align: top; }
th { border-top: 0; color: var(--muted); font-size: 0.85rem; font-weight: 600; }
td:last-child, th:last-child { padding-right: 0; }
td:first-child { min-width: 9rem; }
.id, time { white-space: nowrap; }
summary { cursor: pointer; }
footer { margin-top: 1.5rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (max-width: 48rem) {
  body { padding: 1.2rem 0.7rem 2rem; }
  section { padding: 1rem; }
  thead { display: none; }
  table, caption, tbody, tr, td { display: block; }
  tr { padding: 0.6rem 0; border-top: 1px solid var(--line); }
  td, td:first-child { min-width: 0; padding: 0.1rem 0; border: 0; }
  td[data-l]::before { content: attr(data-l) ': '; color: var(--muted); font-size: 0.85rem; }
}
@media print {
  :root { --page: #fff; --card: #fff; --ink: #000; --muted: #444; --line: #bbb; }
  body { max-width: none; padding: 0; font-size: 11px; }
  nav,   section { padding: 0.5rem 0; border: 0; border-top: 1px solid #000; border-radius: 0; }
  tr { break-inside: avoid; }
}
`;

// Without an icon, Firefox requests /favicon.ico, which the policy forbids, and logs an error.
const EMPTY_ICON = new Html('<link rel="icon" href="data:," />');

// The policy has the hash of exactly this text.
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`);
const hash = createHash('sha256').update(STYLE).digest('base64');

/**
 * What a browser may do with the page (Content Security Policy, level 3): show it with this style. It runs no script, sends no
 * request, and no other page may frame it. In its sandbox, the page acts as no user.
 */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${hash}'`,
  'img-src data:',
  "form-action 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  'sandbox',
].join('; ');

/** The headers of a page. No cache stores it, and no address of it leaves the browser. */
export const PAGE_HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': PAGE_POLICY,
  'Content-Type': 'text/html; charset=utf-8',
  'Referrer-Policy': 'no-referrer',
};

export function createDocument(title: string, body: Content): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        ${EMPTY_ICON} ${STYLE_ELEMENT}
      </head>
      <body>
        ${body}
      </body>
    </html> `;
}
