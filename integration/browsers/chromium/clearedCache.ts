// Sends the header of docs/browsers-and-cookies.md with a frontend's page, as its reverse proxy is to do.
import { createServer } from 'node:http';
import type { Browser } from 'playwright-core';
import {
  codeIn,
  proseOf,
  readDocument,
} from '../../../src/__tests__/__testUtils__/documents';
import { listen } from '../../http';
import type { Checks } from './Checks';

const [name, value] = codeIn(
  proseOf(readDocument('docs/browsers-and-cookies.md')),
)
  .find(code => /^Clear-Site-Data: /.test(code))!
  .split(': ');

/** Checks that a browser uses a file that it has stored, and no longer once the page comes with the header. */
export async function clearedCache(browser: Browser, checks: Checks) {
  let requests = 0;
  let clears = false;
  const server = createServer((req, res) => {
    if (req.url === '/file.json') {
      requests += 1;
      // A browser may take this file for fresh for years.
      res.setHeader('Last-Modified', 'Mon, 01 Jan 2001 00:00:00 GMT').end('{}');
    } else {
      if (clears) {
        res.setHeader(name, value);
      }
      res.setHeader('Content-Type', 'text/html').end('<title>Frontend</title>');
    }
  });
  const { port, stop } = await listen(server);
  const page = await browser.newPage();
  const requestsOfVisit = async () => {
    requests = 0;
    await page.goto(`http://localhost:${port}/`);
    await page.evaluate(() => fetch('/file.json').then(({ ok }) => ok));
    return requests;
  };
  checks.equal('requests of a first visit', await requestsOfVisit(), 1);
  checks.equal('of a second one', await requestsOfVisit(), 0);
  clears = true;
  checks.equal('of one with the header', await requestsOfVisit(), 1);
  await page.close();
  stop();
}
