#!/usr/bin/env bash
# A task whose candidates are several processes: torchrun starts two, which average
# their gradients over the loopback. Timed by its lines, judged by audits.
# Needs PADDOCK_BIN: the folder of the programs.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${PADDOCK_BIN:?the folder of the programs}"
export PADDOCK_BIN
paddock=$PADDOCK_BIN/paddock

missing=$(/usr/bin/python3 -c 'import torch, numpy' 2>&1) && missing=
if [ -n "$missing" ]; then
    echo "ok - two processes of torchrun # SKIP no PyTorch here: ${missing##*$'\n'} (package python3-torch)"
    exit 0
fi
if ! command -v bible >/dev/null; then
    echo "ok - two processes of torchrun # SKIP the text is missing (package bible-kjv)"
    exit 0
fi

place=$(mktemp -d /tmp/paddock-torchrun-XXXXXX)
export PADDOCK_STATE=$place/state PADDOCK_SOCKET=$place/sock NO_COLOR=1 PADDOCK_TASKS=$here/tasks
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
# is TEXT PATTERN GOT
is() {
    # shellcheck disable=SC2053 # a pattern is meant
    if [[ $3 == $2 ]]; then echo "ok - $1"; else
        echo "not ok - $1"
        printf '    # wanted: %s\n    # got: %s\n' "$2" "$3"
        bad=1
    fi
}

# candidate NAME SEARCH REPLACE: one version with this edit.
steps=()
candidate() {
    steps+=("$(jq -cn --arg h "$1" --arg s "$2" --arg r "$3" \
        '{parent: 0, hypothesis: $h, edits: [{op: "replace", path: "train_gpt.py", search: $s, replace: $r}]}')")
}
candidate "says it took no time" '            spent = 1000 * (time.perf_counter() - begin)' '            spent = 1'
candidate "a loss out of thin air" '            loss = validate(model, val)' '            loss = 2.5'
mkdir "$place/replay"
printf '%s\n' "${steps[@]}" | jq -s '{version: 1, title: "torchrun", steps: .}' >"$place/replay/replay.json"

is "the task has no fault" 0 "$("$paddock" task check "$here/tasks/torchrun" >"$place/check" 2>&1 || cat "$place/check"; echo $?)"
"$paddock" run torchrun --agent "replay:$place/replay" --no-score >"$place/log" 2>&1
"$paddock" show "$("$paddock" ls -n 1 --json | jq -r '.experiments[0].id')" --json >"$place/shown"
outcome() { jq -r ".versions[$1] | \"\(.outcome): \(.reason)\"" "$place/shown"; }

is "two processes that train together are valid, whatever time they print" 'valid: null' "$(outcome 1)"
is "a loss out of thin air" 'invalid-tamper: *2.5 on *' "$(outcome 2)"

# Of each timed run: what it printed, and what the clock says.
checked=0
# shellcheck disable=SC2013 # no path of ours has a blank
for spec in $(grep -l '"phase": "train"' "$PADDOCK_STATE"/runs/*/spec.json); do
    run=$(dirname "$spec")
    said=$(sed 's/^\[default0\]://' "$run/stdout")
    is "both ranks say what they are" 2 "$(grep -cE '^rank [01] of 2: weights [0-9a-f]{64}$' <<<"$said")"
    is "… and end with the same weights" 1 "$(grep -oE 'weights [0-9a-f]{64}$' <<<"$said" | sort -u | wc -l)"
    if grep -q 'train_time:1ms' <<<"$said"; then
        is "the official time is the clock's, not the printed one" lines:true \
            "$(jq -r '.clock.kind' "$spec"):$(jq '.wall_ns > 50000000' "$run/result.json")"
        checked=1
    fi
done
is "a run lied about its time" 1 "$checked"
exit $bad
