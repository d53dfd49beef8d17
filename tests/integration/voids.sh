#!/usr/bin/env bash
# Runs that the machine disturbs: void, made again with another seed, at most twice;
# all of them kept and shown, also across kill -9. $PADDOCK_BIN: the programs.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
: "${PADDOCK_BIN:=$PWD/build/bin}"
export PADDOCK_BIN

dir=$(mktemp -d /tmp/paddock-voids.XXXXXX)
state=$dir/state sock=$dir/run/sock
export PADDOCK_TASKS=$dir/tasks PADDOCK_SOCKET=$sock
daemon=
hogs=()
drop_hogs() {
    [ ${#hogs[@]} -eq 0 ] || { kill -9 "${hogs[@]}" && wait "${hogs[@]}"; } 2>/dev/null
    hogs=()
}
cleanup() {
    drop_hogs
    [ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null
    if [ -d "$state/runs" ]; then
        sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$state"/runs/*/launcher.json 2>/dev/null |
            while read -r pid; do grep -qs paddock-sandbox "/proc/$pid/cmdline" && kill -9 "$pid"; done
    fi
    rm -rf "$dir"
}
trap cleanup EXIT

failures=0
ok() { printf 'ok - %s\n' "$1"; }
not_ok() {
    printf 'not ok - %s\n' "$1"
    shift
    [ $# -eq 0 ] || printf '%s\n' "$*" | sed 's/^/# /'
    failures=$((failures + 1))
}
# is NAME WANTED GOT
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "wanted: $2" "got: $3"; fi; }
# has NAME PATTERN TEXT
has() { if grep -qE -- "$2" <<<"$3"; then ok "$1"; else not_ok "$1" "no $2 in: $3"; fi; }

for tool in curl jq; do
    if ! command -v "$tool" >/dev/null; then
        printf 'ok - void runs # SKIP %s is not installed\n' "$tool"
        exit 0
    fi
done

start() {
    "$PADDOCK_BIN/paddockd" --state "$state" --socket "$sock" --stay-root 2>>"$dir/log" &
    daemon=$!
    for _ in $(seq 200); do
        [ -S "$sock" ] && curl -sf --unix-socket "$sock" http://d/v1/health >/dev/null && return 0
        sleep 0.05
    done
    return 1
}
get() { curl -s --max-time 60 --unix-socket "$sock" "http://d$1"; }
post() { curl -s --max-time 60 --unix-socket "$sock" -H 'Content-Type: application/json' -d "$2" "http://d$1"; }
# until_is SECONDS PATH FILTER WANTED: polls; prints what was seen last.
until_is() {
    local end=$((SECONDS + $1)) got=
    while [ $SECONDS -lt $end ]; do
        got=$(get "$2" | jq -r "$3" 2>/dev/null)
        [ "$got" = "$4" ] && break
        sleep 0.1
    done
    printf '%s' "$got"
}
# task NAME BOUNDS: the toy task under other bounds, all that are not named open.
task() {
    mkdir -p "$PADDOCK_TASKS"
    cp -r tests/integration/tasks/toy "$PADDOCK_TASKS/$1"
    jq --arg name "$1" --argjson bounds "$2" '.name = $name | .measure.bounds = ({"steal": null,
        "foreign_cpu": null, "run_delay": null, "pressure_cpu": null, "pressure_memory": null,
        "pressure_io": null, "launcher_cpu": null, "thermal_throttles": null, "swap_pages": null,
        "gauge_cpu": null, "gauge_memory": null} + $bounds)' \
        tests/integration/tasks/toy/task.json >"$PADDOCK_TASKS/$1/task.json"
}
# measure TASK BLOCKS: prints the measurement of the next record as a candidate.
measure() {
    local ids
    ids=$(post /v1/experiments "{\"task\": \"$1\", \"agent\": \"test\"}" | jq -r '"\(.id) \(.versions[0].id)"')
    id=$(post "/v1/experiments/${ids% *}/versions" \
        "{\"parent\": \"${ids#* }\", \"hypothesis\": \"x\", \"base\": \"next-record\"}" | jq -r .id)
    until_is 60 "/v1/versions/$id" .state "done" >/dev/null
    post /v1/measurements "{\"versions\": [\"$id\"], \"blocks_min\": $2, \"blocks_max\": $2}" | jq -r .id
}
runs_of() { get '/v1/runs?limit=1000' | jq --arg m "$1" '[.runs[] | select(.measurement == $m and .phase == "train")]'; }
kill_daemon() { { kill -9 "$daemon" && wait "$daemon"; } 2>/dev/null; }

# Two readings of a gauge are seldom equal to the nanosecond, those of both never: every
# run is outside.
task restless '{"gauge_cpu": 0, "gauge_memory": 0}'
task hogged '{"foreign_cpu": 0.6}'
start || { not_ok "the daemon starts" "$(tail -5 "$dir/log")" && exit 1; }

# ---- every run is outside ----

m=$(measure restless 2)
for round in 1 2 3 4; do
    until_is 30 '/v1/runs?limit=1' '.runs[0] | "\(.phase) \(.state)"' "train running" >/dev/null
    kill_daemon
    start || not_ok "the daemon starts after kill -9 ($round)" "$(tail -5 "$dir/log")"
done
is "a measurement ends although no run counts" "done complete" \
    "$(until_is 120 "/v1/measurements/$m" .state "done") $(get "/v1/measurements/$m" | jq -r .outcome)"
doc=$(get "/v1/measurements/$m")
runs=$(runs_of "$m")
outside=$(jq '[.[] | select(.reason // "" | startswith("gauge_"))]' <<<"$runs")
is "no slot has a time" "6 true" "$(jq -r '"\(.slots | length) \(.slots | all(.state == "void" and .outcome == "void" and .wall_s == null))"' <<<"$doc")"
has "… and each says why" '^gauge_(cpu|memory): the speed of the (cpu|memory) changed by' "$(jq -r '.slots[0].reason' <<<"$doc")"
is "their blocks are left out" 2 "$(jq .blocks_left_out <<<"$doc")"
has "… as the reason for the end says" '2 of them left out' "$(jq -r .reason <<<"$doc")"
is "each slot was run three times, kill -9 or not" "18 true" "$(jq -r '"\(length) \(all(.state == "void"))"' <<<"$outside")"
is "… with another seed each time" true "$(jq '[.[].seed] | all(. != null) and length == (unique | length)' <<<"$outside")"
is "… three to a slot" '[3,3,3,3,3,3]' "$(jq -c '[.voids | group_by([.block, .arm])[] | length]' <<<"$doc")"
is "the runs that were lost otherwise are not among them" true "$(jq --argjson all "$outside" '[.voids[].run] | sort == ([$all[].id] | sort)' <<<"$doc")"
is "nothing void is examined" 0 "$(get '/v1/runs?limit=1000' | jq --arg m "$m" '[.runs[] | select(.measurement == $m and .phase == "examine")] | length')"
is "the score says so" "no-resolution [6,6] [6,6] [6,6] 0" \
    "$(jq -r '.scores[0] | "\(.outcome) \([.voids[] | "[\(.runs),\(.voids)]"] | join(" ")) \(.findings | length)"' <<<"$doc")"
run=$(jq -r '.[0].id' <<<"$outside")
has "a void run has its result" '^[0-9]+ [0-9]+$' "$(get "/v1/runs/$run" | jq -r '.result | "\(.gauge_cpu_before_ns) \(.gauge_memory_after_ns)"')"
is "some daemon knew what it used itself" true "$(jq 'any(.daemon_cpu_ns != null and .daemon_cpu_ns > 0)' <<<"$runs")"
is "the fingerprint is of this machine and task" "$(uname -r) $(jq -r .task_digest <<<"$doc")" \
    "$(jq -r '.fingerprint | "\(.kernel) \(.task_digest)"' <<<"$doc")"
shown=$("$PADDOCK_BIN/paddock" show "$m" 2>&1)
is "paddock show lists the void runs" 18 "$(sed -n '/^Void runs/,/^Scores/p' <<<"$shown" | grep -cE 'gauge_(cpu|memory): ')"
is "… and has the fingerprint as JSON" "$(uname -r)" "$("$PADDOCK_BIN/paddock" show "$m" --json | jq -r .fingerprint.kernel)"

# ---- a neighbour comes and goes ----

m=$(measure hogged 2)
cpus=$(nproc)
for _ in $(seq $((2 * cpus))); do
    (while :; do :; done) &
    hogs+=($!)
done
until_is 120 "/v1/measurements/$m" '(.voids | length) > 0' true >/dev/null
kill_daemon
drop_hogs
start || not_ok "the daemon starts after kill -9" "$(tail -5 "$dir/log")"
is "the measurement goes on when the neighbour is gone" "done" "$(until_is 120 "/v1/measurements/$m" .state "done")"
doc=$(get "/v1/measurements/$m")
has "a run beside a neighbour is void" '^foreign_cpu: others had [0-9.]+ % of its cpus' "$(jq -r '.voids[0].reason' <<<"$doc")"
first=$(jq '.voids[0] | {block, arm}' <<<"$doc")
is "… its slot was run again with another seed, and has the new one's" true \
    "$(jq --argjson f "$first" '. as $d | [.slots[] | select(.block == $f.block and .arm == $f.arm)][0] | .run != $d.voids[0].run and .seed != $d.voids[0].seed' <<<"$doc")"
is "a block is whole, or it is left out" true \
    "$(jq '.blocks_left_out == ([.slots[] | select(.state == "void") | .block] | unique | length) and (.slots | all(.state == "void" or .state == "done"))' <<<"$doc")"
kill "$daemon"
wait "$daemon"
daemon=
[ $failures -eq 0 ]
