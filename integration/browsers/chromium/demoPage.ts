import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { rawRequest } from '../../../src/__tests__/__testUtils__/rawRequest';
import { Checks } from './Checks';
import { BACKEND } from './devBackend';

const CONFIG_FILE = path.resolve(__dirname, '../../../app-config.yaml');

export const HELLO = 'GET /api/hello/data';
const ECHO = 'GET /api/proxy/echo';
const CLOCK = 'WebSocket /api/clock/live';
const ABSENT = 'GET /api/nosuchplugin/x';
const OLD_TOKEN = 'GET /api/catalog/entities';
const HEALTH = 'GET /api/hello/health';

const REFUSED = '401 closed';
/** The answers to each call, without and with the gate. */
export const CLOSED: Record<string, string[]> = {
  [HELLO]: ['200 data for anyone', REFUSED],
  [ECHO]: ['200 forwarded for anyone', REFUSED],
  [CLOCK]: ['101 sends to anyone', '✕ closed'],
  [ABSENT]: ['404 tells it’s missing', REFUSED],
  [OLD_TOKEN]: ['200 the old token still works', REFUSED],
  [HEALTH]: ['200 open', '200 public, by your rule'],
};

/** Opens the page, and waits until it has made its calls without a click. */
export async function openDemo(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${BACKEND}/`);
  await page.locator('#score-gate', { hasText: 'open' }).waitFor();
  return page;
}

/** Returns the texts of both answers to each call. */
export function rowsOf(page: Page): Promise<Record<string, string[]>> {
  return page.$$eval('#rows tr[data-call]', trs =>
    Object.fromEntries(
      trs.map(tr => [
        (tr as HTMLElement).dataset.call!,
        [...tr.querySelectorAll('td summary')].map(
          summary => summary.textContent!,
        ),
      ]),
    ),
  );
}

/** Returns the titles of the calls below the title of each group. */
const groupsOf = (page: Page): Promise<Record<string, string[]>> =>
  page.$$eval('#rows tbody', bodies =>
    Object.fromEntries(
      bodies.map(body => [
        body.querySelector('.group')!.textContent!,
        [...body.querySelectorAll('code')].map(
          ({ textContent }) => textContent!,
        ),
      ]),
    ),
  );

const scoresOf = (page: Page) =>
  page.locator('.compare .score').allInnerTexts();

export async function differenceOnLoad(
  context: BrowserContext,
  checks: Checks,
): Promise<void> {
  const hosts = new Set<string>();
  const errors: string[] = [];
  context.on('request', request => hosts.add(new URL(request.url()).hostname));
  context.on('page', page =>
    page.on('pageerror', error => errors.push(error.message)),
  );
  const startedAt = performance.now();
  const page = await openDemo(context);
  const ms = Math.round(performance.now() - startedAt);
  checks.equal('answers without and with the gate', await rowsOf(page), CLOSED);
  checks.equal('scores', await scoresOf(page), [
    '3 open to a stranger',
    '0 open to a stranger',
  ]);
  checks.equal('groups of calls', await groupsOf(page), {
    'A stranger calls, without a credential': [HELLO, ECHO, CLOCK],
    'Not open to a stranger, and closed by the gate too': [ABSENT, OLD_TOKEN],
    'Public on purpose': [HEALTH],
  });
  checks.that('milliseconds until then, of at most 10 s', ms < 10_000, ms);
  checks.equal('hosts that the page calls', [...hosts], ['localhost']);
  checks.equal('errors of its scripts', errors, []);
  const { headers } = await rawRequest(Number(new URL(BACKEND).port), '/');
  checks.equal(
    'inline code that its policy allows',
    headers['content-security-policy']?.match(/unsafe-\w+|\*(?!;| )/g) ?? [],
    [],
  );
}

export async function makePublic(
  context: BrowserContext,
  checks: Checks,
): Promise<void> {
  const page = await openDemo(context);
  const file = readFileSync(CONFIG_FILE, 'utf8');
  for (const call of [HELLO, ECHO, CLOCK]) {
    const closed = CLOSED[call];
    await page.getByRole('button', { name: `Make public: ${call}` }).click();
    await page
      .locator('#compare-status', { hasText: `${call} is public after` })
      .waitFor();
    const seconds = Number(
      (await page.textContent('#compare-status'))?.match(
        /after ([\d.]+) s/,
      )?.[1],
    );
    checks.that(
      `${call}: seconds until the rule is in force, of at most 2`,
      seconds <= 2,
      seconds,
    );
    const status = call === CLOCK ? 101 : 200;
    checks.equal(`${call}: answers then`, (await rowsOf(page))[call], [
      closed[0],
      `${status} public, by your rule`,
    ]);
    if (call === HELLO) {
      const { status: seen } = await fetch(`${BACKEND}/api/hello/data`);
      checks.equal('what any other client gets', seen, 200);
    }
    await page.getByRole('button', { name: `Close again: ${call}` }).click();
    await page
      .locator('#compare-status', { hasText: `${call} is closed after` })
      .waitFor();
  }
  checks.equal('answers when all are closed again', await rowsOf(page), CLOSED);
  checks.equal(
    'whether app-config.yaml is as it was',
    readFileSync(CONFIG_FILE, 'utf8') === file,
    true,
  );
}

export async function attackBoth(
  context: BrowserContext,
  checks: Checks,
): Promise<void> {
  const page = await openDemo(context);
  await page.click('#attack');
  const status = page.locator('#attack-status', { hasText: 'reached' });
  await status.waitFor({ timeout: 60_000 });
  await page.getByText('advisories and known').waitFor({ timeout: 60_000 });
  const [sent, advisories, alone, gate, byToken, closed] = (
    await status.innerText()
  )
    .match(/\d+/g)!
    .map(Number);
  checks.that('requests and advisories', sent > 250 && advisories > 60, {
    sent,
    advisories,
  });
  checks.that('reached the opened plugin without the gate', alone > 250, alone);
  checks.equal('reached it with the gate', gate, 0);
  checks.equal(
    'reached the plugin that Backstage protects, without a valid token',
    closed,
    0,
  );
  checks.equal(
    'the numbers',
    await page.locator('.scores .score').allInnerTexts(),
    [alone, byToken, 0].map(count => `${count} of ${sent}`),
  );
  checks.equal(
    'tokens in what the page shows',
    (await page.content()).match(/eyJ\w+/g) ?? [],
    [],
  );
}

export async function liveFeed(
  context: BrowserContext,
  checks: Checks,
): Promise<void> {
  const page = await openDemo(context);
  await fetch(`${BACKEND}/api/hello/from-the-feed?token=in-the-query`, {
    headers: {
      Authorization: 'Bearer in-the-header',
      Cookie: 'token=in-the-cookie',
    },
  });
  const item = page.locator('#feed li', { hasText: 'from-the-feed' });
  checks.equal(
    'a decision of another client, without the time',
    (await item.innerText()).split('\n').slice(1),
    ['refused', 'invalid-token', 'GET /api/hello/from-the-feed'],
  );
  checks.equal(
    'parts of queries, tokens and cookies in all decisions',
    (await page.locator('#feed').innerText()).match(/\?|in-the-|eyJ/g) ?? [],
    [],
  );
  const count = () => page.locator('#feed li').count();
  await page.click('#pause');
  const paused = await count();
  await fetch(`${BACKEND}/api/hello/data`);
  await page.evaluate(() => fetch('/api/hello/data'));
  checks.equal('decisions that appear while it pauses', await count(), paused);
}

export async function reportOnly(
  context: BrowserContext,
  checks: Checks,
): Promise<void> {
  const page = await openDemo(context);
  const change = async (isOn: boolean) => {
    await page.getByRole('switch').click();
    await page
      .locator(`#report-only[aria-checked=${isOn}]:enabled`)
      .waitFor({ timeout: 60_000 });
  };
  await change(true);
  const rows = await rowsOf(page);
  checks.equal(
    'answers in report-only',
    Object.values(rows).map(([, text]) => text),
    [200, 200, 101, 404]
      .map(status => `${status} would be refused`)
      // The user of the old token has signed out.
      .concat('401 closed', '200 public, by your rule'),
  );
  checks.equal(
    'what the page says',
    await page.textContent('#note-gate'),
    '4 would be refused',
  );
  checks.that(
    'decisions of it in the feed',
    (await page.locator('#feed li', { hasText: 'would-refuse' }).count()) > 0,
    await page.locator('#feed li', { hasText: 'would-refuse' }).count(),
  );
  await change(false);
  checks.equal('answers of the enforcing gate', await rowsOf(page), CLOSED);
}
