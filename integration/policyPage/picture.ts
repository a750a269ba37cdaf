// Takes the pictures of the page of the policy: see `picture`.
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { createPageReport } from '../../src/__testUtils__/pageReport';
import { PAGE_HEADERS, PAGE_POLICY } from '../../src/page/document';
import { renderPage } from '../../src/page/renderPage';
import { Checks } from '../browser/Checks';
import { launchBrowser } from '../browser/launchBrowser';
import { listen } from '../http';

const IMAGES = path.resolve(__dirname, '../../docs/images');
/** The time of the pictures, which show times before it. */
const NOW = Date.parse('2026-11-28T10:42:30.000Z');
/** Letters differ a little between releases of Chromium; a word more moves all that is below it. */
const MAX_DIFFERENT = 0.02;

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
  const { bottom } = await page.$eval('#rules', section =>
    section.getBoundingClientRect(),
  );
  const picture = await page.screenshot({
    fullPage: true,
    clip: { x: 0, y: 0, width: 1060, height: Math.ceil(bottom) + 10 },
  });
  await page.close();
  return picture;
}

/** Returns the part of the pixels that differ visibly between two pictures; 1 if their sizes differ. */
async function compare(
  browser: Browser,
  before: Buffer,
  now: Buffer,
): Promise<number> {
  const page = await browser.newPage();
  const part = await page.evaluate(
    async pictures => {
      const [a, b] = await Promise.all(
        pictures.map(async text => {
          const blob = await (
            await fetch(`data:image/png;base64,${text}`)
          ).blob();
          const bitmap = await createImageBitmap(blob);
          const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
          const context = canvas.getContext('2d')!;
          context.drawImage(bitmap, 0, 0);
          return context.getImageData(0, 0, bitmap.width, bitmap.height);
        }),
      );
      if (a.width !== b.width || a.height !== b.height) {
        return 1;
      }
      const differ = a.data.filter(
        (value, i) => Math.abs(value - b.data[i]) > 64,
      ).length;
      return differ / a.data.length;
    },
    [before.toString('base64'), now.toString('base64')],
  );
  await page.close();
  return part;
}

async function main() {
  Date.now = () => NOW;
  const html = renderPage({
    report: createPageReport(),
    question: { request: '', subject: '' },
    explained: undefined,
    id: '',
  });
  const server = await listen(
    createServer((_req, res) =>
      res
        .writeHead(200, {
          ...PAGE_HEADERS,
          'Content-Security-Policy': PAGE_POLICY,
        })
        .end(html),
    ),
  );
  const browser = await launchBrowser();
  const checks = new Checks();
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
    if (process.argv[2] === '--check') {
      const differ = await compare(browser, readFileSync(image), picture);
      checks.that(
        `part of docs/images/${file} that differs from the page, at most ${MAX_DIFFERENT}: else run integration/policyPage/picture`,
        differ <= MAX_DIFFERENT,
        differ,
      );
    } else {
      writeFileSync(image, picture);
      checks.that(`bytes of ${image}`, true, picture.length);
    }
  }
  await browser.close();
  server.stop();
  process.exit(checks.finish() ? 0 : 1);
}

main();
