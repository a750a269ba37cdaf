// Loads the build of better-sqlite3 that withNode.sh made for this Node in place of the main install's.
const Module = require('node:module');
const path = require('node:path');

const [major] = process.versions.node.split('.');
const ownBuild = path.join(
  __dirname,
  `better-sqlite3-${major}/build/Release/better_sqlite3.node`,
);
const load = Module._extensions['.node'];
Module._extensions['.node'] = (module, file) =>
  load(
    module,
    path.basename(file) === path.basename(ownBuild) ? ownBuild : file,
  );
