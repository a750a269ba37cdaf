import type { Browser, BrowserContext } from 'playwright-core';
import type { Checks } from '../chromium/Checks';
import { PAGE_PATH, USERS, World } from './World';

/** Opens the page by its address. Returns what a user sees. */
async function open(context: BrowserContext, url: string) {
  const page = await context.newPage();
  const answer = await page.goto(url);
  return {
    page,
    status: answer!.status(),
    title: await page.textContent('h1'),
    text: (await page.innerText('main')).replace(/\s+/g, ' '),
  };
}

/** Checks who sees the page, and what the others are asked to do. */
export async function checkAccess(
  browser: Browser,
  checks: Checks,
  { backend, pageUrl, signIn }: World,
) {
  const operator = await signIn(USERS.operator);
  const {
    page: policy,
    status: seen,
    title: heading,
  } = await open(operator, pageUrl);
  checks.equal(
    'an operator, by the cookie',
    { seen, heading, sections: await policy.locator('section').count() },
    { seen: 200, heading: 'API gate', sections: 5 },
  );
  const short = await open(operator, pageUrl.replace(/\/$/, ''));
  checks.equal(
    'an operator, without the final slash',
    [short.status, new URL(short.page.url()).pathname],
    [200, PAGE_PATH],
  );
  await operator.close();

  const context = await signIn(USERS.neither);
  const other = await open(context, pageUrl);
  checks.equal(
    'another user',
    [other.status, other.title],
    [403, 'This page is for operators'],
  );
  checks.that(
    'what that user is asked to do',
    other.text.includes('auth.apiGate.operators'),
    other.text,
  );
  await context.close();

  const nobody = await browser.newContext();
  const { page, status, text, title } = await open(nobody, pageUrl);
  checks.equal('nobody', [status, title], [401, 'Sign in to Backstage first']);
  checks.that('what nobody is asked to do', /^Sign in/.test(text), text);
  await page.click('main a');
  await page.getByRole('heading', { name: 'Frontend' }).waitFor();
  checks.equal('where the link leads', page.url(), `${backend.url}/`);
  await nobody.close();
}
