// Installs missing packages, for `npm start` and `npm test` on a machine that has only Node and npm. Yarn comes from the npm
// package that its maintainers publish; nothing is installed globally.
const { createHash } = require('node:crypto');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const YARN = '@yarnpkg/cli-dist@4.18.1';
const root = path.resolve(__dirname, '..');
const stampFile = path.join(root, 'node_modules', '.api-gate-installed');

// Native modules are built for one ABI: another Node needs another build.
const hash = createHash('sha256').update(process.versions.modules);
for (const file of ['package.json', 'yarn.lock']) {
  hash.update(fs.readFileSync(path.join(root, file)));
}
const stamp = hash.digest('hex');

const readStamp = () => {
  try {
    return fs.readFileSync(stampFile, 'utf8');
  } catch {
    return undefined;
  }
};

if (readStamp() !== stamp) {
  console.log('Installing dependencies. The first time takes a few minutes.');
  // The headers of this Node save node-gyp a download, and fit this Node whatever npm's configuration contains.
  const prefix = path.resolve(process.execPath, '../..');
  if (fs.existsSync(path.join(prefix, 'include/node/node.h'))) {
    process.env.npm_config_nodedir = prefix;
  }
  const yarn = (...args) => {
    const { status } = spawnSync(
      'npm',
      ['exec', '--yes', `--package=${YARN}`, '--', 'yarn', ...args],
      { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' },
    );
    if (status !== 0) {
      console.error(`yarn ${args.join(' ')} failed, see above`);
      process.exit(1);
    }
  };
  yarn('install', '--immutable');
  // Yarn does not see that another Node needs another build.
  const open = `new (require('better-sqlite3'))(':memory:')`;
  if (spawnSync(process.execPath, ['-e', open], { cwd: root }).status !== 0) {
    yarn('rebuild', 'better-sqlite3');
  }
  fs.writeFileSync(stampFile, stamp);
}
