#!/usr/bin/env bash
# Runs a command on Node 22, 24 or 26: `.ci/withNode.sh 24 node --version`. Node and its headers come from npm. better-sqlite3, the
# one package here that is built for one version of Node, is built in `.ci/node`: the main install stays as it is.
set -euo pipefail
major=$1
shift
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$root/.ci/node
node=$folder/node_modules/node-$major
sqlite=$folder/better-sqlite3-$major

install_nodes() {
  cd "$folder"
  if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
    npm ci --no-audit --no-fund
    cp package-lock.json node_modules/.installed-lock.json
  fi
}

build_sqlite() {
  local source=$root/node_modules/better-sqlite3
  local built_from
  built_from=$(cd "$source" && cat package.json src/*.cpp | sha256sum)-$("$node/bin/node" --version)
  if [ "$(cat "$sqlite/.built-from" 2>/dev/null)" != "$built_from" ]; then
    rm -rf "$sqlite"
    cp -r "$source" "$sqlite"
    cd "$sqlite"
    npm_config_nodedir=$node "$root/node_modules/.bin/node-gyp" rebuild --release -j max --loglevel=error >build.log 2>&1 ||
      { cat build.log; exit 1; }
    echo "$built_from" >.built-from
  fi
}

(install_nodes)
export PATH=$node/bin:$PATH
(build_sqlite)
NODE_OPTIONS="--require $folder/useOwnBuild.cjs" exec "$@"
