#!/usr/bin/env bash
# The CLI and the agents against a daemon of their own, on a toy that sleeps.
# Needs PADDOCK_BIN: the folder of the programs.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${PADDOCK_BIN:?the folder of the programs}"
export PADDOCK_BIN
paddock=$PADDOCK_BIN/paddock
[ -x "$paddock" ] || paddock=$PADDOCK_BIN/paddock-cli

place=$(mktemp -d /tmp/paddock-cli-XXXXXX)
export PADDOCK_STATE=$place/state PADDOCK_SOCKET=$place/sock NO_COLOR=1
export PADDOCK_TASKS=$here/tasks
# shellcheck disable=SC2317 # the trap reaches it
cleanup() {
    "$paddock" daemon stop --now >/dev/null 2>&1
    # It answers before it is gone, and files may still be written.
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
    shift
    [ $# -eq 0 ] || printf '  %s\n' "$@"
    bad=1
}
# check NAME COMMAND...: the command's success is the test's.
check() {
    local name=$1 said
    shift
    if said=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "$said"; fi
}
# says NAME STATUS PATTERN COMMAND...: its status, and what it prints.
says() {
    local name=$1 status=$2 pattern=$3 said got
    shift 3
    said=$("$@" 2>&1)
    got=$?
    if [ "$got" -eq "$status" ] && grep -qE -- "$pattern" <<<"$said"; then
        ok "$name"
    else
        not_ok "$name" "status $got, wanted $status and /$pattern/" "$said"
    fi
}

# ---- without a daemon -------------------------------------------------------

says 'no daemon and --no-autostart is a clear refusal' 1 'no paddockd answers on .*--no-autostart' \
    "$paddock" ls --no-autostart
says 'the refusal is a document with --json' 1 '"kind": "not-found"' "$paddock" ls --no-autostart --json
says 'daemon status starts nothing' 1 'no paddockd answers' "$paddock" daemon status
says 'daemon stop without a daemon is no error' 0 'no paddockd runs' "$paddock" daemon stop
says 'an unknown verb is named' 2 'no verb .*fly' "$paddock" fly
says 'an unknown option is named' 2 'unknown option --fast' "$paddock" ls --fast
says 'missing operands are named' 2 'expects VERSION DIR' "$paddock" checkout v1
says 'something that is no id is refused before the daemon' 1 'is not the id of an experiment' \
    "$paddock" tree v1
check 'doctor works without a daemon' "$paddock" doctor
says 'task list finds the toy' 0 '^toy-cli +time-to-target +3' "$paddock" task list
says 'task show marks the step' 0 '^\*  2  A nap' "$paddock" task show toy-cli:1
says 'task check finds no fault' 0 'no faults' "$paddock" task check "$here/tasks/toy-cli"
cp -r "$here/tasks/toy-cli" "$place/broken"
sed -i 's/"blocks_min": 2/"blocks_min": 0/; s/"wall_ms": 3000/"wall_ms": -1/' "$place/broken/task.json"
says 'task check names every fault' 1 'faults$' "$paddock" task check "$place/broken"
says 'task check names file and key' 1 'task.json: \$\.measure\.blocks_min' "$paddock" task check "$place/broken"
says 'policy list has strict' 0 '^strict ' "$paddock" policy list
says 'policy explain decides a call' 0 'refused' "$paddock" policy explain strict bpf
echo '{"version": 1}' >"$place/policy.json"
says 'policy check names the fault' 1 'policy.json' "$paddock" policy check "$place/policy.json"
says 'image list has host' 0 '^host ' "$paddock" image list

missing=$("$paddock" --help | sed -n 's/^  \([a-z][a-z ]*[a-z]\)   .*/\1/p' | while read -r verb; do
    [ "$verb" = exec ] && continue
    # shellcheck disable=SC2086 # a verb is one word or two
    "$paddock" $verb --help | grep -q '^Example:' || echo "$verb"
done)
if [ -z "$missing" ]; then ok 'every verb has a help page with an example'; else not_ok 'every verb has a help page with an example' "$missing"; fi

# The replay of the demo is edits against record 1: it must fit the record as it is.
check 'the replay tinygpt-bad fits record 1' python3 - "$here/../.." <<'END'
import json, pathlib, sys
top = pathlib.Path(sys.argv[1])
folder = top / "tests/replays/tinygpt-bad"
record = {p.name: p.read_text() for p in (top / "tasks/catalog/tinygpt/records/1").iterdir()}
trees = [record]
for step in json.loads((folder / "replay.json").read_text())["steps"]:
    tree = dict(trees[step["parent"]])
    for edit in json.loads((folder / step["edits_file"]).read_text()):
        found = tree[edit["path"]].count(edit["search"])
        assert found == 1, f"{step['edits_file']}: {found} times: {edit['search']}"
        tree[edit["path"]] = tree[edit["path"]].replace(edit["search"], edit["replace"])
    trees.append(tree)
END

if [ ! -x "$PADDOCK_BIN/paddockd" ]; then
    echo 'skip - everything that needs a daemon: paddockd is not built'
    exit $bad
fi

# ---- a race -----------------------------------------------------------------

if ! "$paddock" run toy-cli:1 --agent reference --agent noop --agent "replay:$here/../replays/toy" \
    --half-width 5 --json >"$place/run.json" 2>"$place/progress"; then
    not_ok 'three agents race' "$(tail -20 "$place/progress")" "$(head -c 2000 "$place/run.json")" \
        "$(tail -5 "$PADDOCK_STATE/paddockd.log")"
    exit 1
fi
ok 'three agents race'
want() { # want NAME JQ-FILTER: true in the document of the run
    if jq -e "$2" "$place/run.json" >/dev/null; then ok "$1"; else not_ok "$1" "$(jq -c . "$place/run.json" | head -c 3000)"; fi
}
want 'a daemon was started and all experiments are done' '[.experiments[].state] == ["done", "done", "done"]'
want 'reference is one valid version' '[.experiments[0].versions[] | select(.parent) | .outcome] == ["valid"]'
want 'noop is one valid version' '[.experiments[1].versions[] | select(.parent) | .outcome] == ["valid"]'
want 'the replay goes from failures to a success' \
    '[.experiments[2].versions[] | select(.parent) | .outcome] | (.[1] == "valid" and .[0] != "valid" and .[2] != "valid" and .[3] == "crash")'
want 'one measurement holds the best of each' '[.measurement.scores[].version] | length == 3'
want 'reference scores above noop' '(.measurement.scores | (.[0].fsr > .[1].fsr))'
check 'progress lines carry the time' grep -qE '^\[ +[0-9.]+s\] v[0-9]+ train ' "$place/progress"
check 'progress shows the blocks' grep -qE 'block [0-9]+/[0-9]+  record 1 ' "$place/progress"

replay=$(jq -r '.experiments[2].id' "$place/run.json")
good=$(jq -r '[.experiments[2].versions[] | select(.parent and .outcome == "valid")][0].id' "$place/run.json")
crash=$(jq -r '[.experiments[2].versions[] | select(.outcome == "crash")][0].id' "$place/run.json")
best=$(jq -r '.measurement.scores[0].version' "$place/run.json")
measurement=$(jq -r '.measurement.id' "$place/run.json")

# ---- looking at it ----------------------------------------------------------

says 'tree shows child below parent' 0 "└─ $good +valid" "$paddock" tree "$replay"
says 'tree names the reason of a failure' 0 'crash .*A crash with a message' "$paddock" tree "$replay"
says 'ls lists the experiment' 0 "^$replay +toy-cli:1 +replay \(toy\) +done" "$paddock" ls
says 'ls lists runs' 0 'train +done +exit' "$paddock" ls --runs
says 'ls lists measurements' 0 "^$measurement +toy-cli:1 +done" "$paddock" ls --measurements
says 'show of a version has its runs and scores' 0 "^$measurement +$good" "$paddock" show "$good"
says 'show of a measurement has its slots' 0 'record 2 +done' "$paddock" show "$measurement"
run=$("$paddock" show "$good" --json | jq -r '[.runs[] | select(.phase == "train")][0].id')
says 'show --fence has the fence report' 0 '^seccomp +on' "$paddock" show "$run" --fence
says 'show --fence has the limits' 0 '^wall +3000' "$paddock" show "$run" --fence
says 'diff shows what changed' 0 '^\+sleep 0.2' "$paddock" diff "$good"
says 'diff --against another version' 0 '^diff ' "$paddock" diff "$good" --against "$crash"
says 'logs prints both streams' 0 '^training' "$paddock" logs "$best"
says 'logs of one stream' 0 '^a note' "$paddock" logs "$best" --stream stderr
says 'logs cannot drive the terminal' 0 'x1b\[2Jgone' "$paddock" logs "$crash" --stream stderr
if cmp -s <("$paddock" logs "$crash" --stream stderr --raw | head -1) <(printf '\033[2Jgone\n'); then
    ok 'logs --raw is the very bytes'
else
    not_ok 'logs --raw is the very bytes'
fi
says 'events tell the story' 0 'measurement.done' "$paddock" events
check 'every listing is one JSON document' sh -c "for v in ls 'ls --runs' 'show $good' 'tree $replay' events doctor 'task list' 'policy list' 'image list' 'logs $good' 'diff $good' gc 'daemon status'; do '$paddock' \$v --json | jq -es 'length == 1' >/dev/null || { echo \"\$v\"; exit 1; }; done"

# ---- taking it out ----------------------------------------------------------

cd "$place" || exit 1
check 'export writes the tarball' "$paddock" export "$good" -o v.tar.zst
mkdir tar
check 'plain tar unpacks it' tar --zstd -xf v.tar.zst -C tar
check 'checkout makes the tree' "$paddock" checkout "$good" out
check 'both are the same tree' diff -r tar out
check 'the tree holds the edit' grep -q shorter out/notes/why.txt
"$paddock" export "$good" -o again.tar.zst >/dev/null
check 'export is deterministic' cmp v.tar.zst again.tar.zst
says 'checkout refuses a folder that is not empty' 1 'is not empty' "$paddock" checkout "$good" out
"$paddock" export v999999 -o none.tar.zst >/dev/null 2>&1
if [ -z "$(ls none.tar.zst* 2>/dev/null)" ]; then ok 'a failed export leaves nothing'; else not_ok 'a failed export leaves nothing'; fi

# ---- more of it -------------------------------------------------------------

says 'score measures anew' 0 "^$best +(scored|no-resolution)" "$paddock" score "$best" --half-width 5 --quiet
says 'a candidate that crashes gets no figure' 0 "^$crash +crash +– +–" "$paddock" score "$crash" --quiet
for id in e999 v999 r999 m999; do
    says "an unknown id is named: $id" 1 "$id" "$paddock" show "$id"
done
says 'an unknown task is named' 1 'nowhere' "$paddock" run nowhere --agent noop
says 'an unknown agent is named' 1 'no agent .*gpt' "$paddock" run toy-cli --agent gpt
says 'a replay needs a folder' 1 'replay:DIR' "$paddock" run toy-cli --agent replay
mkdir malformed
echo '{"version": 1, "title": "x", "steps": [{"parent": 3, "hypothesis": "y", "edits": []}]}' >malformed/replay.json
says 'a malformed replay names file, key and reason' 1 'replay.json: \$\.steps\[0\]\.parent: must be' \
    "$paddock" run toy-cli --agent replay:malformed --no-score
says 'an edit that does not fit is refused by its place' 1 'refused: .*search text' "$paddock" run toy-cli --no-score \
    --agent replay:"$(mkdir misfit && echo '{"version": 1, "title": "x", "steps": [{"parent": 0, "hypothesis": "y", "edits": [{"op": "replace", "path": "train.sh", "search": "no such text", "replace": ""}]}]}' >misfit/replay.json && echo misfit)"

mkdir endless
echo '{"version": 1, "title": "x", "steps": [{"parent": 0, "hypothesis": "y", "edits": [{"op": "write", "path": "train.sh", "content": "sleep 100"}]}]}' >endless/replay.json
id=$("$paddock" run toy-cli --agent replay:endless --no-wait)
check 'cancel stops an experiment' "$paddock" cancel "$id"
says 'what is over cannot be cancelled' 1 "$id" "$paddock" cancel "$id"
says 'a run that never ends is a timeout' 0 'timeout' "$paddock" run toy-cli --agent replay:endless --no-score
"$paddock" run toy-cli --agent replay:endless --no-score >/dev/null 2>"$place/interrupted" &
pid=$!
for _ in $(seq 100); do
    grep -q 'v[0-9]* replay:' "$place/interrupted" && break
    sleep 0.1
done
kill -INT $pid
wait $pid
status=$?
newest=$("$paddock" ls -n 1 --json | jq -r '.experiments[0].state')
if [ "$status" -eq 130 ] && [ "$newest" = cancelled ]; then
    ok 'an interrupted run is cancelled'
else
    not_ok 'an interrupted run is cancelled' "status $status, experiment $newest" "$(cat "$place/interrupted")"
fi

# ---- the agent on its own ---------------------------------------------------

says 'paddock-agent resumes and finishes nothing twice' 1 'over|finished|done' \
    "$PADDOCK_BIN/paddock-agent" --experiment "$replay" --agent replay --replay "$here/../replays/toy"
says 'doctor knows the daemon' 0 'paddockd' "$paddock" doctor
check 'gc runs' "$paddock" gc
says 'daemon stop stops it' 0 'stops' "$paddock" daemon stop --now
exit $bad
