#!/usr/bin/env bash
# Runs the checks of a list, which it reads: a line is `NAME: COMMAND`, a comment, or `[N at a time]` for those below it. Ends with the time of each check,
# the names of those that have failed, and `N passed, N failed`. With a NAME, runs the first check and that one; with `--json`, prints the names.
# A check whose name begins with `try ` does not count.
set -uo pipefail
cd "$(dirname "$0")/.."
list=$(grep -vE '^(#|$)')
[ "${1:-}" != --json ] || exec node -p 'JSON.stringify(process.argv[1].match(/^[^\[].*?(?=: )/gm))' "$list"
[ $# -eq 0 ] || [[ $'\n'$list == *$'\n'"$1: "* ]] || { echo "There is no check $1" >&2; exit 1; }

work=$(mktemp -d)
# Ends what still runs, with all that it has started.
trap 'running=$(jobs -pr); [ -z "$running" ] || kill $running; wait; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
# The check that packs the gate first writes it there, and the others take it.
export CI=true PATH="$PWD/node_modules/.bin:$PATH" API_GATE_TARBALL="$work/gate.tgz"
# A check that hangs fails after this time. The longest one, all states of the decision, takes half of it.
limit=${CHECK_LIMIT:-30m}

# Runs a check, prints its output once it has ended, and writes a row. A test run is counted by its tests, any other check as one. Not by a pipe, which
# would be waited for as long as any process that the check has left behind.
run() {
  local child log from=$SECONDS status=0 tests ok ko seconds
  log=$(mktemp -p "$work")
  timeout --kill-after=30 "$limit" bash -c "$2" </dev/null >"$log" 2>&1 &
  child=$!
  trap 'kill $child; wait $child; exit' TERM
  wait $child || status=$?
  seconds=$((SECONDS - from))
  [ $status -ne 124 ] || echo "The check was ended after $limit" >>"$log"
  tests=$(grep '^Tests: ' "$log" | tail -1)
  ok=$(sed -nE 's/.* ([0-9]+) passed.*/\1/p' <<<"$tests")
  ko=$(sed -nE 's/.* ([0-9]+) failed.*/\1/p' <<<"$tests")
  if [ $status -eq 0 ]; then ok=${ok:-1} ko=0; elif [ "${ko:-0}" -eq 0 ]; then ko=1; fi
  [[ $1 != 'try '* ]] || ok=0 ko=0
  exec 9>"$work/lock" && flock 9
  printf '\n=== %s, from %s s to %s s\n' "$1" "$from" $((from + seconds)) && cat "$log"
  [ "$ko" -eq 0 ] || echo "FAILED: $1"
  echo "${ok:-0} $ko $status $seconds $1" >>"$work/rows"
}

at_once=1 first=yes
while read -r line; do
  if [[ $line == '['* ]]; then
    wait
    at_once=${line//[^0-9]/}
  elif [ $# -eq 0 ] || [ $first = yes ] || [ "${line%%: *}" = "$1" ]; then
    while [ "$(jobs -pr | wc -l)" -ge "$at_once" ]; do wait -n; done
    run "${line%%: *}" "${line#*: }" &
    first=no
  fi
done <<<"$list"
wait
printf '\nAll checks took %s s:\n' $SECONDS
awk '
  { ok += $1; ko += $2; failed = $2 > 0; tried = $3 > 0; seconds = $4; sub(/^([0-9]+ ){4}/, "") }
  { printf "%5d s  %s%s\n", seconds, $0, failed || tried ? "  FAILED" : "" }
  failed { names = names "FAILED: " $0 "\n" }
  END { printf "%s%d passed, %d failed\n", names, ok, ko; exit ko > 0 || ok == 0 }' "$work/rows"
