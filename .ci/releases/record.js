// Records what a run of `.ci/releases/run` found: `node .ci/releases/record.js 2026-03 attacks`. The table of the documentation is
// made of that by `writeTable.js`.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const [release, what] = process.argv.slice(2);
const folder = path.join(__dirname, release);
const resultsFile = path.resolve(__dirname, '../../docs/releases.json');

const read = file => JSON.parse(fs.readFileSync(file, 'utf8'));
const versionOf = name =>
  read(path.join(folder, 'node_modules', name, 'package.json')).version;

const results = fs.existsSync(resultsFile) ? read(resultsFile) : {};
const result = (results[release] ??= {});
result.backendDefaults = versionOf('@backstage/backend-defaults');
result.authBackend = versionOf('@backstage/plugin-auth-backend');
const [major] = process.versions.node.split('.');
const node = ((result.node ??= {})[major] ??= {});
if (what === 'packed') {
  node.packed = true;
  result.missing = read(path.join(folder, '.packed.json')).missing;
} else {
  const { numPassedTests, numFailedTests } = read(
    path.join(folder, '.jest.json'),
  );
  node[what] = { passed: numPassedTests, failed: numFailedTests };
}

const sorted = Object.fromEntries(Object.entries(results).sort());
fs.mkdirSync(path.dirname(resultsFile), { recursive: true });
fs.writeFileSync(resultsFile, `${JSON.stringify(sorted, null, 2)}\n`);
execFileSync(process.execPath, [
  require.resolve('prettier/bin/prettier.cjs'),
  '--write',
  resultsFile,
]);
