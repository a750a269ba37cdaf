// Builds the package, and packs it as `npm publish` would send it: `node .ci/pack.js FOLDER` prints the path of the tarball. With
// API_GATE_TARBALL, that is the path: a file that is there is taken.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..');

/** Returns the path of the tarball. */
function pack(folder) {
  const { API_GATE_TARBALL: wanted } = process.env;
  if (wanted && fs.existsSync(wanted)) {
    return wanted;
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
  const made = path.join(folder, tarball);
  if (wanted) {
    fs.copyFileSync(made, wanted);
  }
  return wanted ?? made;
}

module.exports = { pack };

if (require.main === module) {
  const folder = process.argv[2] ?? path.dirname(process.env.API_GATE_TARBALL);
  console.log(pack(path.resolve(folder)));
}
