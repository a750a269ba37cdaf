import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';
import type { Response } from 'express';
import { createPageErrorAnswer, PageError } from './createPageErrorAnswer';

/** Returns what a browser gets, and the text of the page without its tags. */
function answerOf(error: PageError, config: JsonObject = {}) {
  const answer = {
    status: 0,
    headers: {} as Record<string, unknown>,
    page: '',
  };
  const res = {
    writeHead(status: number, headers: {}) {
      Object.assign(answer, { status, headers });
    },
    end(page: string) {
      answer.page = page;
    },
  } as unknown as Response;
  createPageErrorAnswer(new ConfigReader(config))(res, error);
  const [, body] = answer.page.split('<body>');
  const text = body
    .replace(/<[^>]*>/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  return { ...answer, text };
}

const anonymous = { status: 401, message: 'any' };

it.each([
  [
    'https://backstage.example.com/a"b//',
    [
      'href="https://backstage.example.com/a&quot;b"',
      'href="https://backstage.example.com/a&quot;b/docs/default/component/any"',
    ],
  ],
  ['data:text/html,https://x', null],
  ['', null],
])(
  'with app.baseUrl %s, a browser that is to sign in gets the links %j',
  (baseUrl, links) => {
    const { page, text } = answerOf(anonymous, {
      app: baseUrl ? { baseUrl } : {},
    });
    expect(page.match(/(?<=<a )href="[^"]*"/g)).toEqual(links);
    expect(text).toBe(
      'Sign in to Backstage first This page is for operators of the API gate. Sign in to Backstage in this browser, wait until it has loaded, and load this page again. If Backstage has another address than this page, open a page of TechDocs there first, even if nothing is documented: plain calls to another address set no cookie. If you are signed in, an operator may have signed you out for some time.',
    );
  },
);

it.each<[PageError, string, JsonObject]>([
  [
    anonymous,
    'This page needs a token A browser can not sign in here, since auth.apiGate.cookie.enabled is false. A client that sends the token of an operator in Authorization gets this page.',
    { auth: { apiGate: { cookie: { enabled: false } } } },
  ],
  [
    { status: 403, message: 'Not <allowed>' },
    'This page is for operators Not &lt;allowed&gt;. Ask those who run this Backstage to add you, or a group of yours, to auth.apiGate.operators. With the permission auth.api-gate.revoke denied to you, you can read this page and end no sessions.',
    {},
  ],
  [
    { status: 403, message: 'Cross-site', id: 'a1' },
    'This page can not be shown now Cross-site. Id of this refusal: a1',
    {},
  ],
  [
    { status: 503, message: 'Down' },
    'This page can not be shown now Down.',
    {},
  ],
])('for %j, it says: %s', (error, said, config) => {
  const { headers, page, status, text } = answerOf(error, config);
  expect(text).toBe(said);
  expect(status).toBe(error.status);
  expect(page).toMatch(new RegExp(`<title>${said.slice(0, 20)}.*</title>`));
  expect(headers).toEqual({
    'Cache-Control': 'no-store',
    'Content-Length': Buffer.byteLength(page),
    'Content-Security-Policy': expect.stringMatching(
      /^default-src 'none'; .*; base-uri 'none'; sandbox$/,
    ),
    'Content-Type': 'text/html; charset=utf-8',
    'Referrer-Policy': 'no-referrer',
  });
});
