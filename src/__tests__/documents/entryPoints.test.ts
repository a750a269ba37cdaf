import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { codeIn, readDocument, root } from '../__testUtils__/documents';

/** Returns the packages that an entry point loads, directly or indirectly. */
function packagesLoadedBy(entryPoint: string): Set<string> {
  const script = `
    require(${JSON.stringify(path.resolve(__dirname, entryPoint))});
    process.stdout.write(JSON.stringify(Object.keys(require.cache)));
  `;
  const output = execFileSync(
    process.execPath,
    ['-r', '@backstage/cli-node/config/nodeTransform.cjs', '-e', script],
    { cwd: root, encoding: 'utf8' },
  );
  const files: string[] = JSON.parse(output);
  return new Set(
    files
      .map(file => file.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1])
      .filter(name => name !== undefined),
  );
}

const OF_THE_LEGACY_SYSTEM = ['@backstage/backend-common', 'cookie-parser'];
const OF_THE_NEW_SYSTEM = '@backstage/backend-defaults';

it.each([
  ['../..', [OF_THE_NEW_SYSTEM], OF_THE_LEGACY_SYSTEM],
  [
    '../../cli',
    ['@backstage/config-loader'],
    [
      OF_THE_NEW_SYSTEM,
      '@backstage/backend-plugin-api',
      'express',
      'knex',
      ...OF_THE_LEGACY_SYSTEM,
    ],
  ],
  ['../../backstage/legacy', [], [OF_THE_NEW_SYSTEM, ...OF_THE_LEGACY_SYSTEM]],
])('%s loads %j of Backstage, and none of %j', (entryPoint, some, none) => {
  const loaded = packagesLoadedBy(entryPoint);
  expect([...loaded]).toEqual(
    expect.arrayContaining(['@backstage/errors', ...some]),
  );
  for (const name of none) {
    expect(loaded).not.toContain(name);
  }
});

it('docs/reference/typescript.md names the exports of the command and the legacy system', () => {
  const { text } = readDocument('docs/reference/typescript.md');
  const exported = ['legacy', 'cli'].flatMap(name =>
    [
      ...readDocument(`report-${name}.api.md`).text.matchAll(
        /^export function (\w+)/gm,
      ),
    ].map(([, found]) => found),
  );
  const named = codeIn(text.slice(text.indexOf('## The legacy system')))
    .filter(code => code.includes('('))
    .map(code => code.split('(')[0]);
  expect(named.sort()).toEqual(exported.sort());
});
