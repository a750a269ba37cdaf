// Checks that a browser shows no page after the sign-out that the cookie has opened: neither from its cache, nor from the pages that
// it keeps for Back and Forward.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { chromium, Page } from 'playwright-core';
import type { Checks } from './Checks';
import { browserOptions } from './launchBrowser';
import { SecureBackend, signIn } from './withSecureBackend';

const SIGN_OUT_CALLS = [
  ['POST', '/api/auth/visitor/logout'],
  ['DELETE', '/api/proxy/.backstage/auth/v1/cookie'],
] as const;

type SignOutCall = (typeof SIGN_OUT_CALLS)[number];

export async function afterSignOut(
  backend: SecureBackend,
  folder: string,
  checks: Checks,
) {
  const everywhere = (outcome: string) => ({
    Back: outcome,
    Forward: outcome,
    'a reopened tab': outcome,
  });
  await backend.setControl(true);
  checks.equal(
    'what the browser shows where pages have no no-store',
    await pagesAfter(SIGN_OUT_CALLS[1], backend, folder),
    everywhere('Secret'),
  );
  await backend.setControl(false);
  for (const call of SIGN_OUT_CALLS) {
    checks.equal(
      `what the browser shows after ${call.join(' ')}`,
      await pagesAfter(call, backend, folder),
      everywhere('Missing credentials'),
    );
  }
}

/** Opens a page in three tabs, signs out, and returns what the tabs show when they return to the page. */
async function pagesAfter(
  [method, signOutPath]: SignOutCall,
  backend: SecureBackend,
  folder: string,
) {
  const { context, reopenTab } = await launchWithTabs(backend.home, folder);
  try {
    const secret = `${backend.files}/page.html`;
    const open = async (...urls: string[]) => {
      const page = await context.newPage();
      for (const url of urls) {
        await page.goto(url);
      }
      return page;
    };
    const frontend = await open(backend.url);
    await signIn(frontend);
    const backwards = await open(secret, backend.url);
    const forwards = await open(backend.url, secret);
    // A page that the browser has kept for Back is not loaded again.
    await forwards.goBack({ waitUntil: 'commit' });
    await forwards.getByText('Frontend').waitFor();
    await (await open(secret)).close();

    await frontend.evaluate(
      ([url, verb]) => fetch(url, { method: verb }),
      [signOutPath, method],
    );
    await backwards.goBack({ waitUntil: 'commit' });
    await forwards.goForward({ waitUntil: 'commit' });
    return {
      Back: await textOf(backwards),
      Forward: await textOf(forwards),
      'a reopened tab': await textOf(await reopenTab()),
    };
  } finally {
    await context.close();
  }
}

/** Returns the text of a page, or the message if the page is an error of Backstage. */
async function textOf(page: Page): Promise<string> {
  const body = page.locator('body', { hasText: /\S/ });
  const text = await body.innerText();
  return text.startsWith('{') ? JSON.parse(text).error.message : text.trim();
}

/** Starts a browser as people use it: with a profile, pages that are kept for Back and Forward, and tabs that can be reopened. */
async function launchWithTabs(home: string, folder: string) {
  const extension = path.join(folder, 'extension');
  mkdirSync(extension, { recursive: true });
  const manifest = {
    ...{ manifest_version: 3, name: 'Tabs', version: '1' },
    permissions: ['sessions'],
    background: { service_worker: 'worker.js' },
  };
  writeFileSync(
    path.join(extension, 'manifest.json'),
    JSON.stringify(manifest),
  );
  writeFileSync(path.join(extension, 'worker.js'), '');
  const { args, ...options } = browserOptions(home);
  const context = await chromium.launchPersistentContext(
    mkdtempSync(path.join(folder, 'profile-')),
    {
      ...options,
      args: [...args, `--load-extension=${extension}`],
      // Playwright switches both off by default.
      ignoreDefaultArgs: [
        '--disable-back-forward-cache',
        '--disable-extensions',
      ],
    },
  );
  const worker =
    context.serviceWorkers()[0] ??
    (await context.waitForEvent('serviceworker'));
  const reopenTab = async (): Promise<Page> => {
    const [page] = await Promise.all([
      context.waitForEvent('page'),
      worker.evaluate('chrome.sessions.restore()'),
    ]);
    return page;
  };
  return { context, reopenTab };
}
