import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';

const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/**
 * Returns what axe finds in a page, with the elements. The browser context needs `bypassCSP`: without it, no script runs in the page,
 * not even that of axe.
 */
export async function findViolations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => (window as any).axe.run());
  return violations.flatMap(
    ({ id, nodes }: { id: string; nodes: { html: string }[] }) =>
      nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`),
  );
}

/** Returns by how many pixels a page is wider than its window. */
export function overflowOf(page: {
  evaluate(run: () => number): Promise<number>;
}): Promise<number> {
  return page.evaluate(
    () =>
      document.documentElement.scrollWidth -
      document.documentElement.clientWidth,
  );
}
