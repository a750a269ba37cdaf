import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { readDocument, root } from '../__testUtils__/documents';

const script = path.join(root, '.ci/promises.js');
const { testsIn } = createRequire(__filename)(script);

/** The ids of the promises of docs/assurance.md. */
const promised = [
  ...readDocument('docs/assurance.md').text.matchAll(/^- (P\d+): /gm),
].map(([, id]) => id);

/** The ids with which titles of tests begin. */
const held = execFileSync('node', [script], { encoding: 'utf8' })
  .trim()
  .split('\n')
  .map(line => line.split(' ')[0]);

it('each promise of docs/assurance.md has a test, and each id in a title of a test is a promise, once', () => {
  expect(promised.length).toBeGreaterThan(80);
  expect([...promised].sort()).toEqual([...new Set(held)].sort());
});

it('the table of rows in src/gate/README.md names promises', () => {
  const { text } = readDocument('src/gate/README.md');
  const named = [...text.matchAll(/^\| \[(P\d+)\]/gm)].map(([, id]) => id);
  expect(named.length).toBeGreaterThan(30);
  expect(promised).toEqual(expect.arrayContaining(named));
});

it.each([
  ["it('[P1] closes', () => {})", ['P1']],
  ["it('[P1][P2] closes', () => {})", ['P1', 'P2']],
  ["describeIfRouted('[P1] closes', () => {})", ['P1']],
  ["it('closes', () => {})", []],
  ["it.skip('[P1] closes', () => {})", []],
  ["it.todo('[P1] closes')", []],
  ["xit('[P1] closes', () => {})", []],
  ["describe.skip('all', () => it('[P1] closes', () => {}))", []],
  ["describe.skip.each([1])('all', () => it('[P1] closes', () => {}))", []],
  ["// it('[P1] closes', () => {})", []],
])('a test that holds a promise is found: %s holds %j', (text, ids) => {
  expect(testsIn('x.ts', text).map(({ id }: { id: string }) => id)).toEqual(
    ids,
  );
});
