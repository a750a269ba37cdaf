import { createServer } from 'node:http';
import type { Checks } from '../chromium/Checks';
import { listen } from '../../http';
import { AlteredAnswer, startAlteringProxy } from './alteringProxy';
import { PAGE_PATH, USERS, World } from './World';

/** Returns what somebody could put into a page: code, and elements that load, send or go to another address. */
const attack = (address: string) => `
  <base href="${address}/base/">
  <script>document.title = 'ran'; new Image().src = '${address}/script';</script>
  <img src="${address}/image" onerror="document.title = 'ran'">
  <svg onload="document.title = 'ran'"></svg>
  <style>body { background: url('${address}/style') } h1 { display: none !important }</style>
  <link rel="stylesheet" href="${address}/link">
  <iframe src="${address}/frame"></iframe>
  <object data="${address}/object"></object>
  <meta http-equiv="refresh" content="0; url=${address}/refresh">
  <form id="stolen" action="${address}/form"><button>Elsewhere</button></form>
  <a id="code" href="javascript:document.title='ran'">Code</a>`;

/** Checks that all that is injected into the page is dead. */
export async function checkScript(checks: Checks, { backend, signIn }: World) {
  const reached: string[] = [];
  const elsewhere = await listen(
    createServer((req, res) => {
      reached.push(req.url!);
      res.end();
    }),
  );
  const address = `http://127.0.0.1:${elsewhere.port}`;
  const inject = (answer: AlteredAnswer) => {
    answer.body = answer.body.replace('<body>', `<body>${attack(address)}`);
  };
  const proxy = await startAlteringProxy(backend.port, inject);
  const bare = await startAlteringProxy(backend.port, answer => {
    inject(answer);
    delete answer.headers['content-security-policy'];
  });
  // The cookie is for each port of localhost.
  const context = await signIn(USERS.operator);
  try {
    const page = await context.newPage();
    for (const control of ['#stolen button', '#code']) {
      await page.goto(`${proxy.url}${PAGE_PATH}`);
      await page.click(control, { noWaitAfter: true });
      await page.waitForTimeout(200);
    }
    await page.goto(`${proxy.url}${PAGE_PATH}`);
    await page.waitForTimeout(500);
    checks.equal(
      'the page with injected elements',
      {
        title: await page.title(),
        heading: await page.isVisible('h1'),
        reached,
      },
      {
        title: 'API gate',
        heading: true,
        reached: [],
      },
    );

    await page.goto(`${bare.url}${PAGE_PATH}`).catch(() => undefined);
    await page.waitForTimeout(500);
    const kinds = ['/script', '/image', '/style', '/link', '/frame'];
    checks.equal(
      "control: what is reached without the page's policy",
      kinds.filter(kind => reached.includes(kind)),
      kinds,
    );
  } finally {
    await context.close();
    [proxy, bare, elsewhere].forEach(server => server.stop());
  }
}
