// Takes the pictures of the page of the policy: see `picture`.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { createPageReport } from '../../../src/__tests__/__testUtils__/pageReport';
import { PAGE_HEADERS } from '../../../src/operators/page/document';
import { renderPage } from '../../../src/operators/page/renderPage';
import { Checks } from '../chromium/Checks';
import { launchBrowser } from '../chromium/launchBrowser';
import { listen } from '../../http';

const IMAGES = path.resolve(__dirname, '../../../docs/images');
/** The time of the pictures, which show times before it. */
const NOW = Date.parse('2026-11-28T10:42:30.000Z');
/** The hash of the HTML that the pictures show. Pixels would differ between the fonts and releases of machines. */
const HASH = path.join(__dirname, 'picture.sha256');

/** Takes a picture as the page is served, with its own policy. */
async function take(
  browser: Browser,
  colorScheme: 'light' | 'dark',
  url: string,
): Promise<Buffer> {
  const page = await browser.newPage({
    colorScheme,
    deviceScaleFactor: 1.5,
    viewport: { width: 1060, height: 800 },
  });
  await page.goto(url);
  const { bottom } = await page.$eval('#exposure', section =>
    section.getBoundingClientRect(),
  );
  const picture = await page.screenshot({
    fullPage: true,
    clip: { x: 0, y: 0, width: 1060, height: Math.ceil(bottom) + 10 },
  });
  await page.close();
  return picture;
}

async function main() {
  Date.now = () => NOW;
  const html = `${renderPage(createPageReport())}`;
  const hash = createHash('sha256').update(html).digest('hex');
  const checks = new Checks();
  if (process.argv[2] === '--check') {
    checks.equal(
      'HTML of the page that docs/images/page*.png show: else run integration/browsers/policyPage/picture',
      hash,
      readFileSync(HASH, 'utf8').trim(),
    );
  } else {
    await takeAll(html, checks);
    writeFileSync(HASH, `${hash}\n`);
  }
  process.exit(checks.finish() ? 0 : 1);
}

async function takeAll(html: string, checks: Checks): Promise<void> {
  const server = await listen(
    createServer((_req, res) => res.writeHead(200, PAGE_HEADERS).end(html)),
  );
  const browser = await launchBrowser();
  for (const [file, colorScheme] of [
    ['page.png', 'light'],
    ['page-dark.png', 'dark'],
  ] as const) {
    const picture = await take(
      browser,
      colorScheme,
      `http://127.0.0.1:${server.port}/`,
    );
    const image = path.join(IMAGES, file);
    writeFileSync(image, picture);
    checks.that(`bytes of ${image}`, true, picture.length);
  }
  await browser.close();
  server.stop();
}

main();
