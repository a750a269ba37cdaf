// Makes the installed backend-defaults a release that nobody has seen: it is named 0.20.0, and two of its entry points do not export what the
// features need that API_GATE_TEST_WITHOUT names (see dev/jest/reducedRelease.js). Backstage's own `createBackend` has all of it.
const fs = require('node:fs');
const path = require('node:path');

const folder = path.join(__dirname, 'node_modules/@backstage/backend-defaults');
const reducedRelease = path.resolve(
  __dirname,
  '../../../dev/jest/reducedRelease.js',
);

/** Edits a file of the package. */
function edit(name, change) {
  const file = path.join(folder, name);
  fs.writeFileSync(file, change(fs.readFileSync(file, 'utf8')));
}

const manifest = require(`${folder}/package.json`);
for (const entry of ['auth', 'httpRouter']) {
  const file = `./dist/${entry}.reduced.cjs.js`;
  fs.writeFileSync(
    path.join(folder, file),
    `const changed = require(${JSON.stringify(reducedRelease)});
module.exports = changed('', '@backstage/backend-defaults/${entry}', require('./${entry}.cjs.js'));
`,
  );
  manifest.exports[`./${entry}`] = { default: file };
}
edit('package.json', () =>
  JSON.stringify({ ...manifest, version: '0.20.0' }, null, 2),
);
// It imports its own package by name.
edit('dist/CreateBackend.cjs.js', text =>
  text.replace(
    /require\('@backstage\/backend-defaults\/(auth|httpRouter)'\)/g,
    "require('./$1.cjs.js')",
  ),
);
