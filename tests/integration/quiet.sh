#!/usr/bin/env bash
# A timed run has its cpus for itself: other sandboxes are frozen or moved meanwhile,
# go on afterwards, and newcomers wait. Cpu time is counted by the groups' own
# counters; that something waits is told by the stamps of the results.
# What fence_lib.bash sets is not seen by shellcheck.
# shellcheck disable=SC2154,SC2016,SC2317
set -uo pipefail
self=$(readlink -f "$0")
# shellcheck source=tests/integration/fence_lib.bash disable=SC1091
. "$(dirname "$self")/fence_lib.bash"
fan_out "$self"
make_work

# Runs a spec in the background: $launcher, and $run and $id as launch leaves them.
begin() {
    prepare "$@"
    "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" 2>"$run/errors" &
    launcher=$!
}
# until_true COMMAND...: at most ten seconds.
until_true() {
    for _ in $(seq 200); do
        "$@" && return 0
        sleep 0.05
    done
    return 1
}
# What the program of run folder $1 printed.
said() { [ -s "$1/stdout" ]; }
# begin_timed [FILTER]: a timed run that ends when told: $timed_run, $timed.
begin_timed() {
    rm -f "$work/tell"
    mkfifo "$work/tell"
    prepare '["sh", "-c", "echo go; read x; exit 0"]' ".lane = \"timed\" | .stdin = \"inherit\" | ${1:-.}"
    timed_run=$run
    "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" <"$work/tell" 2>"$run/errors" &
    timed=$!
    exec 9>"$work/tell"
}
end_timed() {
    exec 9>&-
    wait "$timed"
}
of() { jq -r "$2" "$1/result.json" 2>/dev/null; }
# The cpu time of sandbox $1 in ns, by its group's counter.
cpu_of() {
    local groups total
    groups=$(find /sys/fs/cgroup -maxdepth 6 -type d -name "$1" 2>/dev/null)
    total=$(while read -r g; do cat "$g/cpuacct.usage" 2>/dev/null; done <<<"$groups")
    [ -n "$total" ] ||
        total=$(while read -r g; do awk '$1 == "usage_usec" {print $2 * 1000}' "$g/cpu.stat" 2>/dev/null; done <<<"$groups")
    echo "${total:-0}"
}
# grows ID FROM: its cpu time is beyond this.
grows() { [ "$(cpu_of "$1")" -gt "$2" ]; }
# A compile-like hog: short children, one after the other, until it has used $1 s.
hog() {
    python_argv "
import os, time
print('hog', flush=True)
while sum(os.times()[:4]) < $1:
    pid = os.fork()
    if pid == 0:
        end = time.process_time() + 0.02
        while time.process_time() < end: pass
        os._exit(0)
    os.waitpid(pid, 0)"
}

# A user without a freezer: honest about it.
if [ "$mode" != root ]; then
    begin "$(hog 60)"
    hog=$launcher hog_run=$run
    until_true said "$hog_run"
    begin_timed
    until_true said "$timed_run"
    end_timed
    kill -TERM $hog
    wait $hog
    if [ "$(of "$hog_run" .quiet.frozen_ns)" -gt 0 ]; then
        is "what can be frozen is quiet" "exit 1 0" "$(of "$timed_run" '"\(.ended) \(.quiet.others) \(.quiet.loud)"')"
    else
        is "what cannot be frozen is counted" "exit 1 1" "$(of "$timed_run" '"\(.ended) \(.quiet.others) \(.quiet.loud)"')"
        is "… and ran on" "0" "$(of "$hog_run" .quiet.frozen_ns)"
    fi
    exit "$failed"
fi

launch '["true"]'
is "a run among nobody was neither held nor frozen" "0 0 -1 -1" \
    "$(field '.quiet | "\(.held_ns) \(.frozen_ns) \(.others) \(.loud)"')"
launch '["true"]' '.lane = "timed"'
is "a timed run alone finds nobody" "exit 0 0" "$(field '"\(.ended) \(.quiet.others) \(.quiet.loud)"')"
is "… and leaves no lease" "" "$(find "$PADDOCK_LIVE/live/.lanes" 2>/dev/null)"

# A hog is frozen during a timed run and finishes afterwards.
begin "$(hog 1.5)"
hog=$launcher hog_run=$run hog_id=$id
until_true said "$hog_run"
begin_timed
check "the timed run begins beside a hog" until_true said "$timed_run"
before=$(cpu_of "$hog_id")
sleep 1
after=$(cpu_of "$hog_id")
if [ $((after - before)) -lt 5000000 ]; then ok "the hog uses no cpu meanwhile"; else
    not_ok "the hog uses no cpu meanwhile" "$((after - before)) ns"
fi
check "… and has not ended" test ! -e "$hog_run/result.json"
end_timed
wait $hog
is "the timed run knows of one other, which went quiet" "exit 1 0" \
    "$(of "$timed_run" '"\(.ended) \(.quiet.others) \(.quiet.loud)"')"
is "the hog goes on afterwards and finishes" "exit 0 true" \
    "$(of "$hog_run" '"\(.ended) \(.exit_code) \(.quiet.frozen_ns > 0)"')"
is "it was frozen for all of the clock's window" "true" \
    "$([ "$(of "$hog_run" .quiet.frozen_ns)" -ge "$(of "$timed_run" .wall_ns)" ] && echo true)"

# A killed timed launcher frees the others.
begin "$(hog 60)"
hog=$launcher hog_run=$run hog_id=$id
until_true said "$hog_run"
begin_timed
until_true said "$timed_run"
frozen=$(cpu_of "$hog_id")
kill -KILL "$timed"
wait "$timed" 2>/dev/null
exec 9>&-
check "kill -9 of the timed launcher thaws the hog" until_true grows "$hog_id" $((frozen + 50000000))
check "… and its lease is removed" until_true test ! -e "$PADDOCK_LIVE/live/.lanes"

