import type { BrowserContext } from 'playwright-core';
import { Checks } from './Checks';
import { CLOSED, HELLO, openDemo, rowsOf } from './demoPage';

const PHONE_WIDTH = 360;

export async function signOutEverywhere(
  context: BrowserContext,
  checks: Checks,
): Promise<void> {
  const page = await openDemo(context);
  const signIn = async () => {
    // A sign-in in the second of a sign-out would be ended by it.
    await page.waitForTimeout(1_100);
    await page.click('#sign-in');
    await page.locator('#session', { hasText: 'Signed in as' }).waitFor();
  };
  await signIn();
  // Two sign-ins of one user within one second are one session.
  await page.waitForTimeout(1_100);
  const [second] = await Promise.all([
    context.waitForEvent('page'),
    page.getByRole('link', { name: 'Open it in a new tab' }).click(),
  ]);
  const clock = second.locator('#clock');
  const waitFor = (hasText: RegExp) =>
    second.locator('#clock', { hasText }).waitFor();
  await waitFor(/open: /);

  await page.click('#sign-out');
  await page.locator('#session', { hasText: 'Signed out' }).waitFor();
  await second.waitForTimeout(1_500);
  checks.that(
    'the WebSocket of the second window after a sign-out in the first',
    (await clock.innerText()).startsWith('WebSocket open: '),
    await clock.innerText(),
  );

  await signIn();
  await page.click('#open-socket');
  await page.locator('#socket-state', { hasText: 'open: ' }).waitFor();
  const startedAt = performance.now();
  await page.click('#sign-out-everywhere');
  await waitFor(/ended/);
  checks.that(
    'milliseconds until "Sign out everywhere" has ended it, of at most 5 s',
    performance.now() - startedAt < 5_000,
    Math.round(performance.now() - startedAt),
  );
  checks.equal(
    'what the second window says',
    await clock.innerText(),
    'WebSocket ended by the sign-out',
  );
  await page.locator('#socket-state', { hasText: 'closed' }).waitFor();
  await page.locator('#cookie-note', { hasText: 'gone' }).waitFor();
  checks.equal(
    'what the first window says',
    await page.textContent('#cookie-note'),
    'The cookie is gone. The token that this page had gets 401 now.',
  );
}

export async function keyboard(
  context: BrowserContext,
  checks: Checks,
): Promise<void> {
  const page = await openDemo(context);
  const focused: string[] = [];
  const invisible: string[] = [];
  for (;;) {
    await page.keyboard.press('Tab');
    const { name, isVisible } = await page.evaluate(() => {
      const active = document.activeElement as HTMLElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(active);
      return {
        name: active.id || active.textContent!.trim(),
        isVisible: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
      };
    });
    if (focused.includes('policy-page')) {
      break;
    }
    focused.push(name);
    if (!isVisible) {
      invisible.push(name);
    }
    if (focused.length > 100) {
      throw new Error('The focus never reaches the last link');
    }
  }
  checks.equal(
    'buttons and links in the order of the focus',
    focused.filter(name => /^[a-z-]+$/.test(name)),
    [
      'call-again',
      'report-only',
      'attack',
      'pause',
      'feed',
      'sign-in',
      'sign-out',
      'sign-out-everywhere',
      'open-socket',
      'open-second',
      'run-all',
      'policy-page',
    ],
  );
  checks.equal('focused without a visible outline', invisible, []);

  const button = page.getByRole('button', { name: `Make public: ${HELLO}` });
  await button.focus();
  await page.keyboard.press('Enter');
  await page.locator('#compare-status', { hasText: 'is public' }).waitFor();
  checks.equal(
    'focus after Enter on "Make public"',
    await page.evaluate(() => document.activeElement?.ariaLabel),
    `Close again: ${HELLO}`,
  );
  await page.keyboard.press('Space');
  await page.locator('#compare-status', { hasText: 'is closed' }).waitFor();
  checks.equal('answers after Space on it', await rowsOf(page), CLOSED);
  checks.equal(
    'parts of the page that a screen reader announces',
    await page.$$eval('[role=status], [role=alert]', all =>
      all.map(({ id }) => id),
    ),
    [
      'compare-status',
      'report-only-note',
      'attack-status',
      'session',
      'message',
      'socket-state',
      'calls-status',
    ],
  );
}

/** Returns the words of the page that begin on another line than they end, but for those of answers. Runs in the page. */
function findBrokenWords(): string[] {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const broken: string[] = [];
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const text = node as Text;
    const isSeen = !text.parentElement!.closest('pre, .hidden');
    for (const word of isSeen ? text.data.matchAll(/[\p{L}\p{N}’]+/gu) : []) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      if (range.getClientRects().length > 1) {
        broken.push(word[0]);
      }
    }
  }
  return broken;
}

export async function onPhone(
  context: BrowserContext,
  checks: Checks,
): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await openDemo(context);
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: PHONE_WIDTH, height: 780 });
    await page.click('#attack');
    await page.getByText('advisories and known').waitFor({ timeout: 60_000 });
    await page.$$eval('details', all =>
      all.forEach(each => {
        each.open = true;
      }),
    );
    await page.click('#sign-in');
    await page.locator('#session', { hasText: 'Signed in as' }).waitFor();
    await page.click('#run-all');
    checks.equal(
      `width of the page with all details open, ${colorScheme}`,
      await page.evaluate(() => document.documentElement.scrollWidth),
      PHONE_WIDTH,
    );
    checks.equal(
      `words that a line breaks, ${colorScheme}`,
      await page.evaluate(findBrokenWords),
      [],
    );
    checks.equal(
      'background',
      await page.evaluate(
        () => getComputedStyle(document.body).backgroundColor,
      ),
      colorScheme === 'dark' ? 'rgb(13, 18, 24)' : 'rgb(244, 246, 249)',
    );
    await page.click('#policy-page');
    checks.equal(
      'the page of the policy, by the link and the cookie',
      await page.locator('h1').textContent(),
      'API gate',
    );
    await page.close();
  }
}
