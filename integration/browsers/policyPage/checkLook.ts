import type { Checks } from '../chromium/Checks';
import { findViolations, overflowOf } from './findViolations';
import { USERS, World } from './World';

const PHONE = { width: 360, height: 780 };

/** Checks the page as people see it: on a desk and on a phone, light and dark. */
export async function checkLook(checks: Checks, { pageUrl, signIn }: World) {
  const backgrounds = new Set<string>();
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const viewport of [PHONE, { width: 1280, height: 900 }]) {
      // Without `bypassCSP`, axe can't run in the page.
      const options = { bypassCSP: true, colorScheme, viewport };
      const context = await signIn(USERS.operator, options);
      const page = await context.newPage();
      await page.goto(pageUrl);
      // Each refusal is in a list that is closed at first.
      await page.click('summary');
      backgrounds.add(
        await page.evaluate(
          () => getComputedStyle(document.body).backgroundColor,
        ),
      );
      checks.equal(
        `${colorScheme}, ${viewport.width} pixels: what axe finds, pixels beyond the window`,
        [await findViolations(page), await overflowOf(page)],
        [[], 0],
      );
      await context.close();
    }
  }
  checks.that(
    'light and dark have backgrounds of their own',
    backgrounds.size === 2,
    [...backgrounds],
  );
}
