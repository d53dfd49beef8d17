#!/usr/bin/env bash
# ./dev bench leak [N=10000]: N launches, and a daemon that runs versions
# meanwhile; what the machine and the daemon hold is counted before and after.
# A leak of a launch shows as growth by about N; what neighbours on the machine
# do does not, so the counts that others share may move a little (see `slack`).
# Nonzero exit on a leak. LEAK_TAP=1: a line of TAP for each count, for the suite.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
n=${1:-10000}
case $n in
'' | *[!0-9]*)
    echo "usage: leak.sh [N]" >&2
    exit 2
    ;;
esac
export PADDOCK_BIN=${PADDOCK_BIN:-$PWD/build/bin} PADDOCK_TASKS=$PWD/tests/integration/tasks
tap=${LEAK_TAP:-}
dir=$(mktemp -d /tmp/paddock-leak.XXXXXX)
mkdir -m 700 "$dir/live" "$dir/run"
export PADDOCK_LIVE=$dir/live
daemon=
# shellcheck disable=SC2317 # called by the trap
cleanup() {
    [ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT

# ---- the daemon ----

call() { curl -s --max-time 60 --unix-socket "$dir/sock" "$@"; }
post() { call -H 'Content-Type: application/json' -d "$2" "http://d$1"; }
start_daemon() {
    command -v curl >/dev/null && command -v jq >/dev/null || return 1
    "$PADDOCK_BIN/paddockd" --state "$dir/state" --socket "$dir/sock" --stay-root 2>"$dir/daemon.log" &
    daemon=$!
    for _ in $(seq 100); do
        [ -S "$dir/sock" ] && call -f http://d/v1/health >/dev/null && return 0
        sleep 0.05
    done
    return 1
}
# Runs one more version of a small task from end to end.
version() {
    local id state
    id=$(post /v1/experiments/e1/versions "{\"parent\": \"v1\", \"hypothesis\": \"again\", \"edits\":
        [{\"op\": \"write\", \"path\": \"train.sh\", \"content\": \"wc -l <\$PADDOCK_DATA/numbers.txt >\$PADDOCK_OUT/lines # $1\"}]}" | jq -r .id)
    for _ in $(seq 600); do
        state=$(call "http://d/v1/versions/$id" | jq -r .state)
        [ "$state" = "done" ] && return 0
        sleep 0.05
    done
    echo "leak: the daemon's version $id is $state" >&2
    return 1
}

# ---- counting ----

names=() slacks=()
declare -A before after
# What is ours alone may not grow at all; what the machine shares may, by less
# than a launch in twenty would leave, and a handful for the neighbours.
shared=$((n / 20 + 60))
count() { # NAME SLACK VALUE
    [ "$phase" = after ] || { names+=("$1") slacks+=("$2"); }
    if [ "$phase" = before ]; then before[$1]=$3; else after[$1]=$3; fi
}
# Freed objects stay in a slab until the kernel gives that back.
slab() {
    echo 1 >"/sys/kernel/slab/$1/shrink"
    awk -v s="$1" '$1 == s { print $2; found = 1 } END { if (!found) print "unknown" }' /proc/slabinfo 2>/dev/null || echo unknown
} 2>/dev/null
field() { awk -v f="$2" '$1 == f { print $2 }' "$1" 2>/dev/null; }
measure() {
    phase=$1
    count "control groups named by a run" 0 "$(find /sys/fs/cgroup -maxdepth 7 -type d -name "leak-$$*" 2>/dev/null | wc -l)"
    count "registry entries" 0 "$(find "$dir/live" -type f -name "leak-*" | wc -l)"
    count "processes of the launcher" 0 "$(pgrep -cf "paddock-sandbox run $dir/")"
    count "mounts that this shell sees" 0 "$(wc -l </proc/self/mountinfo)"
    count "files in the run folder" 0 "$(find "$dir/run" -type f | wc -l)"
    count "files in /tmp of Paddock" "$shared" "$(find /tmp -maxdepth 1 -name 'paddock-*' 2>/dev/null | wc -l)"
    count "uids with keyrings" 40 "$(wc -l </proc/key-users)"
    count "keys of all uids" "$shared" "$(awk '{ split($3, a, "/"); n += a[1] } END { print n + 0 }' /proc/key-users)"
    count "System V objects" "$shared" "$(($(wc -l </proc/sysvipc/msg) + $(wc -l </proc/sysvipc/shm) + $(wc -l </proc/sysvipc/sem)))"
    count "open files of the machine" $((shared + 400)) "$(cut -f1 /proc/sys/fs/file-nr)"
    count "processes of the machine" $((shared / 2 + 60)) "$(find /proc -maxdepth 1 -name '[0-9]*' | wc -l)"
    count "memory groups, dying ones too" "$shared" "$(awk '$1 == "memory" { print $3 }' /proc/cgroups)"
    count "pids groups, dying ones too" "$shared" "$(awk '$1 == "pids" { print $3 }' /proc/cgroups)"
    count "dying v2 groups" "$shared" "$(field "$(find /sys/fs/cgroup -maxdepth 2 -name cgroup.stat 2>/dev/null | head -1)" nr_dying_descendants)"
    # Objects of the kernel.
    count "network namespaces (slab)" "$shared" "$(slab net_namespace)"
    count "mount objects (slab)" $((shared * 2)) "$(slab mnt_cache)"
    count "pid namespaces (slab)" "$shared" "$(slab pid_namespace)"
    count "user namespaces (slab)" "$shared" "$(slab user_namespace)"
    [ -n "$daemon" ] || return 0
    count "descriptors of the daemon" 0 "$(find "/proc/$daemon/fd" -type l | wc -l)"
    count "threads of the daemon" 0 "$(find "/proc/$daemon/task" -maxdepth 1 -mindepth 1 | wc -l)"
    count "RSS of the daemon, KiB" 2048 "$(field "/proc/$daemon/status" VmRSS:)"
    count "launchers of the daemon" 0 "$(pgrep -c -P "$daemon")"
}
excess() { # NAME SLACK: whether it grew beyond
    case ${before[$1]:-}${after[$1]:-} in *[!0-9]* | '') return 1 ;; esac
    [ "${after[$1]}" -gt $((${before[$1]} + $2)) ]
}
# The kernel frees some things later, by work queues and RCU; neighbours come and
# go. A leak stays.
settle() {
    local i again
    for _ in $(seq 40); do
        measure after
        again=0
        for i in "${!names[@]}"; do excess "${names[i]}" "${slacks[i]}" && again=1; done
        [ $again -eq 1 ] || return 0
        sleep 0.5
    done
}

# ---- the launches ----

jq -n --arg policy "$(cd "$PADDOCK_BIN/../policies" && pwd)/train.json" --arg id "leak-$$" '{
    id: $id, policy: $policy, argv: ["/bin/true"], network: "loopback",
    limits: {wall_ms: 10000, memory_bytes: 268435456, pids: 64, output_bytes: 65536}}' >"$dir/spec.json"
launch() {
    "$PADDOCK_BIN/paddock-sandbox" run "$dir/spec.json" --dir "$dir/run" 2>"$dir/errors" &&
        grep -q '"ended": *"exit"' "$dir/run/result.json" && return 0
    echo "leak: a launch failed: $(cat "$dir/errors")" >&2
    exit 1
}

versions=$((n < 1000 ? 4 : 40))
if start_daemon; then
    post /v1/experiments '{"task": "toy:1", "agent": "leak"}' >/dev/null
    for i in 1 2 3; do version "warm-$i" || exit 1; done # what a first run opens for good
else
    versions=0
    echo "leak: no daemon (curl and jq are needed): $(tail -1 "$dir/daemon.log" 2>/dev/null)" >&2
fi
for _ in $(seq 20); do launch; done
sleep 1
measure before
for i in $(seq "$n"); do
    launch
    [ $((i % 1000)) -ne 0 ] || echo "leak: $i launches" >&2
done
for i in $(seq $versions); do version "$i" || exit 1; done
settle

bad=0
[ -n "$tap" ] || printf '%-34s %10s %10s %8s %8s\n' "after $n launches, $versions versions" before after more allowed
for i in "${!names[@]}"; do
    name=${names[i]} grown=
    case ${before[$name]:-}${after[$name]:-} in
    *[!0-9]* | '') grown="this kernel does not tell" ;;
    *) [ "${slacks[i]}" -lt "$n" ] || [ "$name" = "RSS of the daemon, KiB" ] ||
        grown="$n launches are too few to tell from the neighbours' ${slacks[i]}" ;;
    esac
    if [ -n "$grown" ]; then
        if [ -n "$tap" ]; then echo "ok - $name # SKIP $grown"; else printf '%-34s %s\n' "$name" "$grown"; fi
        continue
    fi
    verdict=ok
    if excess "$name" "${slacks[i]}"; then
        bad=1
        verdict="not ok"
    fi
    if [ -n "$tap" ]; then
        echo "$verdict - after $n launches no more $name (${before[$name]}, then ${after[$name]}, ${slacks[i]} allowed)"
    else
        printf '%-34s %10s %10s %+8d %8s%s\n' "$name" "${before[$name]}" "${after[$name]}" \
            $((${after[$name]} - ${before[$name]})) "${slacks[i]}" "$([ "$verdict" = ok ] || echo '  LEAK')"
    fi
done
exit $bad
