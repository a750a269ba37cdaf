import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, BrowserContext, Page } from 'playwright-core';
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

  /** Returns whether the browser shows an image by `<img>`. */
  showImage(): Promise<boolean> {
    return this.page.evaluate(
      src =>
        new Promise<boolean>(resolve => {
          const image = new Image();
          image.onload = () => resolve(image.naturalWidth > 0);
          image.onerror = () => resolve(false);
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
 * Follows at the same time a guest who has signed out without a call, as the stock frontend does, a frontend that is idle, and one
 * that is in use, until the first two have no cookie any more. Returns what each has seen.
 */
export async function cookieLife(browser: Browser) {
  const [left, idle, used] = await Promise.all(
    [0, 1, 2].map(() => Frontend.open(browser)),
  );
  await Promise.all([left, idle, used].map(each => each.signIn()));
  const endsAt = Date.now() + MAX_AGE_MS;
  await left.page.close();
  await used.keepSocket();
  const atOnce = await left.visit(DATA);

  const images = new Set<boolean>();
  while (Date.now() < endsAt + 1_000) {
    await used.call();
    images.add(await used.showImage());
    await sleep(CALL_EVERY_MS);
  }
  const seen = {
    left: {
      atOnce,
      hasCookie: await left.hasCookie(),
      later: await left.visit(DATA),
    },
    idle: {
      image: await idle.showImage(),
      nextCall: await idle.call(),
      imageAfterIt: await idle.showImage(),
    },
    used: {
      images: [...images],
      isSocketOpen: await used.isSocketOpen(),
      anotherSocket: (await openWebSocket(used.page, SIGNALS)).status,
      techDocs: await used.visit(`${DOCS}/index.html`),
    },
  };
  await Promise.all([left, idle, used].map(each => each.context.close()));
  return seen;
}

export const EXPECTED_LIFE: Awaited<ReturnType<typeof cookieLife>> = {
  left: { atOnce: 200, hasCookie: false, later: 401 },
  idle: { image: false, nextCall: 200, imageAfterIt: true },
  used: {
    images: [true],
    isSocketOpen: true,
    anotherSocket: 101,
    techDocs: 200,
  },
};
