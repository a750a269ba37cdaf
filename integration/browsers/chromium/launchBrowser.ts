import { Browser, chromium } from 'playwright-core';

/**
 * Returns the options that start Debian's Chromium, without a window.
 *
 * @param home - a folder that Chromium uses as the user's home, with the certificate authorities in it
 */
export function browserOptions(home?: string) {
  return {
    executablePath: '/usr/bin/chromium',
    env: { ...process.env, ...(home && { HOME: home }) } as Record<
      string,
      string
    >,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  };
}

export function launchBrowser(home?: string): Promise<Browser> {
  return chromium.launch(browserOptions(home));
}
