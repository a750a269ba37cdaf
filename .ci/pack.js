// Builds the package, and packs it as `npm publish` would send it: `node .ci/pack.js FOLDER` prints the path of the tarball. Where
// API_GATE_TARBALL names one, that one is taken.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..');

/** Returns the path of the tarball. */
function pack(folder) {
  if (process.env.API_GATE_TARBALL) {
    return process.env.API_GATE_TARBALL;
  }
  const run = (command, ...args) =>
    execFileSync(command, args, {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  const bin = path.join(root, 'node_modules/.bin');
  run(path.join(bin, 'tsc'));
  run(path.join(bin, 'backstage-cli'), 'package', 'build');
  fs.mkdirSync(folder, { recursive: true });
  run('npm', 'pack', '--loglevel=error', '--pack-destination', folder);
  const tarball = fs.readdirSync(folder).find(file => file.endsWith('.tgz'));
  return path.join(folder, tarball);
}

module.exports = { pack };

if (require.main === module) {
  console.log(pack(path.resolve(process.argv[2])));
}
