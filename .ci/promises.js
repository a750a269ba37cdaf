// Prints the tests of each promise of docs/assurance.md, or of one: `node .ci/promises.js [ID]`. A skipped test holds no promise.
const { execSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const ts = require('typescript');

const root = path.resolve(__dirname, '..');
const LIST = "git grep -lE --no-index --exclude-standard '\\[P[0-9]' -- '*.ts'";

/** Returns the tests whose titles begin with ids of promises: a row for each id. */
exports.testsIn = (file, text) => {
  const found = [];
  const visit = node => {
    const callee = ts.isCallExpression(node) ? node.expression.getText() : '';
    if (/^(\w+\.)*(skip|todo)\b|^x(it|test|describe)\b/.test(callee)) {
      return;
    }
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node)) {
      const [, ids, title] = node.text.match(/^((?:\[P\d+\])+) (.+)$/) ?? [];
      const each = ids?.match(/P\d+/g) ?? [];
      found.push(...each.map(id => ({ id, title, file })));
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return found;
};

if (require.main === module) {
  const tests = execSync(LIST, { cwd: root, encoding: 'utf8' })
    .trim()
    .split('\n')
    .map(file => [file, fs.readFileSync(path.join(root, file), 'utf8')])
    .flatMap(([file, text]) => exports.testsIn(file, text))
    .filter(({ id }) => [undefined, id].includes(process.argv[2]))
    .sort((a, b) => a.id.slice(1) - b.id.slice(1));
  for (const { id, file, title } of tests) {
    console.log(`${id}  ${file}: ${title}`);
  }
}
