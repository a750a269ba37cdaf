// Prints a package.json as the folders here have it, with the newest of Backstage's packages that the registry has, pre-releases included:
// `node .ci/releases/newest.js`.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const semver = require('semver');

const [release] = fs
  .readdirSync(__dirname)
  .filter(name => /^20\d\d-\d\d$/.test(name))
  .sort()
  .reverse();
const manifest = JSON.parse(
  fs.readFileSync(path.join(__dirname, release, 'package.json'), 'utf8'),
);

function newestOf(name) {
  const printed = execFileSync('npm', ['view', name, 'versions', '--json']);
  return semver.rsort([JSON.parse(printed)].flat())[0];
}

const dependencies = Object.fromEntries(
  Object.entries(manifest.dependencies).map(([name, version]) => [
    name,
    name.startsWith('@backstage/') ? newestOf(name) : version,
  ]),
);
console.log(
  JSON.stringify(
    {
      ...manifest,
      name: 'backstage-newest',
      description: "The newest of Backstage's packages.",
      release: {},
      dependencies,
    },
    null,
    2,
  ),
);
