import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { BACKEND } from './devBackend';
import { Exchange, exchangeDuring } from './exchangeDuring';

const IMAGE_PATH =
  '/api/techdocs/static/docs/default/component/example/image.png';

/** A cookie as DevTools show it (`Network.Cookie` of the DevTools protocol), as far as it is looked at here. */
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
      .getByText('Signed in as')
      .waitFor()
      .catch(async error => {
        const message = await this.page.textContent('#message');
        throw new Error(`The page says: ${message}`, { cause: error });
      });
    return image;
  }

  async signOut(): Promise<Exchange> {
    const image = await this.#imageDuring(() => this.page.click('#sign-out'));
    await this.page.getByText('Signed out').waitFor();
    return image;
  }

  async reload(): Promise<Exchange> {
    return this.#imageDuring(() => this.page.reload());
  }

  /** Loads the image once more, as `<img>` alone, with nothing of the page's. */
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

  /** The request of the image's `<img>` while something is done. */
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
    // The page then asks for the image itself, to show the answer. Until that is there, cookies may still change.
    await this.page.locator('#image-result button').waitFor();
    return exchange;
  }

  /** Presses "Open". What the page says of its WebSocket once that has come to something. */
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

  /** In pixels of the image itself: 0 if there is none to show. */
  async imageWidth(): Promise<number> {
    return this.page.$eval(
      '#image',
      image => (image as HTMLImageElement).naturalWidth,
    );
  }

  /** Presses "Run all". The statuses by path, in the order of the page, for one way of sending a credential. */
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

  /** All cookies that this profile has for the backend, as DevTools show them. */
  async cookies(): Promise<JarCookie[]> {
    const { cookies } = await this.#withDevTools(devTools =>
      devTools.send('Network.getCookies', { urls: [`${BACKEND}/api/`] }),
    );
    return cookies.sort((a, b) => a.name.localeCompare(b.name));
  }

  /** Puts a cookie back as it was, as one who has stolen it would. */
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
