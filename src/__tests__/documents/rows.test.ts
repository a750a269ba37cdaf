import { readdirSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { readDocument, root } from '../__testUtils__/documents';
import { ATTACKS } from '../attacks/corpus/credentials';
import { CREDENTIALS } from '../attacks/corpus/headers';

/** The rows that no promise and no attack names, with the reason. */
const UNNAMED: Record<string, string> = {
  S3: 'nearly all tests have such a plugin',
  R6: 'it chooses between reasons of a refusal',
  A3: 'it opens nothing, and refuses nothing',
};

/** The rows of src/gate/README.md: each id, and the line that begins with it. */
const rows = new Map(
  [
    ...readDocument('src/gate/README.md').text.matchAll(
      /^(?:\| |- \*\*)([SVPRTJMA]\d+)\b.*/gm,
    ),
  ].map(([line, id]) => [id, line]),
);

/** The rows that the table of promises, at the end of that page, names. */
const promised = [
  ...readDocument('src/gate/README.md').text.matchAll(
    /^\| \[P\d+\] +\| (.+?) +\|$/gm,
  ),
].map(([, ids]) => ids);

/** The attacks whose rows are in `$rows` of the title. */
const groups = [...ATTACKS, ...CREDENTIALS];

/** The end of a title of an attack. */
const ROWS = /\(((?:[A-Z]\d+, )*[A-Z]\d+|\$rows|no row: .+)\)$/;

/** Returns the tests of an attack's file: each title behind those of its groups, and the rows at their ends. */
function attacksIn(file: string): { title: string; named: string[] }[] {
  const found: ReturnType<typeof attacksIn> = [];
  const visit = (node: ts.Node, outer: string[]): void => {
    let titles = outer;
    if (ts.isCallExpression(node)) {
      const [first] = node.arguments;
      const [callee] = node.expression.getText().match(/^\w+/) ?? [];
      const isTitled =
        (callee === 'it' || callee === 'describe') &&
        (ts.isStringLiteralLike(first) || ts.isTemplateExpression(first));
      if (isTitled) {
        titles = [...outer, first.getText().slice(1, -1)];
        const named = titles.flatMap(title => title.match(ROWS)?.[1] ?? []);
        if (callee === 'it') {
          found.push({ title: titles.join(' > '), named });
        }
      }
    }
    ts.forEachChild(node, child => visit(child, titles));
  };
  const { text } = readDocument(file);
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true), []);
  return found;
}

const FOLDER = 'src/__tests__/attacks';
const attacks = readdirSync(path.join(root, FOLDER))
  .filter(file => file.endsWith('.ts') && file !== 'attacks.test.ts')
  .flatMap(file => attacksIn(`${FOLDER}/${file}`));

/** Returns the ids in the texts of titles, promises and groups. */
const idsIn = (texts: string[]) =>
  texts
    .filter(text => !/^(\$rows|no row)/.test(text))
    .flatMap(text => text.split(', '));

it.each(attacks.map(({ title, named }) => [title, named] as const))(
  'the attack names its rows of src/gate/README.md: %s',
  (_, named) => {
    expect(named).not.toEqual([]);
  },
);

it.each(
  groups.map(
    ({ flaw, refused, rows: ids }) => [ids, flaw, refused.reason] as const,
  ),
)(
  'one of the rows %s has the reason of the attack: %s',
  (ids, _, reason = 'missing-credentials') => {
    const lines = idsIn([ids]).map(id => rows.get(id));
    expect(lines.join()).toContain(`\`${reason}\``);
  },
);

it('promises and attacks name each row, and no others', () => {
  const named = idsIn([
    ...promised,
    ...attacks.flatMap(attack => attack.named),
    ...groups.map(group => group.rows),
  ]);
  expect(rows.size).toBeGreaterThan(70);
  expect([...new Set([...named, ...Object.keys(UNNAMED)])].sort()).toEqual(
    [...rows.keys()].sort(),
  );
  expect(named.filter(id => id in UNNAMED)).toEqual([]);
});
