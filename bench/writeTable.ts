import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { formatTable } from './Results';

const PAGE = path.resolve(__dirname, '../../README.md');
const isOfNode = (name: string) => /^Node \d+$/.test(name);

/**
 * Writes a table between `<!-- bench: name -->` and `<!-- /bench -->` in `bench/README.md`. The last column becomes the column of
 * this version of Node. The page keeps the columns of other versions, with a dash in a row that is new.
 *
 * @throws Error if the page has no such place
 */
export function writeTable(name: string, [head, ...rows]: string[][]): void {
  const page = readFileSync(PAGE, 'utf8');
  const begin = `<!-- bench: ${name} -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf('<!-- /bench -->', from);
  if (from < 0 || to < 0) {
    throw new Error(`${PAGE} has no place for ${begin}`);
  }
  const [oldHead = [], , ...oldRows] = page
    .slice(from, to)
    .split('\n')
    .filter(line => line.startsWith('|'))
    .map(line => line.split('|').map(cell => cell.trim()))
    .map(cells => cells.slice(1, -1));
  const own = `Node ${process.versions.node.split('.')[0]}`;
  const columns = [...new Set([...oldHead.filter(isOfNode), own])]
    .sort()
    .reverse();
  const keyOf = (row: string[]) => row.slice(0, head.length - 1);
  const merged = rows.map(row => {
    const old = oldRows.find(each => `${keyOf(each)}` === `${keyOf(row)}`);
    return [
      ...keyOf(row),
      ...columns.map(column =>
        column === own ? row.at(-1)! : (old?.[oldHead.indexOf(column)] ?? '–'),
      ),
    ];
  });
  const table = formatTable([[...keyOf(head), ...columns], ...merged]);
  const before = page.slice(0, from + begin.length);
  writeFileSync(PAGE, `${before}\n\n${table}\n\n${page.slice(to)}`);
}
