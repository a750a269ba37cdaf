#!/usr/bin/env bash
# Runs a command with a PostgreSQL of its own, on a free port and in a folder of its own, and stops it afterwards. The
# command finds it at API_GATE_TEST_POSTGRES. Installs Debian's package if there is none.
set -euo pipefail

bin() {
  ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1
}
if [ -z "$(bin)" ]; then
  "$(dirname "$0")/aptInstall.sh" postgresql
fi
bin=$(bin)
folder=$(mktemp -d)
port=$(node -e 'const s=require("net").createServer().listen(0,()=>{console.log(s.address().port);s.close()})')

# PostgreSQL does not run as root.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then
    (cd / && runuser -u postgres -- "$@")
  else
    "$@"
  fi
}
[ "$(id -u)" != 0 ] || chown postgres "$folder"
as_postgres "$bin/initdb" -D "$folder/data" -U postgres --auth=trust -E UTF8 >/dev/null
as_postgres "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/log" \
  -o "-p $port -c listen_addresses=localhost -c unix_socket_directories=$folder -c fsync=off" start >/dev/null
stop() {
  as_postgres "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null || true
  rm -rf "$folder"
}
trap stop EXIT

API_GATE_TEST_POSTGRES="postgresql://postgres@localhost:$port/postgres" "$@"
