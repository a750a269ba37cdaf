# Functions that run checks and count them, for a script that sources this file.

passed=0
failed=0
failures=()
# What `finish` prints of each check: its seconds, those of its CPU time, and its name; and the CPU time of all.
times=()
cpu_of_all=0
work=$(mktemp -d)
# The names of the checks whose failure does not count.
declare -A trials=()
# The checks that run beside others: their names, processes and outputs. `queued` is the process of the last one in the queue.
names=()
pids=()
logs=()
queued=
after=

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

# A check that hangs fails after this time, and the checks after it run. The longest one, all states of the decision, takes half of it alone.
limit=30m

# Starts a check, after the process `after` if there is one: `pid` is its process, and `log` the file with its output. Not a pipe, which would
# stay open, and be waited for, as long as any process that the check has left behind. The file `$log.from` is written at the start, and
# `$log.cpu` at the end, with the CPU time of the check and of all processes that it has waited for.
start() {
  log=$(mktemp -p "$work")
  {
    [ -z "$after" ] || tail -f /dev/null -s 0.2 --pid="$after"
    touch "$log.from"
    exec timeout --kill-after=30 "$limit" bash -c 'TIMEFORMAT="%U %S"; { time "$@" 2>&1; } 2>"$0.cpu"' "$log" "$@" </dev/null >"$log" 2>&1
  } &
  pid=$!
}

# Counts a check that has ended after some seconds: a test run by its tests, any other check as one, and a trial not at all.
count() {
  local name=$1 log=$2 status=$3 seconds=$4 cpu both
  # A check that was ended has no CPU time.
  cpu=$(awk 'NF == 2 { cpu = $1 + $2 } END { printf "%.0f", cpu }' "$log.cpu")
  cpu_of_all=$((cpu_of_all + cpu))
  both=$(printf '%5s s %5s s CPU' "$seconds" "$cpu")
  if [ -n "${trials[$name]:-}" ]; then
    [ "$status" -eq 0 ] || name+=' FAILED, which does not count'
    times+=("$both  tried: $name")
    return
  fi
  times+=("$both  $name")
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

# Starts a check that runs beside those that follow, until `join`.
beside() {
  local pid log
  start "${@:2}"
  names+=("$1")
  pids+=("$pid")
  logs+=("$log")
}

# Starts a check that runs beside those that follow, once the check that was queued before it has ended.
queue() {
  local after=$queued
  beside "$@"
  queued=${pids[-1]}
}

# Starts a check beside others whose failure `finish` names and does not count: `trial NAME COMMAND…`.
trial() {
  trials[$1]=1
  beside "$@"
}

# Waits for the checks that run beside others, and prints the output of one after the other.
join() {
  local i status from last began
  # Read once, since the two clocks pass a second at different moments: a check of no time would take -1 s.
  began=$(($(date +%s) - SECONDS))
  for i in "${!names[@]}"; do
    status=0
    wait "${pids[i]}" || status=$?
    from=$(($(stat -c %Y "${logs[i]}.from") - began))
    last=$(($(stat -c %Y "${logs[i]}") - began))
    printf '\n=== %s, from %s s, last line at %s s\n' "${names[i]}" "$from" "$last"
    cat "${logs[i]}"
    count "${names[i]}" "${logs[i]}" "$status" $((last - from))
  done
  names=() pids=() logs=() queued=
}

# Prints the time and CPU time of each check, names those that have failed, and ends the script.
finish() {
  join
  printf '\nAll checks took %s s, and %s s of CPU time:\n' "$SECONDS" "$cpu_of_all"
  printf '%s\n' "${times[@]}"
  [ "$failed" -eq 0 ] || printf 'FAILED: %s\n' "${failures[@]}"
  printf '%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit
}
