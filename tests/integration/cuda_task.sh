#!/usr/bin/env bash
# tinygpt-cuda as a task. Where nvcc is, each record is built in the fence as its build
# phase does it; PADDOCK_CUDA_IMAGE=DIR names an image that has nvcc where /usr has not.
# And without a GPU: the last step of the ladder, translated and made small (tests/cuda),
# goes the whole way of a version: built, trained, examined in lockstep.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
: "${PADDOCK_BIN:?set PADDOCK_BIN to the folder with paddock}"
PADDOCK_BIN=$(cd "$PADDOCK_BIN" && pwd)
export PADDOCK_BIN
paddock=$PADDOCK_BIN/paddock
place=$(mktemp -d /tmp/paddock-cuda-task-XXXXXX)
export PADDOCK_STATE=$place/state PADDOCK_SOCKET=$place/sock NO_COLOR=1 PADDOCK_TASKS=$place/tasks
export PADDOCK_LIVE=$place/live PADDOCK_POLICIES=${PADDOCK_POLICIES:-$PADDOCK_BIN/../policies}
mkdir -m 700 "$PADDOCK_LIVE"
# shellcheck disable=SC2317 # the trap reaches it
cleanup() {
    "$paddock" daemon stop --now >/dev/null 2>&1
    for _ in $(seq 50); do
        "$paddock" daemon status >/dev/null 2>&1 || break
        sleep 0.1
    done
    rm -rf "$place"
}
trap cleanup EXIT
bad=0
ok() { echo "ok - $1"; }
not_ok() {
    echo "not ok - $1"
    tail -20 <<<"${2:-}" | sed 's/^/    # /'
    bad=1
}
catalog=tasks/catalog/tinygpt-cuda

image=${PADDOCK_CUDA_IMAGE:-host}
if [ "$image" = host ] && ! command -v nvcc >/dev/null; then
    echo "ok - nvcc builds every record in the fence # SKIP nvcc is not installed"
else
    for r in 1 2 3 4 5 6; do
        name="nvcc builds record $r in the fence"
        if said=$("$paddock" exec --image "$image" --policy compile --mem 4G --wall 180s --pids 64 \
            -w $catalog/records/$r -- sh -c 'sh build.sh && test -s gpt' 2>&1); then ok "$name"; else
            not_ok "$name" "$said"
        fi
    done
fi

for tool in g++ python3 jq bible; do
    command -v $tool >/dev/null && continue
    echo "ok - a version of the CUDA ladder, emulated # SKIP no $tool here"
    exit $bad
done

task=$place/tasks/emulated
mkdir -p "$task/records" "$task/hints"
cp -r $catalog/hints/5 "$task/hints/1"
cp $catalog/statement.md "$task"
jq '.name = "emulated" | .editable = ["*"] | .max_source_files = 8 | .records = .records[4:]
    | .phases.train |= (del(.gpus) | .policy = "train") | .phases.examine |= (del(.gpus) | .policy = "strict")
    | .phases.examine += {streams: 4, tokens: 16, rounds: 2} | .metric.target = 7' \
    $catalog/task.json >"$task/task.json"
small='CTX=64 DIM=128 LAYERS=2 HEADS=2 BATCH=2 STEPS=12 PARTS=4'
more=('WARM_UP=3' 'LEARNING_RATE=3e-2f MUON_RATE=0.03f')
for i in 1 2; do
    to=$task/records/$i
    mkdir "$to" && cp tests/cuda/include/* "$to"
    # shellcheck disable=SC2086
    python3 tests/cuda/translate.py $catalog/records/$((i + 4))/gpt.cu $small ${more[i - 1]} >"$to/gpt.cc"
    echo 'exec g++ -std=c++17 -O2 -Wno-unknown-pragmas -I. -o gpt gpt.cc' >"$to/build.sh"
done

name="the emulated task is one"
if said=$("$paddock" task check "$task" 2>&1); then ok "$name"; else not_ok "$name" "$said"; fi
"$paddock" run emulated --agent reference --no-score >"$place/log" 2>&1
"$paddock" show "$("$paddock" ls -n 1 --json | jq -r '.experiments[0].id')" --json >"$place/experiment"
name="record 6, emulated, is built, trained and examined in lockstep"
outcome=$(jq -r '.versions[1] | "\(.outcome) \(.metric < 5)"' "$place/experiment")
if [ "$outcome" = "valid true" ]; then ok "$name"; else
    not_ok "$name" "$outcome
$(jq -c '.versions[1]' "$place/experiment") $(cat "$place/log")"
fi
exit $bad
