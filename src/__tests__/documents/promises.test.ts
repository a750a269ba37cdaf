import { readdirSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { readDocument, root } from '../__testUtils__/documents';

/** A test, or a group of tests, whose title begins with ids of promises. */
interface TitledTest {
  /** The id of a promise, such as `P3`. */
  id: string;
  /** The title without its ids. */
  title: string;
  file: string;
}

/** Returns the tests of a file that hold a promise. A skipped test, and one in a skipped group, holds none. */
function titledTestsIn(file: string, text: string): TitledTest[] {
  if (!text.includes('[P')) {
    return [];
  }
  const found: TitledTest[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && isSkipping(node.expression.getText())) {
      return;
    }
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node)) {
      const [, ids, title] = node.text.match(/^((?:\[P\d+\])+) (.+)$/) ?? [];
      for (const [, id] of ids?.matchAll(/\[(P\d+)\]/g) ?? []) {
        found.push({ id, title, file });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return found;
}

function isSkipping(callee: string): boolean {
  return /^(\w+\.)*(skip|todo)\b|^x(it|test|describe)\b/.test(callee);
}

/** Finds the files of a folder. Those of installed packages are many, so they are not listed first. */
function typeScriptFilesIn(folder: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true })
    .map(entry => ({ entry, file: path.posix.join(folder, entry.name) }))
    .filter(({ file }) => !/node_modules|delegation\/\d/.test(file))
    .flatMap(({ entry, file }) => {
      if (entry.isDirectory()) {
        return typeScriptFilesIn(file);
      }
      return file.endsWith('.ts') ? [file] : [];
    });
}

const titledTests = ['src', 'integration', 'bench/load']
  .flatMap(typeScriptFilesIn)
  .flatMap(file => titledTestsIn(file, readDocument(file).text));

/** The promises of docs/assurance.md: a heading with the id, then a list of `file`: title of a test. A row for each test. */
const promisedTests = readDocument('docs/assurance.md')
  .text.split(/^### (?=P\d+$)/m)
  .slice(1)
  .flatMap(section => {
    const id = section.match(/^P\d+/)![0];
    const tests = [...section.matchAll(/^- `([^`]+)`: (.+)$/gm)];
    return tests.map(([, file, title]) => ({ id, title, file }));
  });

it('promises as much as before', () => {
  expect(promisedTests.length).toBeGreaterThan(90);
});

const nameOf = ({ id, title, file }: TitledTest) => `${id}: ${title}, ${file}`;

describe('the promises of docs/assurance.md', () => {
  it.each(promisedTests.map(promised => [nameOf(promised), promised] as const))(
    'are held by a test with the id in its title: %s',
    (_, { id, title, file }) => {
      const titles = titledTests
        .filter(test => test.id === id && test.file === file)
        .map(test => test.title);
      expect(titles.filter(other => other.startsWith(title))).toHaveLength(1);
    },
  );

  it.each(titledTests.map(test => [nameOf(test), test] as const))(
    'name each test that has their id in its title: %s',
    (_, { id, title, file }) => {
      expect(
        promisedTests.some(
          promised =>
            promised.id === id &&
            promised.file === file &&
            title.startsWith(promised.title),
        ),
      ).toBe(true);
    },
  );
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
  expect(titledTestsIn('x.ts', text).map(({ id }) => id)).toEqual(ids);
});
