import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { Checks } from './Checks';
import { BACKEND } from './devBackend';
import { isGateCookie } from './exchangeDuring';
import { openWebSocket } from './openWebSocket';

/** The shortest life that the configuration takes. Clocks are real: neither the cookies nor the backend follow Playwright's. */
export const MAX_AGE_MS = 60_000;

const CALL_EVERY_MS = 5_000;
const DATA = '/api/hello/data';
const DOCS = '/api/techdocs/static/docs/default/component/example';
const SIGNALS = `${BACKEND.replace(/^http/, 'ws')}/api/signals`;

/** A frontend in a browser profile of its own, without Backstage's own cookie, which would open images too. */
class Frontend {
  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
  ) {}

  static async open(browser: Browser): Promise<Frontend> {
    const context = await browser.newContext();
    const page = await context.newPage();
    // A page of the backend's origin that makes no calls by itself.
    await page.goto(`${BACKEND}/api/hello/health`);
    return new Frontend(context, page);
  }

  /** Signs in as the stock frontend signs a guest in, and makes a call. */
  async signIn(): Promise<void> {
    await this.page.evaluate(async () => {
      const response = await fetch('/api/auth/guest/refresh');
      const { token } = (await response.json()).backstageIdentity;
      Object.assign(window, { token });
    });
    await this.call();
  }

  /** Makes a call with the bearer token. */
  call(): Promise<number> {
    return this.page.evaluate(async path => {
      const { token } = window as unknown as { token: string };
      const headers = { Authorization: `Bearer ${token}` };
      return (await fetch(path, { headers })).status;
    }, DATA);
  }

  /** Shows an image by `<img>`. Returns its width, 0 if it fails. */
  showImage(): Promise<number> {
    return this.page.evaluate(
      src =>
        new Promise<number>(resolve => {
          const image = new Image();
          image.onload = () => resolve(image.naturalWidth);
          image.onerror = () => resolve(0);
          image.src = src;
        }),
      `${DOCS}/image.png?t=${Date.now()}`,
    );
  }

  /** Opens an address in a new tab, as a person does. */
  async visit(path: string): Promise<number | undefined> {
    const tab = await this.context.newPage();
    const response = await tab.goto(`${BACKEND}${path}`);
    await tab.close();
    return response?.status();
  }

  /** Opens a WebSocket that stays open. */
  async keepSocket(): Promise<void> {
    await this.page.evaluate(
      url =>
        new Promise<void>((resolve, reject) => {
          const socket = new WebSocket(url);
          Object.assign(window, { socket });
          socket.onopen = () => resolve();
          socket.onerror = () => reject(new Error('The WebSocket failed'));
        }),
      SIGNALS,
    );
  }

  isSocketOpen(): Promise<boolean> {
    return this.page.evaluate(
      () =>
        (window as unknown as { socket: WebSocket }).socket.readyState ===
        WebSocket.OPEN,
    );
  }

  async hasCookie(): Promise<boolean> {
    const cookies = await this.context.cookies(BACKEND);
    return cookies.some(({ name }) => isGateCookie(name));
  }
}

/**
 * Checks at the same time a guest who has signed out without a call, as the stock frontend does, a frontend that is idle, and one
 * that is in use, until the first two have no cookie any more.
 */
export async function cookieLife(
  browser: Browser,
  checks: Checks,
): Promise<void> {
  const [left, idle, used] = await Promise.all(
    [0, 1, 2].map(() => Frontend.open(browser)),
  );
  await Promise.all([left, idle, used].map(each => each.signIn()));
  const endsAt = Date.now() + MAX_AGE_MS;
  await left.page.close();
  await used.keepSocket();
  checks.equal(
    'by the cookie that is left behind, at once',
    await left.visit(DATA),
    200,
  );

  const widths: number[] = [];
  while (Date.now() < endsAt + 1_000) {
    await used.call();
    widths.push(await used.showImage());
    await sleep(CALL_EVERY_MS);
  }
  checks.equal(
    'the cookie that was left behind',
    await left.hasCookie(),
    false,
  );
  checks.equal('what it opened', await left.visit(DATA), 401);

  checks.equal('an image of an idle page', await idle.showImage(), 0);
  await idle.call();
  checks.equal('after its next call', await idle.showImage(), widths[0]);

  checks.that(
    'widths of the images that a frontend in use has shown meanwhile',
    widths[0] > 0 && new Set(widths).size === 1,
    widths,
  );
  checks.equal('its WebSocket is open', await used.isSocketOpen(), true);
  const { status } = await openWebSocket(used.page, SIGNALS);
  checks.equal('another one', status, 101);
  checks.equal(
    'a page of TechDocs',
    await used.visit(`${DOCS}/index.html`),
    200,
  );
  await Promise.all([left, idle, used].map(each => each.context.close()));
}
