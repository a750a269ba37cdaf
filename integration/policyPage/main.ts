// Opens the page of the policy in a real browser: see `run`.
import { createSigningKey } from '../../src/__testUtils__/signingKey';
import { withTimeout } from '../../src/util/time';
import { Checks } from '../browser/Checks';
import { launchBrowser } from '../browser/launchBrowser';
import { checkAccess } from './checkAccess';
import { checkFrames, checkFrontendElsewhere } from './checkOrigins';
import { checkScript } from './checkScript';
import { withWorld } from './World';

/** Ends a group of checks that waits for an event that does not come. */
const GROUP_TIME_MS = 60_000;

const checks = new Checks();

function group(title: string, run: () => Promise<void>): Promise<void> {
  const late = `The group was not over in ${GROUP_TIME_MS / 1000} s`;
  return checks.group(title, () => withTimeout(run(), GROUP_TIME_MS, late));
}

async function main() {
  const key = await createSigningKey();
  const browser = await launchBrowser();
  await checks.group('One backend', () =>
    withWorld(browser, key, {}, async world => {
      await group('[P95] Who sees the page', () =>
        checkAccess(browser, checks, world),
      );
      await group('[P96] The form, and injected script', () =>
        checkScript(checks, world),
      );
      await group('[P96] In a frame', () => checkFrames(checks, world));
    }),
  );
  await group('Frontend on another origin', () =>
    checkFrontendElsewhere(browser, checks, key),
  );
  await browser.close();
  await key.remove();
  process.exit(checks.finish() ? 0 : 1);
}

main().catch(error => {
  console.error(error);
  process.exit(1);
});
