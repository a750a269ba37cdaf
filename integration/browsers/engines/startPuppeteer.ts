import puppeteer, { LaunchOptions } from 'puppeteer-core';
import { browserOptions } from '../chromium/launchBrowser';
import type { Browser } from './Browser';
import { HOST_NAME } from './World';

const TIME_MS = 10_000;

const OPTIONS: Record<'chromium' | 'firefox', LaunchOptions> = {
  chromium: {
    ...browserOptions(),
    args: [
      ...browserOptions().args,
      `--host-resolver-rules=MAP ${HOST_NAME} 127.0.0.1`,
    ],
  },
  firefox: {
    browser: 'firefox',
    executablePath: '/usr/bin/firefox-esr',
    extraPrefsFirefox: {
      'network.dns.localDomains': HOST_NAME,
      // A page shows an answer in JSON as it is.
      'devtools.jsonview.enabled': false,
    },
  },
};

/** Starts one of Debian's browsers that Puppeteer drives. */
export async function startPuppeteer(
  engine: keyof typeof OPTIONS,
): Promise<Browser> {
  const browser = await puppeteer.launch({
    acceptInsecureCerts: true,
    ...OPTIONS[engine],
  });
  return {
    async openTab() {
      const context = await browser.createBrowserContext();
      const page = await context.newPage();
      page.setDefaultTimeout(TIME_MS);
      const logged: string[] = [];
      page.on('console', message => logged.push(message.text()));
      page.on('pageerror', error => logged.push(String(error)));
      return {
        logged,
        async open(url) {
          await page.goto(url).catch(error => {
            // A page may lead to another one at once. Firefox also says so of a frame that it does not show.
            if (error.name === 'TimeoutError') {
              throw error;
            }
          });
        },
        async url() {
          // Puppeteer misses a page that Firefox shows again. In Chromium, this can hang while a page leads to another one.
          return engine === 'firefox'
            ? page.evaluate(() => location.href).catch(() => page.url())
            : page.url();
        },
        evaluate: (run, ...args) =>
          page.evaluate(run as (...params: unknown[]) => any, ...args),
        async click(selector) {
          // Chromium clicks nothing behind a tab that the page has opened.
          await page.bringToFront();
          await page.click(selector);
        },
        close: () => context.close(),
      };
    },
    close: () => browser.close(),
  };
}
