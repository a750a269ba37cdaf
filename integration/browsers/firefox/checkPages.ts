import type { Page } from 'puppeteer-core';
import type { Checks } from '../chromium/Checks';
import { until } from '../../http';
import { startAlteringProxy } from '../policyPage/alteringProxy';
import { PAGE_PATH } from '../policyPage/World';
import { signIn, World } from './World';

const ICON = /<link rel="icon"[^>]*>/;

/** Checks that Firefox logs nothing for the gate's pages, such as an icon that their policy forbids. */
export async function checkPages(
  page: Page,
  checks: Checks,
  { port, url }: World,
) {
  const logged: string[] = [];
  page.on('console', message => logged.push(message.text()));
  page.on('pageerror', error => logged.push(String(error)));
  const open = async (origin: string) => {
    await page.goto(`${origin}${PAGE_PATH}`);
    // Firefox requests the icon later.
    await new Promise(resolve => setTimeout(resolve, 1_500));
    return page.$eval('h1', ({ innerText }) => innerText);
  };
  const headings = [await open(url)];
  await signIn(page, url);
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
