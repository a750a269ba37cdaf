// Signs in and out in a real browser, on the page of the dev backend, and checks the behaviour of the browser itself: the cookies
// that it keeps, and the requests that it sends them with.
import { setTimeout as sleep } from 'node:timers/promises';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { decodeJwt } from 'jose';
import { Browser, BrowserContext, Page } from 'playwright-core';
import { withTimeout } from '../../../src/gate/util/time';
import { afterSignOut } from './afterSignOut';
import { basicInFront } from './basicInFront';
import { cachedContent } from './cachedContent';
import { Checks } from './Checks';
import { clearedCache } from './clearedCache';
import { codeFromCache } from './codeFromCache';
import { cookieLife, EXPECTED_LIFE } from './cookieLife';
import { differenceOnLoad } from './demoPage';
import { BACKEND, withDevBackend } from './devBackend';
import { Exchange, exchangeDuring, isGateCookie } from './exchangeDuring';
import { GatePage, JarCookie } from './GatePage';
import { launchBrowser } from './launchBrowser';
import {
  codeByCookie,
  contentByCookie,
  linkFromAnotherSite,
  startProxied,
  storedByBearer,
} from './openedByCookie';
import { openWebSocket } from './openWebSocket';
import { startOtherOrigin } from './otherOrigin';
import { withSecureBackend } from './withSecureBackend';

const DATA = `${BACKEND}/api/hello/data`;
const SIGNALS = `${BACKEND.replace(/^http/, 'ws')}/api/signals`;
const LARGE_TOKEN_BYTES = 5500;
const IMAGE_WIDTH = 160;
/** Ends a group of checks that waits for an event that does not come. The longest one takes 40 s. */
const GROUP_TIME_MS = 150_000;
/** Backstage's own cookie. The endpoint where the page signs in sets it too. */
const STOCK = 'backstage-auth';

const NO_COOKIE: Exchange = {
  status: 401,
  gate: 'refused: missing-credentials',
  gateCookie: 'none',
  authorization: false,
};
const BY_COOKIE: Exchange = {
  status: 200,
  gate: 'passed: cookie',
  gateCookie: 'sent: token',
  authorization: false,
};
const REVOKED: Exchange = {
  ...BY_COOKIE,
  status: 401,
  gate: 'refused: revoked',
};
// SameSite=Lax: the browser sends no cookie with another site's forms, nor with its images.
const OTHER_SITE: Exchange = {
  ...NO_COOKIE,
  gateCookie: 'withheld: SameSite=Lax',
};
// Another port is the same site: the browser sends the cookie, and the gate has to refuse the request.
const SAME_SITE: Exchange = {
  ...BY_COOKIE,
  status: 403,
  gate: 'refused: cross-site',
};

const checks = new Checks();
const folder = mkdtempSync(path.join(tmpdir(), 'api-gate-e2e-'));
const inFolder = (name: string) => path.join(folder, name);

async function main() {
  console.log(`Screenshots and logs: ${folder}`);
  const browser = await launchBrowser();
  /** Runs a group of checks in a browser profile of its own. */
  const check = (
    title: string,
    run: (context: BrowserContext) => Promise<void>,
  ) => checks.groupOrAgain(title, () => withContext(browser, run));

  let largeCookies: JarCookie[] = [];
  await checks.group('Backend with large tokens', () =>
    withDevBackend(
      { logFile: inFolder('large.log'), configFiles: [largeTokenConfig()] },
      () =>
        check('A large token', async context => {
          largeCookies = await largeToken(context);
        }),
    ),
  );
  await checks.group('Backend as npm start runs it', () =>
    withDevBackend({ logFile: inFolder('backend.log') }, async () => {
      await check('Signed out', signedOut);
      await check('Signed in', signedIn);
      await check('A short token after a large one', context =>
        shortAfterLarge(context, largeCookies),
      );
      await check('Other origins', otherOrigins);
      await check('Sign-out', signOut);
      await check('Two tabs', twoTabs);
      await check('WebSockets', webSockets);
      await check('The page of npm start', context =>
        differenceOnLoad(context, checks),
      );
    }),
  );
  await checks.group(
    'Backend that proxies another server, with a short cookie',
    () => proxied(browser, check),
  );
  await browser.close();
  process.exit(checks.finish() ? 0 : 1);
}

