import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { BACKEND } from './devBackend';
import { Exchange, exchangeDuring } from './exchangeDuring';

const IMAGE_PATH =
  '/api/techdocs/static/docs/default/component/example/image.png';

/** A cookie as DevTools show it (`Network.Cookie` of the DevTools protocol), with the fields that the checks read. */
export interface JarCookie {
  name: string;
  value: string;
  domain: string;
  path: string;
  /** Seconds since the epoch. */
  expires: number;
  /** Bytes of name and value. */
  size: number;
  httpOnly: boolean;
  secure: boolean;
  session: boolean;
  sameSite?: 'Strict' | 'Lax' | 'None';
}

/** The dev page in one tab, as a person uses it. */
export class GatePage {
  private constructor(readonly page: Page) {}

  /** Opens the page in a new tab. */
  static async open(context: BrowserContext) {
    const gatePage = new GatePage(await context.newPage());
    const image = await gatePage.#imageDuring(() =>
      gatePage.page.goto(`${BACKEND}/`),
    );
    return { gatePage, image };
  }

  async signIn(): Promise<Exchange> {
    const image = await this.#imageDuring(() => this.page.click('#sign-in'));
    await this.page
      .locator('#session', { hasText: 'Signed in as' })
      .waitFor()
      .catch(async error => {
        const message = await this.page.textContent('#message');
        throw new Error(`The page says: ${message}`, { cause: error });
      });
    return image;
  }

  async signOut(): Promise<Exchange> {
    const image = await this.#imageDuring(() => this.page.click('#sign-out'));
    await this.page.locator('#session', { hasText: 'Signed out' }).waitFor();
    return image;
  }

  async reload(): Promise<Exchange> {
    return this.#imageDuring(() => this.page.reload());
  }

  /** Reloads the image as a plain `<img>`, without script. */
  async reloadImage(): Promise<Exchange> {
    return this.#imageDuring(() =>
      this.page.evaluate(path => {
        // Remove the last image, so that the next one to appear is this one.
        document.getElementById('image-result')!.replaceChildren();
        const image = document.getElementById('image') as HTMLImageElement;
        image.src = `${path}?t=${Date.now()}`;
      }, IMAGE_PATH),
    );
  }

  /** Returns the request of the image's `<img>` during an action. */
  async #imageDuring(act: () => Promise<unknown>): Promise<Exchange> {
    const exchange = await exchangeDuring(
      this.page,
      ({ url, type }) => type === 'Image' && url.includes(IMAGE_PATH),
      act,
    );
    await this.page
      .locator('#image-state', {
        hasText: exchange.status === 200 ? 'loaded' : 'refused',
      })
      .waitFor();
    // The page then fetches the image itself, to show the answer. Cookies may still change until that is done.
    await this.page.locator('#image-result button').waitFor();
    return exchange;
  }

  /** Presses "Open". Returns the page's text about its WebSocket once that has opened or failed. */
  async openSocket(): Promise<string> {
    await this.page.click('#open-socket');
    return this.socketState(/^(open: |refused$)/);
  }

  /** Returns the page's text about its WebSocket, without times, once it matches. */
  async socketState(expected: RegExp): Promise<string> {
    const state = this.page.locator('#socket-state', { hasText: expected });
    const text = await state.innerText();
    return text.replace(/: .*/, ', the time arrives');
  }

  /** Returns the width in pixels of the image itself: 0 without an image. */
  async imageWidth(): Promise<number> {
    return this.page.$eval(
      '#image',
      image => (image as HTMLImageElement).naturalWidth,
    );
  }

  /** Presses "Run all". Returns the statuses by path, in the order of the page, for one way of sending a credential. */
  async runAll(): Promise<(column: 'none' | 'token' | 'cookie') => unknown> {
    await this.page.click('#run-all');
    await this.page.getByText(/^\d+ calls: /).waitFor();
    const cells = await this.page.$$eval('td[data-call]', tds =>
      tds.map(td => ({
        call: (td as HTMLElement).dataset.call!,
        with: (td as HTMLElement).dataset.with,
        status: Number(td.querySelector('.status')?.textContent),
      })),
    );
    return column =>
      Object.fromEntries(
        cells
          .filter(cell => cell.with === column)
          .map(({ call, status }) => [call, status]),
      );
  }

  /** Returns all cookies that this profile has for the backend, as DevTools show them. */
  async cookies(): Promise<JarCookie[]> {
    const { cookies } = await this.#withDevTools(devTools =>
      devTools.send('Network.getCookies', { urls: [`${BACKEND}/api/`] }),
    );
    return cookies.sort((a, b) => a.name.localeCompare(b.name));
  }

  /** Restores a cookie, as an attacker with a stolen cookie would. */
  async putCookie(cookie: JarCookie) {
    const { name, value, httpOnly, secure, sameSite } = cookie;
    await this.#withDevTools(devTools =>
      devTools.send('Network.setCookie', {
        name,
        value,
        httpOnly,
        secure,
        sameSite,
        url: BACKEND,
      }),
    );
  }

  async #withDevTools<T>(
    use: (devTools: CDPSession) => Promise<T>,
  ): Promise<T> {
    const devTools = await this.page.context().newCDPSession(this.page);
    try {
      return await use(devTools);
    } finally {
      await devTools.detach();
    }
  }
}
