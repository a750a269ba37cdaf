import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { root } from '../__testUtils__/documents';

// The package comes with Backstage's command.
const { ESLint } = createRequire(
  require.resolve('@backstage/cli-module-lint/package.json'),
)('eslint');

// The first lint loads the parser and all rules.
jest.setTimeout(60_000);

/** The rooms of `src`, from the lowest to the highest. */
const ROOMS = ['gate', 'settings', 'store', 'operators', 'backstage', 'cli'];

const eslint = new ESLint({ cwd: root });

/** Returns the rules that a file of a room would break with this text. */
async function brokenRules(room: string, text: string): Promise<string[]> {
  const filePath = path.join(root, 'src', room, 'added.ts');
  const [{ messages }] = await eslint.lintText(`${text}\n`, { filePath });
  return messages.map(({ ruleId }: { ruleId: string }) => ruleId);
}

/** Returns the path of some file of a room, as another room imports it. */
function importPathOf(room: string): string {
  const [file] = readdirSync(path.join(root, 'src', room), { recursive: true })
    .map(String)
    .filter(each => each.endsWith('.ts') && !each.endsWith('.test.ts'));
  return `../${room}/${file.replace(/\.ts$/, '')}`;
}

it('src has these rooms, its tests, and the entry point', () => {
  expect(readdirSync(path.join(root, 'src')).sort()).toEqual(
    [...ROOMS, '__tests__', 'index.ts'].sort(),
  );
});

it.each(
  ROOMS.flatMap((room, level) =>
    ROOMS.filter(other => other !== room).map(
      other =>
        [
          room,
          ROOMS.indexOf(other) < level ? 'may' : 'may not',
          other,
        ] as const,
    ),
  ),
)('%s %s import from %s', async (room, may, other) => {
  const text = `export type * from '${importPathOf(other)}';`;
  expect(await brokenRules(room, text)).toEqual(
    may === 'may' ? [] : ['import/no-restricted-paths'],
  );
});

it.each([
  ["export type { Knex } from 'knex';", false],
  [
    "export { DefaultHttpAuthService } from '@backstage/backend-defaults/httpAuth';",
    false,
  ],
  ["export const loaded = import('yaml');", false],
  ["export * from '../index';", false],
  ["export { LRUCache } from 'lru-cache';", true],
  ["export { isError } from '@backstage/errors';", true],
  ["export { createHash } from 'node:crypto';", true],
])('gate uses its own files and few packages: %s', async (text, isAllowed) => {
  expect(await brokenRules('gate', text)).toHaveLength(isAllowed ? 0 : 1);
});