async function proxied(
  browser: Browser,
  check: (
    title: string,
    run: (context: BrowserContext) => Promise<void>,
  ) => Promise<void>,
) {
  const { server, config } = await startProxied();
  const configFile = writeConfig('proxied', config);
  try {
    await withDevBackend(
      { logFile: inFolder('proxied.log'), configFiles: [configFile] },
      async () => {
        // It takes a minute, most of which it waits. The other checks run meanwhile, and sign in anew.
        const life = withinGroupTime(cookieLife(browser));
        life.catch(() => {});
        await check('[P16] A link from another site', context =>
          linkFromAnotherSite(context, checks, server),
        );
        await check('[P16] A page that was stored with a token', context =>
          storedByBearer(context, checks, server),
        );
        await check('[P16] Code, by the cookie', context =>
          codeByCookie(context, checks),
        );
        await check('Content, by the cookie', context =>
          contentByCookie(context, checks),
        );
        // The others need this backend no more.
        await checks.group('A cache that is cleared', () =>
          withinGroupTime(clearedCache(browser, checks)),
        );
        await checks.group('[P61] Basic in front of the backend', () =>
          withinGroupTime(basicInFront(browser, folder, checks)),
        );
        await checks.group('Backend on https', onHttps);
        await checks.group('[P48] The life of the cookie', async () =>
          checks.equal('what each sees', await life, EXPECTED_LIFE),
        );
      },
    );
  } finally {
    server.stop();
  }
}

async function onHttps() {
  await withSecureBackend(folder, async backend => {
    const browser = await launchBrowser(backend.home);
    await checks.group('[P46] Code from the cache', () =>
      codeFromCache(backend, browser, checks),
    );
    await checks.group('Content from the cache', () =>
      cachedContent(backend, browser, checks),
    );
    await browser.close();
    await checks.group('[P47] Pages after the sign-out', () =>
      afterSignOut(backend, folder, checks),
    );
  });
}

async function withContext(
  browser: Browser,
  run: (context: BrowserContext) => Promise<void>,
) {
  const context = await browser.newContext();
  context.setDefaultTimeout(10_000);
  try {
    await withinGroupTime(run(context));
  } finally {
    await context.close();
  }
}

function withinGroupTime<T>(group: Promise<T>): Promise<T> {
  return withTimeout(
    group,
    GROUP_TIME_MS,
    `The group was not over in ${GROUP_TIME_MS / 1000} s`,
  );
}

/** Writes a file of the configuration. Returns its path. */
function writeConfig(name: string, config: object): string {
  const file = inFolder(`app-config.${name}.json`);
  writeFileSync(file, JSON.stringify(config));
  return file;
}

/** Writes a configuration in which guests own so many groups that a token which names them is too large for one cookie. */
function largeTokenConfig(): string {
  const groups = [];
  // A token is in base64, and has a signature and other claims.
  while (JSON.stringify(groups).length < (LARGE_TOKEN_BYTES - 450) * 0.75) {
    groups.push(`group:development/team-${groups.length}-of-many`);
  }
  const guest = {
    // This user is not in the catalog, since the catalog would override the groups of a user that it has.
    userEntityRef: 'user:development/large',
    ownershipEntityRefs: groups,
  };
  return writeConfig('large', {
    auth: {
      omitIdentityTokenOwnershipClaim: false,
      providers: { guest },
    },
  });
}

async function largeToken(context: BrowserContext): Promise<JarCookie[]> {
  const { gatePage } = await GatePage.open(context);
  const byParts = { ...BY_COOKIE, gateCookie: 'sent: token.0, token.1' };
  checks.equal('image, by cookie', await gatePage.signIn(), byParts);
  checks.equal('width of the image', await gatePage.imageWidth(), IMAGE_WIDTH);

  const cookies = await gatePage.cookies();
  checks.equal('cookies', namesOf(cookies), [STOCK, 'token.0', 'token.1']);
  const parts = cookies.filter(({ name }) => isGateCookie(name));
  const token = tokenOf(parts);
  checks.that(
    'sizes in bytes: a token too large for one cookie is in parts that are not',
    token.length > 4096 && parts.every(({ size }) => size <= 4096),
    {
      token: token.length,
      ...Object.fromEntries(parts.map(({ name, size }) => [name, size])),
    },
  );
  await checkFlags(gatePage.page, parts);

  const image = await gatePage.signOut();
  checks.equal('cookies after sign-out', await gatePage.cookies(), []);
  checks.equal('image after sign-out', image, NO_COOKIE);
  return parts;
}

