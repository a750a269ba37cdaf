import type { BrowserContextOptions, Page } from 'playwright-core';
import type { Checks } from '../chromium/Checks';
import { findViolations, overflowOf } from './findViolations';
import { USERS, World } from './World';

const PHONE = { width: 360, height: 780 };

/** Opens the page as an operator. */
async function open(
  { pageUrl, signIn }: World,
  options: BrowserContextOptions = {},
): Promise<Page> {
  const context = await signIn(USERS.operator, options);
  const page = await context.newPage();
  await page.goto(pageUrl);
  return page;
}

/** Checks the page as people see it: on a desk and on a phone, light and dark, and printed. */
export async function checkLook(checks: Checks, world: World) {
  const backgrounds = new Set<string>();
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const viewport of [PHONE, { width: 1280, height: 900 }]) {
      // Without `bypassCSP`, axe can't run in the page.
      const options = { bypassCSP: true, colorScheme, viewport };
      const page = await open(world, options);
      // Each refusal is in a list that is closed at first.
      await page.click('summary');
      backgrounds.add(await backgroundOf(page));
      checks.equal(
        `${colorScheme}, ${viewport.width} pixels: what axe finds, pixels beyond the window`,
        [await findViolations(page), await overflowOf(page)],
        [[], 0],
      );
      await page.context().close();
    }
  }
  checks.that(
    'light and dark have backgrounds of their own',
    backgrounds.size === 2,
    [...backgrounds],
  );

  const page = await open(world, { colorScheme: 'dark' });
  await page.emulateMedia({ media: 'print' });
  checks.equal(
    'printed',
    {
      background: await backgroundOf(page),
      sections: await page.locator('section:visible').count(),
    },
    { background: 'rgb(255, 255, 255)', sections: 5 },
  );
  const pdf = await page.pdf({ format: 'A4' });
  const sheets = pdf.toString('latin1').match(/\/Type \/Page\b/g)!.length;
  checks.that('A4 sheets of it, at most 4', sheets <= 4, sheets);
  await page.context().close();
}

function backgroundOf(page: Page): Promise<string> {
  return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
}

/** Checks that all of the page can be reached and used without a mouse. */
export async function checkKeyboard(checks: Checks, world: World) {
  const page = await open(world);
  const all = await page.$$eval('a, summary', elements => elements.length);
  const focused: { top: number; isVisible: boolean; name: string }[] = [];
  for (let i = 0; i < all; i++) {
    await page.keyboard.press('Tab');
    focused.push(
      await page.evaluate(() => {
        const active = document.activeElement as HTMLElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(active);
        return {
          top: Math.round(active.getBoundingClientRect().top + scrollY),
          isVisible: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
          name: active.innerText,
        };
      }),
    );
  }
  checks.equal(
    'elements whose focus is not visible',
    focused.filter(({ isVisible }) => !isVisible),
    [],
  );
  checks.equal(
    'the last element, by the Tab key',
    focused.at(-1)?.name.replace(/\d+/, '…'),
    'The last … refusals',
  );
  const tops = focused.map(({ top }) => top);
  checks.that(
    'elements that come after one below them',
    tops.every((top, i) => i === 0 || top > tops[i - 1] - 60),
    `none of ${tops.length}`,
  );
  await page.context().close();
}
