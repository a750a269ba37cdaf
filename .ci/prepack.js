// Makes each export of the packed package one string: `rhdh-cli plugin export` reads no conditions, see docs/recipes/rhdh.md. npm runs
// this after Backstage's own `prepack`, whose `postpack` restores package.json.
const fs = require('node:fs');

const manifest = JSON.parse(fs.readFileSync('package.json', 'utf8'));
for (const [mount, target] of Object.entries(manifest.exports)) {
  if (typeof target !== 'string') {
    const { default: script, types } = target;
    manifest.exports[mount] = script;
    // Without the condition `types`, TypeScript looks for a declaration beside the script.
    fs.copyFileSync(types, script.replace(/\.js$/, '.d.ts'));
  }
}
// Backstage's `repo fix --publish` takes these out of `publishConfig`, from which the export for RHDH reads them.
const entry = { main: 'bin/dynamic-plugin.cjs', types: 'dist/index.d.ts' };
Object.assign(manifest, entry);
Object.assign(manifest.publishConfig, entry);
fs.writeFileSync('package.json', `${JSON.stringify(manifest, null, 2)}\n`);