/** @param cookies - the gate's, of one token */
async function checkFlags(page: Page, cookies: JarCookie[]) {
  const { exp } = decodeJwt(tokenOf(cookies));
  for (const cookie of cookies) {
    const { name, httpOnly, sameSite, path: cookiePath } = cookie;
    const { domain, secure, expires } = cookie;
    checks.equal(
      `flags of ${name}`,
      { httpOnly, sameSite, path: cookiePath, domain, secure },
      {
        httpOnly: true,
        sameSite: 'Lax',
        path: '/',
        // Other hosts would get the cookie too if the domain had a leading dot.
        domain: 'localhost',
        // The backend is on http here.
        secure: false,
      },
    );
    // Chromium adds the difference between its clock and the `Date` of the answer, which has whole seconds.
    const age = expires - Date.now() / 1000;
    checks.that(
      `${name} ends with the token, and in 15 minutes at most, as a guest's`,
      expires < exp! + 2 && age < 15 * 60 + 2 && age > 14 * 60,
      { expires, exp },
    );
  }
  checks.equal(
    'document.cookie',
    await page.evaluate(() => document.cookie),
    '',
  );
}

async function signedOut(context: BrowserContext) {
  const { gatePage, image } = await GatePage.open(context);
  checks.equal('image', image, NO_COOKIE);
  checks.equal('width of the image', await gatePage.imageWidth(), 0);
  const statuses = await gatePage.runAll();
  const expected = {
    '/api/catalog/entities': 401,
    '/api/hello/data': 401,
    '/api/hello/health': 200,
    '/api/badge/status.svg': 200,
    '/api/proxy/echo': 401,
    '/api/nosuchplugin/x': 401,
  };
  checks.equal('calls without a credential', statuses('none'), expected);
  checks.equal('calls with no cookie to send', statuses('cookie'), expected);
  checks.equal('cookies', await gatePage.cookies(), []);
  await screenshot(gatePage.page, 'signed-out');
}

async function signedIn(context: BrowserContext) {
  const { gatePage } = await GatePage.open(context);
  const { page } = gatePage;
  checks.equal('image, by cookie', await gatePage.signIn(), BY_COOKIE);
  checks.equal('width of the image', await gatePage.imageWidth(), IMAGE_WIDTH);
  const statuses = await gatePage.runAll();
  const expected = {
    '/api/catalog/entities': 200,
    '/api/hello/data': 200,
    '/api/hello/health': 200,
    '/api/badge/status.svg': 200,
    '/api/proxy/echo': 200,
    '/api/nosuchplugin/x': 404,
  };
  checks.equal('calls with the token', statuses('token'), expected);
  checks.equal('calls with the cookie', statuses('cookie'), expected);
  checks.equal('calls without a credential', statuses('none'), {
    ...expected,
    '/api/catalog/entities': 401,
    '/api/hello/data': 401,
    '/api/proxy/echo': 401,
    '/api/nosuchplugin/x': 401,
  });

  const cookies = await gatePage.cookies();
  checks.equal('cookies', namesOf(cookies), [STOCK, 'token']);
  const own = cookies.filter(({ name }) => isGateCookie(name));
  checks.that('size in bytes', own[0].size < 4096, own[0].size);
  await checkFlags(page, own);
  checks.equal(
    'what the page has stored elsewhere',
    await page.evaluate(() => [localStorage.length, sessionStorage.length]),
    [0, 0],
  );
  await screenshot(page, 'signed-in');
  await page.setViewportSize({ width: 390, height: 844 });
  await screenshot(page, 'phone');
  checks.equal(
    'a phone scrolls in one direction only: width of the page',
    await page.evaluate(() => document.documentElement.scrollWidth),
    390,
  );

  checks.equal('image after a reload', await gatePage.reload(), BY_COOKIE);
  checks.equal(
    'what the page says then',
    await page.textContent('#session'),
    'Signed in by the cookie alone',
  );
  await screenshot(page, 'phone-after-reload');
}

