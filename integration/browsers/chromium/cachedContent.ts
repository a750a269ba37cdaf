import type { Browser } from 'playwright-core';
import type { Checks } from './Checks';
import { SecureBackend, signIn } from './withSecureBackend';

const TECHDOCS = '/api/techdocs/static/docs/default/component/example';
const VISITS = 5;

/** The answers in a session: TechDocs lets browsers store its files, and use them only once they have asked. */
const ANSWERS = {
  'picture.gif: 200': 1,
  'font.woff: 200': 1,
  'image.png: 200': 1,
  'image.png: 304': VISITS - 1,
  'index.html: 200': 1,
  'index.html: 304': VISITS - 1,
};

/** Checks that a browser requests images, fonts and TechDocs no more often than without the gate's headers for its cache. */
export async function cachedContent(
  backend: SecureBackend,
  browser: Browser,
  checks: Checks,
) {
  for (const [title, isControl] of [
    ['where the answers have no Vary', true],
    ['with the gate', false],
  ] as const) {
    await backend.setControl(isControl);
    checks.equal(
      `requests in ${VISITS} visits of a page, ${title}`,
      await answersInSession(backend, browser),
      ANSWERS,
    );
  }
}

async function answersInSession(backend: SecureBackend, browser: Browser) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(backend.url);
  await signIn(page);
  await backend.requests();
  for (let visit = 1; visit <= VISITS; visit++) {
    await page.goto(backend.url);
    await page.evaluate(async docs => {
      const image = (src: string) =>
        Object.assign(new Image(), { src }).decode();
      await Promise.all([
        image('/api/proxy/files/picture.gif'),
        image(`${docs}/image.png`),
        new FontFace('x', 'url(/api/proxy/files/font.woff)')
          .load()
          .catch(() => {}),
        fetch(`${docs}/index.html`).then(answer => answer.text()),
      ]);
    }, TECHDOCS);
  }
  await context.close();
  return backend.requests();
}
