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

it.each(tableRows(PAGE, ['Seam', 'File', 'What']))(
  'docs/upstream.md has what goes with seam %s from %s: %s',
  (_seam, file, what) => {
    const [name] = codeIn(file);
    const { text } = readDocument(name);
    const source = ts.createSourceFile(
      name,
      text,
      ts.ScriptTarget.Latest,
      true,
    );
    const declared: string[] = [];
    const visit = (node: ts.Node): void => {
      declared.push(...namesOf(node));
      ts.forEachChild(node, visit);
    };
    visit(source);
    expect(declared).toEqual(expect.arrayContaining(codeIn(what)));
  },
);
