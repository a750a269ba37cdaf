# Functions that run checks and count them, for a script that sources this file.

passed=0
failed=0
failures=()
# What `finish` prints of each check: its seconds and its name.
times=()
work=$(mktemp -d)
# The checks that run beside others: their names, processes, outputs and starts in seconds.
names=()
pids=()
logs=()
starts=()

# Ends what still runs. `timeout` hands the signal on to all processes of its check.
clean_up() {
  local running
  running=$(jobs -pr)
  [ -z "$running" ] || kill $running 2>/dev/null
  wait
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A check that hangs fails after this time, and the checks after it run.
limit=15m

# Starts a check: `pid` is its process, and `log` the file with its output. Not a pipe, which would stay open, and be waited for, as
# long as any process that the check has left behind.
start() {
  log=$(mktemp -p "$work")
  timeout --kill-after=30 "$limit" "$@" </dev/null >"$log" 2>&1 &
  pid=$!
}

# Counts a check that has ended after some seconds: a test run by its tests, any other check as one.
count() {
  local name=$1 log=$2 status=$3 seconds=$4
  times+=("$(printf '%5s s  %s' "$seconds" "$name")")
  [ "$status" -ne 124 ] || echo "The check was ended after $limit"
  local tests ok ko
  tests=$(grep -E '^Tests: ' "$log" | tail -1 || true)
  ok=$(sed -nE 's/.* ([0-9]+) passed.*/\1/p' <<<"$tests")
  ko=$(sed -nE 's/.* ([0-9]+) failed.*/\1/p' <<<"$tests")
  passed=$((passed + ${ok:-0}))
  failed=$((failed + ${ko:-0}))
  if [ "$status" -eq 0 ]; then
    [ -n "$ok" ] || passed=$((passed + 1))
  else
    echo "FAILED: $name"
    failures+=("$name")
    [ "${ko:-0}" -gt 0 ] || failed=$((failed + 1))
  fi
}

# Runs a check, and prints its output meanwhile: `check NAME COMMAND…`.
check() {
  local pid log tail status=0 from=$SECONDS
  start "${@:2}"
  printf '\n=== %s, from %s s\n' "$1" "$SECONDS"
  tail -n +1 -f -s 0.2 --pid="$pid" "$log" &
  tail=$!
  wait "$pid" || status=$?
  wait "$tail"
  count "$1" "$log" "$status" $((SECONDS - from))
}

# Names a check that does not run, and why: `skip NAME REASON`.
skip() {
  times+=("skipped  $1: $2")
}

# Starts a check that runs beside those that follow, until `join`.
beside() {
  local pid log
  start "${@:2}"
  names+=("$1")
  pids+=("$pid")
  logs+=("$log")
  starts+=("$SECONDS")
}

# Waits for the checks that run beside others, and prints the output of one after the other.
join() {
  local i status last
  for i in "${!names[@]}"; do
    status=0
    wait "${pids[i]}" || status=$?
    last=$((SECONDS - $(date +%s) + $(stat -c %Y "${logs[i]}")))
    printf '\n=== %s, from %s s, last line at %s s\n' "${names[i]}" "${starts[i]}" "$last"
    cat "${logs[i]}"
    count "${names[i]}" "${logs[i]}" "$status" $((last - starts[i]))
  done
  names=() pids=() logs=() starts=()
}

# Prints the time of each check, names those that have failed, and ends the script.
finish() {
  join
  printf '\nAll checks took %s s:\n' "$SECONDS"
  printf '%s\n' "${times[@]}"
  [ "$failed" -eq 0 ] || printf 'FAILED: %s\n' "${failures[@]}"
  printf '%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit
}
