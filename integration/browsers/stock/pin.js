// Pins the packages of the stock app in this folder to those of its release: `node pin.js 2025-12`.
const { readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const read = file => JSON.parse(readFileSync(file, 'utf8'));
const [release] = process.argv.slice(2);

// What the registry does not have of a release.
const OTHERS = {
  '2025-12': { '@backstage/plugin-bitbucket-cloud-common': '0.3.12' },
};

const files = ['packages/app/package.json', 'packages/backend/package.json'];
const tested = read(
  path.join(__dirname, `../../../.ci/releases/${release}/package.json`),
);
const pinned = [
  ...files.map(file => read(file).dependencies),
  tested.overrides,
  tested.dependencies,
  OTHERS[release] ?? {},
]
  .flatMap(Object.entries)
  // An override may name a dependency instead of a version.
  .filter(([name, version]) =>
    /^@backstage\/.*@\^?\d/.test(`${name}@${version}`),
  )
  .map(([name, version]) => [name, version.replace(/^\^/, '')]);

const app = read('package.json');
app.resolutions = { ...app.resolutions, ...Object.fromEntries(pinned) };
writeFileSync('package.json', `${JSON.stringify(app, null, 2)}\n`);