async function shortAfterLarge(
  context: BrowserContext,
  largeCookies: JarCookie[],
) {
  const { gatePage } = await GatePage.open(context);
  for (const cookie of largeCookies) {
    await gatePage.putCookie(cookie);
  }
  const before = namesOf(await gatePage.cookies());
  checks.equal('cookies before', before, ['token.0', 'token.1']);
  const image = await gatePage.signIn();
  const after = namesOf(await gatePage.cookies());
  checks.equal('cookies after', after, [STOCK, 'token']);
  checks.equal('image, by cookie', image, BY_COOKIE);
}

async function otherOrigins(context: BrowserContext) {
  const { gatePage } = await GatePage.open(context);
  await gatePage.signIn();
  const other = await startOtherOrigin(DATA);
  try {
    const { crossSite, sameSite } = other;
    checks.equal(
      `form POST from another site, ${crossSite}`,
      await postForm(context, crossSite),
      { ...OTHER_SITE, answer: 'Missing credentials' },
    );
    checks.equal(
      'fetch POST with credentials from there',
      await postByFetch(context, crossSite),
      OTHER_SITE,
    );
    checks.equal(
      'image GET from there',
      await getImage(context, crossSite),
      OTHER_SITE,
    );
    checks.equal(
      `form POST from another origin of the same site, ${sameSite}`,
      await postForm(context, sameSite),
      {
        ...SAME_SITE,
        answer:
          'Pages of other sites may not use the cookie; auth.apiGate.cookie.trustedOrigins names those that may',
      },
    );
    checks.equal(
      'fetch POST with credentials from there',
      await postByFetch(context, sameSite),
      SAME_SITE,
    );
  } finally {
    other.stop();
  }
  checks.equal(
    'fetch POST from the page itself passes the gate',
    await postByFetch(context, BACKEND),
    BY_COOKIE,
  );
  const image = await gatePage.reloadImage();
  checks.equal('image on the page itself, still signed in', image, BY_COOKIE);
}

/** Opens an origin's page and performs an action that makes the browser send a request to the backend. */
async function requestFrom(
  context: BrowserContext,
  origin: string,
  method: string,
  act: (page: Page) => Promise<unknown>,
): Promise<Exchange> {
  const page = await context.newPage();
  await page.goto(`${origin}/`);
  const exchange = await exchangeDuring(
    page,
    request => request.url === DATA && request.method === method,
    () => act(page),
  );
  await page.close();
  return exchange;
}

/** Submits the origin's form, which navigates to the answer. */
async function postForm(context: BrowserContext, origin: string) {
  let answer;
  const exchange = await requestFrom(context, origin, 'POST', async page => {
    await page.click('button');
    await page.waitForURL(DATA);
    answer = JSON.parse(await page.locator('pre').innerText()).error.message;
  });
  return { ...exchange, answer };
}

function postByFetch(context: BrowserContext, origin: string) {
  return requestFrom(context, origin, 'POST', page =>
    page.evaluate(
      url =>
        fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include' }),
      DATA,
    ),
  );
}

function getImage(context: BrowserContext, origin: string) {
  return requestFrom(context, origin, 'GET', page =>
    page.evaluate(url => {
      new Image().src = url;
    }, DATA),
  );
}

async function signOut(context: BrowserContext) {
  const { gatePage } = await GatePage.open(context);
  await gatePage.signIn();
  const [stock, own] = await gatePage.cookies();
  checks.equal('cookies before', namesOf([stock, own]), [STOCK, 'token']);
  checks.equal('token as bearer before', await statusAsBearer(own), 200);

  const image = await gatePage.signOut();
  checks.equal('cookies', await gatePage.cookies(), []);
  checks.equal('image', image, NO_COOKIE);
  checks.equal(
    'what the page says',
    await gatePage.page.textContent('#cookie-note'),
    'The cookie is gone. The token that this page had gets 401 now.',
  );
  await screenshot(gatePage.page, 'after-sign-out');
  checks.equal('image after a reload', await gatePage.reload(), NO_COOKIE);

  await gatePage.putCookie(own);
  checks.equal(
    'image with the old cookie, put back',
    await gatePage.reloadImage(),
    REVOKED,
  );
  checks.equal('cookies: it was taken back', await gatePage.cookies(), []);
  checks.equal('old token as bearer', await statusAsBearer(own), 401);
  await gatePage.putCookie(stock);
  checks.equal(
    "image with Backstage's own old cookie, put back",
    await gatePage.reloadImage(),
    { ...REVOKED, gateCookie: 'none' },
  );

  // Two sign-ins of one user within one second are one session, and that one was revoked.
  await sleep(1_000);
  checks.equal(
    'image after signing in again',
    await gatePage.signIn(),
    BY_COOKIE,
  );
}

