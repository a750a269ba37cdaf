// Takes pictures of the page of `npm start` in Chromium: those of the documents, and one of each state of the page, to look at.
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BrowserContextOptions, Page } from 'playwright-core';
import { BACKEND, withDevBackend } from './devBackend';
import { launchBrowser } from './launchBrowser';

const IMAGES = path.resolve(__dirname, '../../../docs/images');
const WIDTH = 1060;
const PHONE = { width: 360, height: 780 };

async function takePictures(folder: string) {
  const browser = await launchBrowser();
  /** Opens the page once its calls have been answered. */
  const open = async (options: BrowserContextOptions): Promise<Page> => {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    await page.goto(`${BACKEND}/`);
    await page.locator('#score-gate', { hasText: 'open' }).waitFor();
    return page;
  };
  const shoot = (page: Page, name: string) =>
    page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });

  mkdirSync(IMAGES, { recursive: true });
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await open({
      // The page's policy refuses the style below.
      bypassCSP: true,
      colorScheme,
      deviceScaleFactor: 1.5,
      viewport: { width: WIDTH, height: 800 },
    });
    await page.addStyleTag({
      content:
        'button, .foot, #where-alone, #where-gate { display: none !important } summary { list-style: none }',
    });
    const suffix = colorScheme === 'dark' ? '-dark' : '';
    await page
      .locator('#compare')
      .screenshot({ path: path.join(IMAGES, `before-after${suffix}.png`) });
    await page.context().close();
  }

  const page = await open({ viewport: { width: 1120, height: 900 } });
  await shoot(page, '1-start');
  await page.click('#attack');
  await page.getByText('advisories and known').waitFor({ timeout: 60_000 });
  await page.locator('#attack-list summary').first().click();
  await shoot(page, '2-attack-and-feed');
  await page.getByRole('button', { name: /^Make public: .*data/ }).click();
  await page.getByText('without a restart').waitFor();
  await shoot(page, '3-made-public');
  await page.getByRole('button', { name: /^Close again: .*data/ }).click();
  await page.getByText('is closed after').waitFor();
  await page.click('#report-only');
  await page
    .locator('#note-gate', { hasText: 'refused' })
    .waitFor({ timeout: 60_000 });
  await shoot(page, '4-report-only');
  await page.click('#report-only');
  await page.click('#sign-in');
  await page.getByText('Signed in as').waitFor();
  await page.click('#open-socket');
  await page.click('#open-second');
  await page
    .frameLocator('#second-frame iframe')
    .getByText('WebSocket open: ')
    .waitFor();
  await page.click('#run-all');
  await shoot(page, '5-signed-in');
  await page.click('#sign-out-everywhere');
  await page
    .frameLocator('#second-frame iframe')
    .getByText('ended by the sign-out')
    .waitFor();
  await shoot(page, '6-signed-out-everywhere');
  await page.context().close();

  for (const colorScheme of ['light', 'dark'] as const) {
    const phone = await open({ colorScheme, viewport: PHONE });
    await shoot(phone, `7-phone-${colorScheme}`);
  }
  await shoot(
    await open({ colorScheme: 'dark', viewport: { width: 1120, height: 900 } }),
    '8-dark',
  );
  await browser.close();
}

async function main() {
  const folder = mkdtempSync(path.join(tmpdir(), 'api-gate-pictures-'));
  // With an argument, the backend runs already.
  if (process.argv[2]) {
    await takePictures(folder);
  } else {
    await withDevBackend({ logFile: path.join(folder, 'backend.log') }, () =>
      takePictures(folder),
    );
  }
  console.log(`Pictures: ${IMAGES} and ${folder}`);
  process.exit(0);
}

main().catch(error => {
  console.error(error);
  process.exit(1);
});
