import type { BrowserContext, Page } from 'playwright-core';
import { rawRequest } from '../../../src/__tests__/__testUtils__/rawRequest';
import { Checks } from './Checks';
import { BACKEND } from './devBackend';

const HELLO = 'GET /api/hello/data';
const ECHO = 'GET /api/proxy/echo';
const CLOCK = 'WebSocket /api/clock/live';
const ABSENT = 'GET /api/nosuchplugin/x';
const OLD_TOKEN = 'GET /api/catalog/entities';
const HEALTH = 'GET /api/hello/health';

const REFUSED = '401 closed';
/** The answers to each call, without and with the gate. */
const CLOSED: Record<string, string[]> = {
  [HELLO]: ['200 data for anyone', REFUSED],
  [ECHO]: ['200 forwarded for anyone', REFUSED],
  [CLOCK]: ['101 sends to anyone', '✕ closed'],
  [ABSENT]: ['404 tells it’s missing', REFUSED],
  [OLD_TOKEN]: ['200 the old token still works', REFUSED],
  [HEALTH]: ['200 open', '200 public, by your rule'],
};

/** Returns the texts of both answers to each call. */
const rowsOf = (page: Page): Promise<Record<string, string[]>> =>
  page.$$eval('#rows tr[data-call]', trs =>
    Object.fromEntries(
      trs.map(tr => [
        (tr as HTMLElement).dataset.call!,
        [...tr.querySelectorAll('td summary')].map(
          summary => summary.textContent!,
        ),
      ]),
    ),
  );

/** Checks what the page of `npm start` shows without a click, and that none of its parts fails or comes from elsewhere. */
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
  const page = await context.newPage();
  await page.goto(`${BACKEND}/`);
  await page.locator('#score-gate', { hasText: 'open' }).waitFor();
  checks.equal('answers without and with the gate', await rowsOf(page), CLOSED);
  checks.equal('hosts that the page calls', [...hosts], ['localhost']);
  checks.equal('errors of its scripts', errors, []);
  const { headers } = await rawRequest(Number(new URL(BACKEND).port), '/');
  checks.equal(
    'inline code that its policy allows',
    headers['content-security-policy']?.match(/unsafe-\w+|\*(?!;| )/g) ?? [],
    [],
  );
}
