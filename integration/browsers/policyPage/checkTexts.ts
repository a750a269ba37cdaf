import { rawRequest } from '../../../src/__tests__/__testUtils__/rawRequest';
import { bearer } from '../../../src/__tests__/__testUtils__/requestParts';
import type { Checks } from '../chromium/Checks';
import { overflowOf } from './findViolations';
import { USERS, World } from './World';

/** A text that would be an element, and code, where it got past the escaping. */
export const HOSTILE = `"'></title></style></pre></table><img/src=x/onerror=document.title='ran'/data-hostile><script>document.title='ran'</script><!--`;
/** Users, rules and clients may write these: right-to-left overrides, and what looks like an end of a line. */
const INVISIBLE = '\u202Egpj.exe\u2028';

/** The options of a backend whose settings have such texts. */
export const hostileWorld = (mode: string) => ({
  apiGate: {
    mode,
    allow: [
      {
        plugin: 'hello',
        path: '/hostile',
        reason: `${HOSTILE}${INVISIBLE}`,
      },
    ],
    tokens: [
      {
        ...{ subject: HOSTILE, reason: HOSTILE, until: '2099-01-01' },
        only: 'all',
      },
    ],
    audit: { clientAddress: true },
  },
  config: {
    backend: {
      auth: {
        externalAccess: [
          {
            type: 'static',
            options: { token: 'of-nobody', subject: HOSTILE },
          },
        ],
      },
    },
  },
});

/** Checks that texts which clients, users and operators write are texts on the page. */
export async function checkHostile(
  checks: Checks,
  { backend: { port }, pageUrl, sign, signIn }: World,
) {
  const path = encodeURIComponent(HOSTILE);
  // Node's parser lets these characters through.
  for (const target of [
    `/api/hello/${HOSTILE}`,
    `/api/hello/${path}`,
    `/api/${HOSTILE.replace(/[\s/]/g, '')}/x`,
    `/api/hello/${'long-'.repeat(2_000)}`,
    `/api/hello/\xff\xfe%00%E2%80%AE`,
  ]) {
    await rawRequest(port, target);
    await rawRequest(port, target, { method: 'POST' });
  }
  const token = await sign(`user:default/${HOSTILE}`);
  await rawRequest(port, '/api/hello/x', {
    headerLines: [bearer(`${token}x`)],
  });

  // Where a text became an element, its code would run: no policy of the page keeps it from that here.
  const context = await signIn(USERS.operator, { bypassCSP: true });
  const page = await context.newPage();
  const textOf = async (section: string) =>
    (await page.locator(section).allInnerTexts()).join();
  await page.goto(`${pageUrl}?${new URLSearchParams({ id: HOSTILE })}`);
  await page.waitForTimeout(200);
  await page.locator('#refusals summary').click();
  checks.equal(
    'the page',
    {
      title: await page.title(),
      elements: await page.locator('[data-hostile], script, img').count(),
      overflow: await overflowOf(page),
      reason: (await textOf('#exposure')).includes(HOSTILE),
      subject: (await textOf('#tokens')).includes(HOSTILE),
      paths: /onerror/.test(await textOf('#refusals')),
      invisible: /[\u202E\u2028]/.test((await page.textContent('body'))!),
    },
    {
      title: 'API gate',
      elements: 0,
      overflow: 0,
      reason: true,
      subject: true,
      paths: true,
      invisible: false,
    },
  );
  await page.setViewportSize({ width: 360, height: 780 });
  checks.equal('overflow at 360 pixels', await overflowOf(page), 0);
  await context.close();
}
