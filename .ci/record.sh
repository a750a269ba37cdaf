#!/usr/bin/env bash
# Runs a check of `.ci/nightly`, and with RECORD=1 notes in `.ci/nightly.txt` that it has passed: `.ci/record.sh 'HASH NAME' COMMAND…`.
set -euo pipefail
line=$1
shift
"$@"
if [ -n "${RECORD:-}" ]; then
  file=$(dirname "$0")/nightly.txt
  touch "$file"
  # Replaces the line of the same name; two checks may end at once.
  exec 9>"$file.lock"
  flock 9
  { grep -vF " ${line#* }" "$file" || true; echo "$line"; } | sort -k 2 >"$file.new"
  mv "$file.new" "$file"
  rm -f "$file.lock"
fi
