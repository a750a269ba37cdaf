import type { Checks } from '../chromium/Checks';
import { sleep, until } from '../../http';
import { HOSTILE } from '../policyPage/checkTexts';
import { overflowOf } from '../policyPage/findViolations';
import { startAlteringProxy } from '../policyPage/alteringProxy';
import { PAGE_PATH } from '../policyPage/World';
import type { Tab } from './Browser';
import { signIn, World } from './World';

const ICON = /<link rel="icon"[^>]*>/;

/** Checks that the browser logs nothing for the gate's pages, such as an icon that their policy forbids. */
export async function checkPages(tab: Tab, checks: Checks, world: World) {
  const { port, url } = world;
  const logged = tab.logged!;
  const open = async (origin: string) => {
    await tab.open(`${origin}${PAGE_PATH}`);
    // Firefox requests the icon later.
    await sleep(1_500);
    return tab.evaluate(() => document.querySelector('h1')!.innerText);
  };
  const headings = [await open(url)];
  await signIn(tab, world);
  headings.push(await open(url));
  checks.equal(
    'the pages for a user who is signed out and one who is signed in',
    { headings, logged },
    { headings: ['Sign in to Backstage first', 'API gate'], logged: [] },
  );

  const proxy = await startAlteringProxy(port, answer => {
    answer.body = answer.body.replace(ICON, '');
  });
  try {
    await open(proxy.url);
    await until('an error', 5_000, async () => logged.length > 0);
    checks.that(
      'control: the page without its icon',
      /favicon/.test(logged[0]),
      logged,
    );
  } finally {
    proxy.stop();
  }
}

/** Checks that the gate's page fits into a narrow window. Only a popup is one in WebKit, whose toolbar makes other windows wider. */
export async function checkNarrow(tab: Tab, checks: Checks, world: World) {
  await signIn(tab, world);
  world.show(
    `<button onclick="open('${PAGE_PATH}', '', 'width=360,height=780,toolbar=no')">Open`,
  );
  await tab.open(`${world.url}/`);
  await tab.click('button');
  await tab.followPopup!();
  await until('the page', 10_000, () =>
    tab.evaluate(() => document.querySelector('footer') !== null),
  );
  const text = await tab.evaluate(() => document.body.innerText);
  checks.equal(
    'the page, and the width of its window',
    [text.includes(HOSTILE), await tab.evaluate(() => innerWidth)],
    [true, 360],
  );
  checks.equal('overflow at 360 pixels', await overflowOf(tab), 0);
  await tab.evaluate(() => {
    document.body.style.minWidth = '400px';
  });
  checks.equal('control: a body of 400 pixels', await overflowOf(tab), 40);
}
