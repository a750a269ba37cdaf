// Opens the page of the policy in a real browser: see `run`.
import { createSigningKey } from '../../../src/__tests__/__testUtils__/signingKey';
import { withTimeout } from '../../../src/gate/util/time';
import { Checks } from '../chromium/Checks';
import { launchBrowser } from '../chromium/launchBrowser';
import { checkAccess } from './checkAccess';
import { checkLook } from './checkLook';
import { checkFrames, checkFrontendElsewhere } from './checkOrigins';
import { checkReplicas } from './checkReplicas';
import { checkScript } from './checkScript';
import { checkHostile, hostileWorld } from './checkTexts';
import { withWorld } from './World';

/** Ends a group of checks that waits for an event that does not come. */
const GROUP_TIME_MS = 60_000;

const checks = new Checks();

function group(title: string, run: () => Promise<void>): Promise<void> {
  const late = `The group was not over in ${GROUP_TIME_MS / 1000} s`;
  return checks.groupOrAgain(title, () =>
    withTimeout(run(), GROUP_TIME_MS, late),
  );
}

async function main() {
  const key = await createSigningKey();
  const browser = await launchBrowser();
  await checks.group('One backend', () =>
    withWorld(browser, key, {}, async world => {
      await group('[P89] Who sees the page', () =>
        checkAccess(browser, checks, world),
      );
      await group('[P95] Injected script', () => checkScript(checks, world));
      await group('[P95] In a frame', () => checkFrames(checks, world));
    }),
  );
  for (const mode of ['enforce', 'report-only']) {
    await checks.group(`Texts of others, ${mode}`, () =>
      withWorld(browser, key, hostileWorld(mode), async world => {
        await group('[P89] As texts', () => checkHostile(checks, world));
        await group('As people see it', () => checkLook(checks, world));
      }),
    );
  }
  await group('Two replicas, and a backend without auth', () =>
    checkReplicas(browser, checks, key),
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