# Who is frozen can still be cancelled, at once.
begin_timed
until_true said "$timed_run"
kill -TERM $hog
wait $hog
is "a frozen run is cancelled" "cancelled" "$(of "$hog_run" .ended)"
check "… while the timed run is on" test ! -e "$timed_run/result.json"
id=$hog_id
is "… and leaves nothing" "" "$(leftovers)"

# A newcomer waits, and can be cancelled.
begin '["true"]'
newcomer=$launcher newcomer_run=$run
begin '["true"]'
other=$launcher other_run=$run
sleep 0.5
kill -TERM $other
wait $other
is "a newcomer that waits is cancelled" "cancelled" "$(of "$other_run" .ended)"
check "… while another still waits" test ! -e "$newcomer_run/result.json"
check "… who can be found" test -e "$newcomer_run/launcher.json"
end_timed
wait $newcomer
is "a newcomer runs when the timed run is over" "exit true" \
    "$(of "$newcomer_run" '"\(.ended) \(.quiet.held_ns > 0)"')"
is "… and not before" "true" \
    "$([ "$(of "$newcomer_run" .t_clock_start)" -ge "$(of "$timed_run" .t_clock_stop)" ] && echo true)"

# The wall limit does not run on, and comes all the same.
begin '["sh", "-c", "echo; sleep 1"]' '.limits.wall_ms = 2500'
sleeper=$launcher sleeper_run=$run
begin '["sh", "-c", "echo; sleep 30"]' '.limits.wall_ms = 1500 | .limits.grace_ms = 0'
late=$launcher late_run=$run
until_true said "$sleeper_run"
until_true said "$late_run"
begin_timed
until_true said "$timed_run"
sleep 3
end_timed
wait $sleeper $late
is "the wall limit of a frozen run is put off" "exit true" \
    "$(of "$sleeper_run" '"\(.ended) \(.wall_ns > 2500000000)"')"
is "… and is met later" "wall-limit true" \
    "$(of "$late_run" '"\(.ended) \(.wall_ns - .quiet.frozen_ns >= 1500000000)"')"

# Two timed runs of the same cpus.
begin_timed
until_true said "$timed_run"
begin '["true"]' '.lane = "timed"'
second=$launcher second_run=$run
sleep 0.3
check "a second timed run waits for the first" test ! -e "$second_run/result.json"
end_timed
wait $second
is "… and begins when that is over" "exit true" \
    "$([ "$(of "$second_run" .t_clock_start)" -ge "$(of "$timed_run" .t_clock_stop)" ] && of "$second_run" '"\(.ended) \(.quiet.held_ns > 0)"')"

# A part of the machine: who is elsewhere is left alone, who can go elsewhere goes.
if [ "$(nproc)" -lt 2 ]; then skip "lanes of a part of the machine" "one cpu only"; else
    begin "$(hog 60)" '.cpus = "1"'
    beside=$launcher beside_run=$run beside_id=$id
    begin "$(hog 60)" '.cpus = "0-1"'
    mover=$launcher mover_run=$run mover_id=$id
    until_true said "$beside_run"
    until_true said "$mover_run"
    begin_timed '.cpus = "0"'
    until_true said "$timed_run"
    was=$(cpu_of "$beside_id")
    check "a run on other cpus runs on" until_true grows "$beside_id" $((was + 50000000))
    was=$(cpu_of "$mover_id")
    check "a run that has other cpus as well runs on" until_true grows "$mover_id" $((was + 50000000))
    set=$(find /sys/fs/cgroup -maxdepth 6 -path "*$mover_id/cpuset.cpus" | head -1)
    is "… on those" "1" "$(cat "$set")"
    launch '["true"]' '.lane = "timed" | .cpus = "1"'
    is "a timed run of other cpus does not wait" "exit" "$(field .ended)"
    end_timed
    has_all() { [ "$(cat "$set")" = 0-1 ]; }
    check "… and has all of them back" until_true has_all
    is "both were quiet" "2 0" "$(of "$timed_run" '"\(.quiet.others) \(.quiet.loud)"')"
    kill -TERM $beside $mover
    wait $beside $mover
    is "neither was frozen by the first" "0" "$(of "$beside_run" 'if .quiet.frozen_ns > 0 then 0 else 0 end')"
fi

# Launchers that wait ready are nobody's neighbours, and yield when they are asked.
"$bin/paddock-sandbox" serve "$work/socket" --ready 1 2>/dev/null &
server=$!
until_true test -S "$work/socket"
ready() { find "$PADDOCK_LIVE" -name "ready-*" -perm 0601 | grep -q .; }
check "a resident launcher is ready" until_true ready
begin_timed
until_true said "$timed_run"
prepare '["true"]'
"$bin/paddock-sandbox" ask "$work/socket" "$run/spec.json" --dir "$run" &
asker=$!
sleep 0.3
check "a resident launcher holds what it is asked for" test ! -e "$run/result.json"
end_timed
wait $asker
is "… until the timed run is over" "exit true" \
    "$([ "$(field .t_clock_start)" -ge "$(of "$timed_run" .t_clock_stop)" ] && field '"\(.ended) \(.quiet.held_ns > 0)"')"
is "… which counts no idle launcher" "0 0" "$(of "$timed_run" '"\(.quiet.others) \(.quiet.loud)"')"
kill -TERM $server
wait $server

"$bin/paddock" exec --timed --policy "$policy_dir/train.json" --json "$work/exec.json" -- true
is "paddock exec --timed asks for the lane" "exit 0" "$(jq -r '"\(.ended) \(.quiet.others)"' "$work/exec.json")"
exit "$failed"
