// Opens the page of the policy on a stock app, as its users do: see `run`.
import path from 'node:path';
import type { Page } from 'playwright-core';
import { Checks } from '../chromium/Checks';
import { launchBrowser } from '../chromium/launchBrowser';
import { until } from '../../http';
import { findViolations, overflowOf } from '../policyPage/findViolations';
import { PAGE_PATH } from '../policyPage/World';
import { StockApp } from './StockApp';

/** The guest of the stock app. */
const GUEST = 'user:development/guest';

const checks = new Checks();

async function trial(app: StockApp, folder: string) {
  const browser = await launchBrowser();
  try {
    // Without `bypassCSP`, axe can't run in the page.
    const context = await browser.newContext({ bypassCSP: true });
    const page = await context.newPage();
    const open = async () => {
      const answer = await page.goto(`${app.url}${PAGE_PATH}`);
      return `${answer!.status()}, ${await page.textContent('h1')}`;
    };
    checks.equal('nobody', await open(), '401, Sign in to Backstage first');
    await page.click('main a');
    await signIn(page);
    checks.equal(
      'a user, signed in at the frontend',
      await open(),
      '403, This page is for operators',
    );
    app.configure({ operators: [GUEST] });
    let seen = '';
    await until('the gate has read its settings', 20_000, async () => {
      seen = await open();
      return seen.startsWith('200');
    });
    checks.equal('the user among the operators', seen, '200, API gate');
    await lookAt(page, folder);
  } finally {
    await browser.close();
  }
}

/** Signs the guest in on the page of the stock frontend, and waits until its catalog is there. */
async function signIn(page: Page) {
  await page.getByRole('button', { name: 'Enter' }).click();
  await page.getByText('example-website').first().waitFor();
}

async function lookAt(page: Page, folder: string) {
  const ids = await page.$$eval('section', all => all.map(({ id }) => id));
  checks.equal('the sections', ids, [
    'findings',
    'exposure',
    'expected',
    'tokens',
    'refusals',
    'settings',
    'ask',
  ]);
  const exposure = await page.innerText('#exposure');
  const plugins = ['catalog', 'scaffolder', 'kubernetes', 'techdocs'];
  checks.equal(
    'plugins that it names',
    plugins.filter(id => exposure.includes(id)),
    plugins,
  );
  checks.equal('axe', await findViolations(page), []);
  await page.screenshot({
    path: path.join(folder, 'page.png'),
    fullPage: true,
  });
  await page.setViewportSize({ width: 360, height: 780 });
  checks.equal('overflow at 360 pixels', await overflowOf(page), 0);
  await page.screenshot({
    path: path.join(folder, 'page-360.png'),
    fullPage: true,
  });
  await page.fill('[name=request]', 'GET /api/catalog/entities');
  await page.click('#ask button');
  await page.waitForURL(/request=/);
  checks.that(
    'what the form answers',
    (await page.innerText('#ask pre')).length > 0,
    await page.innerText('#ask pre'),
  );
}

async function main() {
  const [folder] = process.argv.slice(2);
  const app = await StockApp.in(folder);
  process.once('exit', () => void app.stop());
  app.configure({});
  await checks.group(`A stock app in ${folder}`, async () => {
    await app.start();
    await trial(app, folder);
  });
  await app.stop();
  process.exit(checks.finish() ? 0 : 1);
}

main();