async function statusAsBearer({ value }: { value: string }): Promise<number> {
  const { status } = await fetch(DATA, {
    headers: { Authorization: `Bearer ${value}` },
  });
  return status;
}

async function twoTabs(context: BrowserContext) {
  const { gatePage: first } = await GatePage.open(context);
  await first.signIn();
  const { gatePage: second, image } = await GatePage.open(context);
  checks.equal('image in a second tab before it signs in', image, BY_COOKIE);
  const [, firstCookie] = await first.cookies();
  await second.signIn();
  for (const tab of [first, second]) {
    checks.equal(
      'image in each tab, both signed in',
      await tab.reloadImage(),
      BY_COOKIE,
    );
  }
  const [, secondCookie] = await first.cookies();

  await first.signOut();
  checks.equal(
    'image in the second tab after sign-out in the first',
    await second.reloadImage(),
    NO_COOKIE,
  );
  checks.equal('cookies', await second.cookies(), []);
  checks.equal(
    "the tabs' tokens as bearer",
    [await statusAsBearer(firstCookie), await statusAsBearer(secondCookie)],
    [401, 401],
  );
}

async function webSockets(context: BrowserContext) {
  const { gatePage } = await GatePage.open(context);
  const { page } = gatePage;
  const refused = { message: 'none', status: 401, token: false };
  checks.equal('signed out', await openWebSocket(page, SIGNALS), {
    ...refused,
    origin: BACKEND,
  });
  checks.equal('what the page says', await gatePage.openSocket(), 'refused');

  // A new sign-in in the same second would be the session that the checks before have revoked.
  await sleep(1_000);
  await gatePage.signIn();
  checks.equal('by the cookie alone', await openWebSocket(page, SIGNALS), {
    message: 'clock',
    status: 101,
    origin: BACKEND,
    token: false,
  });

  const other = await startOtherOrigin(DATA);
  try {
    const from = async (origin: string) => {
      const foreign = await context.newPage();
      await foreign.goto(`${origin}/`);
      const outcome = await openWebSocket(foreign, SIGNALS);
      await foreign.close();
      return outcome;
    };
    const { crossSite, sameSite } = other;
    // SameSite=Lax: the browser sends no cookie from there.
    checks.equal(`from another site, ${crossSite}`, await from(crossSite), {
      ...refused,
      origin: crossSite,
    });
    // The browser sends the cookie here, and the gate has to refuse the request: without a cookie, the answer would be 401.
    checks.equal(
      `from another origin of the same site, ${sameSite}`,
      await from(sameSite),
      { ...refused, status: 403, origin: sameSite },
    );
  } finally {
    other.stop();
  }

  checks.equal(
    'what the page says',
    await gatePage.openSocket(),
    'open, the time arrives',
  );
  await screenshot(page, 'web-socket');
  const [, own] = await gatePage.cookies();
  await gatePage.signOut();
  checks.equal(
    'what the page says of the open one after sign-out',
    await gatePage.socketState(/^closed/),
    'closed by the backend',
  );
  checks.equal(
    'what it says of another',
    await gatePage.openSocket(),
    'refused',
  );
  await gatePage.putCookie(own);
  checks.equal(
    'with the old cookie, put back',
    await openWebSocket(page, SIGNALS),
    { ...refused, origin: BACKEND },
  );
}

function namesOf(cookies: JarCookie[]): string[] {
  return cookies.map(({ name }) => name);
}

/** @param parts - all of the gate's cookies, in their order */
function tokenOf(parts: JarCookie[]): string {
  return parts.map(({ value }) => value).join('');
}

async function screenshot(page: Page, name: string) {
  await page.screenshot({ path: inFolder(`${name}.png`), fullPage: true });
}

main().catch(error => {
  console.error(error);
  process.exit(1);
});
