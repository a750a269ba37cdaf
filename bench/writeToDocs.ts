import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const PAGE = path.resolve(__dirname, '../../../docs/performance.md');

/**
 * Replaces the text between `<!-- bench: name -->` and `<!-- /bench -->` in `docs/performance.md`, so that the figures there are
 * those of a run.
 *
 * @throws Error if the page has no such place
 */
export function writeToDocs(name: string, text: string): void {
  const page = readFileSync(PAGE, 'utf8');
  const begin = `<!-- bench: ${name} -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf('<!-- /bench -->', from);
  if (from < 0 || to < 0) {
    throw new Error(`${PAGE} has no place for ${begin}`);
  }
  const before = page.slice(0, from + begin.length);
  writeFileSync(PAGE, `${before}\n\n${text}\n\n${page.slice(to)}`);
}
