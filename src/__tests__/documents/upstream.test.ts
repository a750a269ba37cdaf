import ts from 'typescript';
import {
  codeBlocks,
  codeIn,
  readDocument,
  tableRows,
} from '../__testUtils__/documents';

const PAGE = 'docs/upstream.md';

it('docs/upstream.md has the signatures that its trial is compiled with', () => {
  const { text } = readDocument('integration/packages/upstream/src/seams.ts');
  const [, ...seams] = text.split(/^\/\/ \d\n/m);
  expect(seams).toHaveLength(4);
  const blocks = codeBlocks('ts').filter(({ file }) => file === PAGE);
  expect(blocks.map(block => block.text)).toEqual(
    seams.map(seam => seam.trim()),
  );
});

/** Returns the names that a statement or a member of a class declares. */
function namesOf(node: ts.Node): string[] {
  if (ts.isVariableStatement(node)) {
    const { declarations } = node.declarationList;
    return declarations.flatMap(({ name }) => name.getText().match(/\w+/g)!);
  }
  return ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)
    ? [node.name!.getText()]
    : [];
}

/** Counts the lines of declarations in a file, without their comments; of the whole file without names. */
function countLines(file: string, names: string[]): number {
  const lines = (code: string) => code.trim().split('\n').length;
  const { text } = readDocument(file);
  if (names.length === 0) {
    return lines(text);
  }
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found = new Map<string, number>();
  const visit = (node: ts.Node): void => {
    for (const name of namesOf(node).filter(each => names.includes(each))) {
      expect(found.has(name)).toBe(false);
      found.set(name, lines(node.getText()));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  expect([...found.keys()].sort()).toEqual([...names].sort());
  return [...found.values()].reduce((sum, count) => sum + count);
}

it.each(tableRows(PAGE, ['Seam', 'File', 'What', 'Lines']))(
  'docs/upstream.md has the lines that go with seam %s from %s: %s',
  (_seam, file, what, lines) =>
    expect(Number(lines)).toBe(countLines(codeIn(file)[0], codeIn(what))),
);
