import type { Page } from 'puppeteer-core';
import type { Checks } from '../chromium/Checks';
import { ENCTYPES } from './checkForms';
import { Exchange, HOOK, HOST_NAME, signIn, World } from './World';

/** Makes Firefox send a request from a page of the frontend. */
type Send = (page: Page) => Promise<unknown>;

const fetchBy =
  (init: RequestInit, address = HOOK): Send =>
  page =>
    page.evaluate(
      async (to, options) => {
        await fetch(to, options);
      },
      address,
      init,
    );

const submit =
  (attributes: Partial<HTMLFormElement>): Send =>
  page =>
    Promise.all([
      page.waitForNavigation(),
      page.evaluate(own => {
        const form = document.createElement('form');
        document.body.append(Object.assign(form, own));
        form.requestSubmit();
      }, attributes),
    ]);

const redirectBy = (status: number) => `${HOOK}?redirect=${status}`;
const POST = { method: 'POST' };
const noCors = fetchBy({ ...POST, mode: 'no-cors' });
const form = submit({ ...POST, action: HOOK });
const beacon: Send = page =>
  page.evaluate(to => navigator.sendBeacon(to, 'text'), HOOK);

const PASSED = { cookie: true, status: 200, ran: true };

const REQUESTS: Record<string, Send> = {
  'fetch GET': fetchBy({}),
  'fetch POST': fetchBy(POST),
  'fetch DELETE': fetchBy({ method: 'DELETE' }),
  'fetch POST, by 307': fetchBy(POST, redirectBy(307)),
  'fetch POST, no-cors': noCors,
  sendBeacon: beacon,
  ...Object.fromEntries(
    ENCTYPES.map(enctype => [
      `form, ${enctype}`,
      submit({ ...POST, action: HOOK, enctype }),
    ]),
  ),
  'form, by 302': submit({ ...POST, action: redirectBy(302) }),
  'form, by 303': submit({ ...POST, action: redirectBy(303) }),
  'form, GET': submit({ action: HOOK }),
  image: page =>
    page.evaluate(src => {
      document.body.append(Object.assign(new Image(), { src }));
    }, HOOK),
  'a typed address': page => page.goto(new URL(HOOK, page.url()).href),
};

/** Checks that the requests of the frontend's own page pass by the cookie. */
export async function checkOwnRequests(
  page: Page,
  checks: Checks,
  { url, during }: World,
) {
  await signIn(page, url);
  for (const [title, send] of Object.entries(REQUESTS)) {
    await page.goto(`${url}/`);
    const { site, origin, ...others } = await during(() => send(page));
    checks.equal(`${title}: sent with ${site} and ${origin}`, others, PASSED);
  }

  // Firefox sends the same headers for an attack.
  for (const status of [307, 308]) {
    await page.goto(`${url}/`);
    const send = submit({ ...POST, action: redirectBy(status) });
    checks.equal(`form, by ${status}`, await during(() => send(page)), {
      site: 'none',
      origin: 'null',
      cookie: true,
      status: 403,
      ran: false,
    });
  }
}

/** Checks what docs/browsers-and-cookies.md says of plain http, where Firefox sends no `Sec-Fetch-Site`. */
export async function checkHostName(
  page: Page,
  checks: Checks,
  { port, during }: World,
) {
  const url = `http://${HOST_NAME}:${port}`;
  await signIn(page, url);
  const refused = {
    site: undefined,
    origin: 'null',
    cookie: true,
    status: 403,
    ran: false,
  };
  const expected: [string, Send, Exchange][] = [
    ['fetch POST', fetchBy(POST), { ...PASSED, site: undefined, origin: url }],
    ['fetch POST, no-cors', noCors, refused],
    ['sendBeacon', beacon, refused],
    ['form', form, refused],
  ];
  for (const [title, send, exchange] of expected) {
    await page.goto(`${url}/`);
    checks.equal(title, await during(() => send(page)), exchange);
  }
}
