// Checks what a browser sends, and what the gate answers: see `run`.
import { readFileSync } from 'node:fs';
import { withTimeout } from '../../../src/gate/util/time';
import { Checks } from '../chromium/Checks';
import type { Engine, Tab } from './Browser';
import {
  afterSignOut,
  checkCache,
  checkNotModified,
  checkSandbox,
} from './checkAnswers';
import { checkClasses } from './checkClasses';
import { checkForms } from './checkForms';
import { checkFrontend } from './checkFrontend';
import { checkHostName, checkKinds, checkUpgrade } from './checkKinds';
import { checkNarrow, checkPages } from './checkPages';
import { startPuppeteer } from './startPuppeteer';
import { startWebKit } from './startWebKit';
import { withWorld, World } from './World';

/** Ends a group of checks that waits for an event that does not come. */
const GROUP_TIME_MS = 120_000;

const checks = new Checks();

async function main([folder, engine, part]: [string, Engine, string?]) {
  const browser = await (engine === 'webkit'
    ? startWebKit()
    : startPuppeteer(engine));

  /** Runs a group of checks in a browser profile of its own: again, if the driver was late, and for no other reason. */
  const check = (
    title: string,
    run: (
      tab: Tab,
      checks: Checks,
      world: World,
      engine: Engine,
    ) => Promise<void>,
    world: World,
  ) =>
    checks.groupOrAgain(title, async () => {
      world.setRulesOff('none');
      const tab = await browser.openTab();
      const late = `The group was not over in ${GROUP_TIME_MS / 1000} s`;
      try {
        await withTimeout(run(tab, checks, world, engine), GROUP_TIME_MS, late);
      } finally {
        await tab.close();
      }
    });

  const checkAnswers = async (world: World) => {
    await check('[P16] Script, by the type of its answer', checkSandbox, world);
    await check('[P16] A page that has not changed', checkNotModified, world);
    // WebKit uses what it has stored for no other kind, with or without the gate, so that the control would show nothing.
    if (engine !== 'webkit') {
      await check('[P46] Code from the cache', checkCache, world);
    }
    for (const direction of ['back', 'forward'] as const) {
      for (const isControl of [false, true]) {
        await check(
          `[P47] Pages after the sign-out, by ${direction}`,
          afterSignOut(direction, isControl),
          world,
        );
      }
    }
  };
  await checks.group('Backend on http', () =>
    withWorld({}, async world => {
      await check('[P8] Forms from another port', checkForms, world);
      await check('[P8] Requests from another port', checkKinds, world);
      await check('Requests that become https', checkUpgrade, world);
      await check('The frontend', checkFrontend, world);
      await check('The frontend on a host name', checkHostName, world);
      if (engine === 'firefox') {
        await check('The console', checkPages, world);
      }
      if (engine === 'webkit') {
        await check('The page in a narrow window', checkNarrow, world);
      }
      if (part === 'all') {
        await checkAnswers(world);
      }
    }),
  );
  if (part === 'all') {
    const read = (name: string) => readFileSync(`${folder}/${name}`, 'utf8');
    const script = read('frontend.js');
    for (const withGate of [true, false]) {
      const title = `Backstage's own frontend, ${withGate ? 'with' : 'without'} the gate`;
      await checks.group(title, () =>
        withWorld({ withGate }, world =>
          check(
            "The frontend's classes",
            checkClasses(script, withGate),
            world,
          ),
        ),
      );
    }
    const https = {
      certificate: { key: read('key.pem'), cert: read('certificate.pem') },
    };
    await checks.group('Backend on https, SameSite=None', () =>
      withWorld({ https }, async world => {
        await check('[P8] Forms from another site', checkForms, world);
        await check('[P8] Requests from another site', checkKinds, world);
        // Chromium stores nothing from a server whose certificate it does not trust: integration/browsers/chromium has one that it trusts.
        if (engine !== 'chromium') {
          await checkAnswers(world);
        }
      }),
    );
  }
  await browser.close();
  process.exit(checks.finish() ? 0 : 1);
}

main(process.argv.slice(2) as Parameters<typeof main>[0]).catch(error => {
  console.error(error);
  process.exit(1);
});
