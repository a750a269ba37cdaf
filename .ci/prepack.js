// Makes each export of the packed package one string: `rhdh-cli plugin export` reads no conditions, see docs/recipes/rhdh.md.
// Backstage's own `prepack` has run, whose `postpack` restores package.json.
const fs = require('node:fs');
const path = require('node:path');

const file = path.resolve(__dirname, '../package.json');
const manifest = JSON.parse(fs.readFileSync(file, 'utf8'));
for (const [mount, target] of Object.entries(manifest.exports)) {
  if (typeof target !== 'string') {
    const { default: script, types } = target;
    manifest.exports[mount] = script;
    // Without the condition `types`, TypeScript looks for a declaration beside the script.
    fs.copyFileSync(types, script.replace(/\.js$/, '.d.ts'));
  }
}
fs.writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
