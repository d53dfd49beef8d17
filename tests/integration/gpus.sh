#!/usr/bin/env bash
# A daemon lends GPUs: a machine of the test's own, by a stand-in for NVIDIA's library.
# shellcheck disable=SC2317
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
: "${PADDOCK_BIN:=$PWD/build/bin}"
export PADDOCK_BIN

dir=$(mktemp -d /tmp/paddock-gpus.XXXXXX)
state=$dir/state sock=$dir/run/sock
export PADDOCK_LIVE=$dir/live PADDOCK_TASKS=$dir/tasks PADDOCK_SOCKET=$sock
export PADDOCK_NVML=${PADDOCK_BIN%/bin}/tests/gpu/nvml_stub_whole.so PADDOCK_NVML_SCENARIO=$dir/scenario
export PADDOCK_GPU_GAUGE=$dir/gauge
mkdir -m 700 "$PADDOCK_LIVE"
mkdir "$dir/tasks"
daemon=
cleanup() {
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null
    [ -z "$daemon" ] || wait "$daemon" 2>/dev/null
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
skip() { printf 'ok - %s # SKIP %s\n' "$1" "$2"; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "wanted: $2" "got: $3"; fi; }
has() { if grep -qE -- "$2" <<<"$3"; then ok "$1"; else not_ok "$1" "no $2 in: $3"; fi; }

for tool in curl jq; do
    command -v "$tool" >/dev/null && continue
    skip "GPUs" "$tool is not installed"
    exit 0
done

# The fence wants nodes and libraries to lend, so the machine has these, too.
# shellcheck source=tests/integration/gpu_machine.bash disable=SC1091
. tests/integration/gpu_machine.bash
uuid() { printf 'GPU-00000000-0000-0000-0000-%012d' "$1"; }
export PADDOCK_GPU_ROOT=$dir/machine
if ! mkdir "$dir/machine" || ! mknod "$dir/node" c 1 3 2>/dev/null; then
    skip "GPUs" "device nodes of a made-up machine need root"
    exit 0
fi
make_machine "$dir/machine"

paddock=$PADDOCK_BIN/paddock
g0=GPU-00000000-0000-0000-0000-000000000000 g1=GPU-00000000-0000-0000-0000-000000000001
# In one step, for the daemon reads it at any time.
machine() {
    printf '%s\n' "$@" >"$dir/scenario.new"
    mv "$dir/scenario.new" "$dir/scenario"
}
task() { # NAME GPUS
    cp -r tests/integration/tasks/toy "$dir/tasks/$1"
    jq ".name = \"$1\" | .phases.train.gpus = $2 | .phases.train.policy = \"train-gpu\"" tests/integration/tasks/toy/task.json >"$dir/tasks/$1/task.json"
}
start() {
    "$PADDOCK_BIN/paddockd" --state "$state" --socket "$sock" --stay-root "$@" 2>>"$dir/log" &
    daemon=$!
    for _ in $(seq 200); do
        [ -S "$sock" ] && curl -sf --unix-socket "$sock" http://d/v1/health >/dev/null && return 0
        sleep 0.05
    done
    return 1
}
stop() {
    kill "${1:--TERM}" "$daemon"
    wait "$daemon" 2>/dev/null
    daemon=
}
get() { curl -s --max-time 60 --unix-socket "$sock" "http://d$1"; }
post() { curl -s --max-time 60 --unix-socket "$sock" -H 'Content-Type: application/json' -d "$2" "http://d$1"; }
until_is() { # PATH FILTER WANTED
    local got=
    for _ in $(seq 600); do
        got=$(get "$1" | jq -r "$2" 2>/dev/null)
        [ "$got" = "$3" ] && break
        sleep 0.1
    done
    printf '%s' "$got"
}
version() { # EXPERIMENT ROOT SECONDS
    post "/v1/experiments/$1/versions" "{\"parent\": \"$2\", \"hypothesis\": \"h\", \"edits\": [{\"op\": \"write\", \"path\": \"train.sh\", \"content\": \"sleep $3; wc -l <\$PADDOCK_DATA/numbers.txt >\$PADDOCK_OUT/lines\"}]}" | jq -r .id
}
trains() { get "/v1/versions/$1" | jq -c '[.runs[] | select(.phase == "train")]'; }
file() { printf '%s/runs/%s/%s' "$state" "$1" "$2"; }
# The states of the two GPUs.
gpus() { get /v1/gpus | jq -r '[.gpus[].state] | join(" ")'; }

# shellcheck disable=SC2016
printf '#!/bin/sh\n[ "$1" = scrub ] && echo "{}" && exit\ncat "%s/rates"\n' "$dir" >"$dir/gauge"
chmod +x "$dir/gauge"
echo '{"gemm_tflops": 700}' >"$dir/rates"
task one 1
task three 3
machine "devices 2"
start || not_ok "a daemon starts" "$(tail -5 "$dir/log")"

# What there is.
list=$("$paddock" gpu list)
has "the GPUs are listed" "0 +$g0 +Stub GPU .*timed-1 +free" "$list"
has "… with their driver" "driver 999.88.77" "$list"
is "… as JSON" "$g0 $g1" "$("$paddock" gpu list --json | jq -r '[.gpus[].uuid] | join(" ")')"
has "one is shown by its index" "uuid +$g1" "$("$paddock" gpu show 1)"
is "… and by its UUID" 1 "$("$paddock" gpu show $g1 --json | jq .index)"
has "another is not there" "no GPU 7" "$("$paddock" gpu show 7 2>&1)"
has "doctor counts them" "GPUs: 2, driver 999.88.77" "$("$paddock" doctor)"
has "a task that needs more than there are is refused" \
    'task three: task needs 3 GPUs, this machine has 2 healthy' \
    "$(post /v1/experiments '{"task": "three", "agent": "test"}')"

# A run has exactly one, and nobody else has it.
e=$(post /v1/experiments '{"task": "one", "agent": "test"}')
root=$(jq -r .root <<<"$e")
e=$(jq -r .id <<<"$e")
[ "$root" != null ] || root=$(get "/v1/experiments/$e" | jq -r '.versions[0].id')
v=$(version "$e" "$root" 2)
is "a run has a GPU to itself" lent "$(until_is /v1/gpus '.gpus[0].state' lent)"
has "… and is named" "run v[0-9]+-train" "$(get /v1/gpus | jq -r '.gpus[0].detail')"
is "… the other is free" "lent free" "$(gpus)"
is "the run is valid" valid "$(until_is "/v1/versions/$v" .state "done" >/dev/null; get "/v1/versions/$v" | jq -r .outcome)"
run=$(trains "$v" | jq -r '.[-1].id')
is "… its spec names that GPU" "$g0" "$(jq -r '.gpus | join(" ")' "$(file "$run" spec.json)")"
is "… what was seen is written down" "null 700 700" \
    "$(jq -r '"\(.fault) \(.gpus[0].gauge_before.gemm_tflops) \(.gpus[0].gauge_after.gemm_tflops)"' "$(file "$run" gpus.json)")"
is "… and the GPU is given back" "free free" "$(gpus)"

# Somebody else on a GPU: another is taken.
machine "devices 2" "process 0 1"
is "a GPU that somebody uses is busy" "busy free" "$(gpus)"
v=$(version "$e" "$root" 0.11)
until_is "/v1/versions/$v" .state "done" >/dev/null
is "… and passed over" "$g1" "$(jq -r '.gpus[0]' "$(file "$(trains "$v" | jq -r '.[-1].id')" spec.json)")"
machine "devices 2"

# Somebody comes while a run goes on.
v=$(version "$e" "$root" 2.1)
until_is /v1/gpus '.gpus[0].state' lent >/dev/null
until_is "/v1/versions/$v" .state training >/dev/null
machine "devices 2" "process 0 1"
until_is "/v1/versions/$v" '[.runs[] | select(.phase == "train" and .state == "void")] | length' 1 >/dev/null
machine "devices 2"
until_is "/v1/versions/$v" .state "done" >/dev/null
has "a foreign process makes a run void" "not the run's: 1" "$(trains "$v" | jq -r '.[0].reason')"
is "… and it is run again" "void done" "$(trains "$v" | jq -r '[.[].state] | join(" ")')"

# Hardware faults.
"$paddock" gpu clear 0 >/dev/null # the one that stayed to the end of the run
v=$(version "$e" "$root" 2.2)
until_is /v1/gpus '.gpus[0].state' lent >/dev/null
until_is "/v1/versions/$v" .state training >/dev/null
machine "devices 2" "xid 0 79 1"
until_is "/v1/versions/$v" .state "done" >/dev/null
has "an Xid of the hardware makes a run void" "Xid 79" "$(trains "$v" | jq -r '.[0].reason')"
is "… it is run again on another GPU" "$g0 $g1" \
    "$(for r in $(trains "$v" | jq -r '.[].id'); do jq -r '.gpus[0]' "$(file "$r" spec.json)"; done | tr '\n' ' ' | sed 's/ $//')"
is "… and counts" valid "$(get "/v1/versions/$v" | jq -r .outcome)"
has "the GPU is out, and why" "sick +Xid 79" "$("$paddock" gpu list)"
has "… for other launchers too" "Xid 79" "$(cat "$PADDOCK_LIVE/live/.gpus/$g0.sick")"
stop
start
is "… and for the next daemon" "sick free" "$(gpus)"
machine "devices 2" "xid 0 79 1" "recovery 0 1"
has "it is not put back while the driver asks for a reset" "still sick: .*reset" "$("$paddock" gpu clear 0 2>&1)"
machine "devices 2"
has "a person puts it back" "free" "$("$paddock" gpu clear 0)"
is "… for good" "free free" "$(gpus)"

# The gauge.
v=$(version "$e" "$root" 2.3)
until_is "/v1/versions/$v" .state training >/dev/null
until_is /v1/gpus '.gpus[0].state' lent >/dev/null
sleep 0.5
echo '{"gemm_tflops": 600}' >"$dir/rates"
until_is "/v1/versions/$v" .state "done" >/dev/null
has "a gauge that changed makes a run void" "gauge gemm_tflops changed by 14.3 %" "$(trains "$v" | jq -r '.[0].reason')"

# What is left behind.
v=$(version "$e" "$root" 2.4)
until_is "/v1/versions/$v" .state training >/dev/null
machine "devices 2" "memory 0 900"
until_is "/v1/versions/$v" .state "done" >/dev/null
has "a GPU that is not empty after a run is out" "not empty after run $v-train: 900 MiB" "$(get /v1/gpus | jq -r '.gpus[0].detail')"
machine "devices 2"
"$paddock" gpu clear 0 >/dev/null

# A daemon that was away saw nothing.
v=$(version "$e" "$root" 3)
until_is "/v1/versions/$v" .state training >/dev/null
until_is /v1/gpus '.gpus[0].state' lent >/dev/null
stop -KILL
start
until_is "/v1/versions/$v" .state "done" >/dev/null
has "a run whose GPUs nobody watched is void" "nobody watched its GPUs" "$(trains "$v" | jq -r '.[0].reason')"
stop

# Lanes share them out.
printf '{"lanes": [{"name": "a", "cpus": "0", "gpus": ["1"]}]}' >"$dir/lanes.json"
start --lanes "$dir/lanes.json"
is "a lane has the GPUs that are named" "null a" "$(get /v1/gpus | jq -r '[.gpus[].lane | tostring] | join(" ")')"
stop
if [ "$(nproc)" -ge 2 ]; then
    printf '{"lanes": [{"name": "a", "cpus": "0", "gpus": ["1"]}, {"name": "b", "cpus": "1"}]}' >"$dir/lanes.json"
    start --lanes "$dir/lanes.json"
    vs=$(for s in 0.31 0.32 0.33; do version "$e" "$root" $s; done)
    for v in $vs; do until_is "/v1/versions/$v" .state "done" >/dev/null; done
    is "a lane without GPUs leaves such tasks to the one that has them" "valid $g1 valid $g1 valid $g1" \
        "$(for v in $vs; do printf '%s %s ' "$(get "/v1/versions/$v" | jq -r .outcome)" "$(jq -r '.gpus[0]' "$(file "$(trains "$v" | jq -r '.[-1].id')" spec.json)")"; done | sed 's/ $//')"
    stop
else
    skip "two lanes" "one cpu only"
fi

# The script for machines with GPUs, as far as this one goes.
./dev gpu-test --out "$dir/test.json" >/dev/null
is "gpu-test tells of each step" "ok" "$(jq -r '.rows[] | select(.name == "inventory") | .state' "$dir/test.json")"
PADDOCK_NVML=/nowhere.so ./dev gpu-test --out "$dir/none.json" >"$dir/none"
is "… and has nothing to tell without a GPU" "77 no" "$? $([ -e "$dir/none.json" ] && echo yes || echo no)"

# Without a driver.
PADDOCK_NVML=/nowhere.so start
has "a machine without a driver says so" "no GPUs: NVML: /nowhere.so" "$("$paddock" gpu list)"
has "… and refuses at once" "needs 1 GPU, this machine has 0 healthy: NVML" "$(post /v1/experiments '{"task": "one", "agent": "test"}')"
[ "$failures" -eq 0 ] || sed 's/^/# /' "$dir/log" | tail -20
exit $((failures > 0))
