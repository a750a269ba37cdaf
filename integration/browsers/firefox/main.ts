// Checks what Firefox sends, and what the gate answers: see `run`.
import { readFileSync } from 'node:fs';
import puppeteer, { Page } from 'puppeteer-core';
import { withTimeout } from '../../../src/gate/util/time';
import { Checks } from '../chromium/Checks';
import { checkForms } from './checkForms';
import { checkHostName, checkOwnRequests } from './checkOwnRequests';
import { checkPages } from './checkPages';
import { HOST_NAME, withWorld, World } from './World';

/** Ends a group of checks that waits for an event that does not come. */
const GROUP_TIME_MS = 120_000;

const checks = new Checks();

async function main([folder]: string[]) {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: '/usr/bin/firefox-esr',
    acceptInsecureCerts: true,
    extraPrefsFirefox: {
      'network.dns.localDomains': HOST_NAME,
      // A page shows an answer in JSON as it is.
      'devtools.jsonview.enabled': false,
    },
  });
  console.log(await browser.version());

  /** Runs a group of checks in a browser profile of its own. */
  const check = (
    title: string,
    run: (page: Page, checks: Checks, world: World) => Promise<void>,
    world: World,
  ) =>
    checks.groupOrAgain(title, async () => {
      const context = await browser.createBrowserContext();
      const page = await context.newPage();
      page.setDefaultTimeout(10_000);
      const late = `The group was not over in ${GROUP_TIME_MS / 1000} s`;
      try {
        await withTimeout(run(page, checks, world), GROUP_TIME_MS, late);
      } finally {
        await context.close();
      }
    });

  await checks.group('Backend on http', () =>
    withWorld({}, async world => {
      await check('[P8] Forms from another port', checkForms, world);
      await check("The frontend's own requests", checkOwnRequests, world);
      await check('The frontend on a host name', checkHostName, world);
      await check('The console', checkPages, world);
    }),
  );
  const read = (name: string) => readFileSync(`${folder}/${name}`, 'utf8');
  const https = {
    certificate: { key: read('key.pem'), cert: read('certificate.pem') },
  };
  await checks.group('Backend on https, SameSite=None', () =>
    withWorld({ https }, async world => {
      await check('[P8] Forms from another site', checkForms, world);
      await check("The frontend's own requests", checkOwnRequests, world);
    }),
  );
  await browser.close();
  process.exit(checks.finish() ? 0 : 1);
}

main(process.argv.slice(2)).catch(error => {
  console.error(error);
  process.exit(1);
});
