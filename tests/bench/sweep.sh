#!/usr/bin/env bash
# ./dev bench sweep [TASKS="tinygpt:5 tinygpt:6 tinygpt:7"]: a whole sweep without anybody
# at hand: 3 records × 6 sets of hints × 5 searches with a scripted model and 3 versions
# each, in the middle of which an agent, the sweep itself and the daemon are killed with
# SIGKILL. The scripted model hands in the next record, a broken one to who is told that
# others try the same, and the repaired one to who is to repair. Checks that every
# experiment came to its end once; the report is build/sweep.html and build/sweep.json.
set -euo pipefail
cd "$(dirname "$0")/../.."
top=$PWD
export PADDOCK_BIN=${PADDOCK_BIN:-$PWD/build/bin}
read -ra tasks <<<"${1:-tinygpt:5 tinygpt:6 tinygpt:7}"
work=$(mktemp -d /tmp/paddock-sweep.XXXXXX)
export PADDOCK_STATE=$work/state PADDOCK_SOCKET=$work/sock PADDOCK_CONFIG=$work/config no_proxy=127.0.0.1
unset PADDOCK_CASSETTE_RECORD
mock=
finish() {
    [ -z "$mock" ] || kill "$mock" 2>/dev/null || true
    "$PADDOCK_BIN/paddock" daemon stop --now >/dev/null 2>&1 || true
    sleep 1
    rm -rf "$work"
}
trap finish EXIT
api() { curl -sS --max-time 60 --unix-socket "$PADDOCK_SOCKET" "http://d/v1$1"; }

mkdir -p "$PADDOCK_CONFIG/models"
python3 - "$top/tasks/catalog/tinygpt/records" >"$work/script.json" <<'END'
import json, sys
records = {k: open(f"{sys.argv[1]}/{k}/gpt.c").read() for k in range(1, 9)}
def whole(k, more=""):
    return f"SUMMARY: the ideas of record {k}\nFILE: gpt.c\n````c\n{records[k]}{more}````\n"
def at(k):  # the file that is shown is record k's
    return r"\* gpt\.c - [^\n]*\n \*\n \* Record %d:" % k
entries = [{"match": "Propose one change|say how to repair", "reply": "IDEA: take the next step"},
           {"match": "at most 200 words", "reply": "It was built and run."}]
for k in records:
    entries.append({"match": at(k) + ".*Repair this version", "reply": whole(k)})
for k in range(1, 8):
    entries.append({"match": at(k) + ".*Others are trying", "reply": whole(k + 1, "#error broken\n")})
    entries.append({"match": at(k), "reply": whole(k + 1)})
entries.append({"match": ".", "reply": "I know nothing better."})
json.dump(entries, sys.stdout)
END
python3 tests/mock/models.py --port-file "$work/port" "$work/script.json" </dev/null >/dev/null 2>"$work/mock.log" &
mock=$!
for _ in $(seq 200); do [ -s "$work/port" ] && break; sleep 0.05; done
jq -n --arg u "http://127.0.0.1:$(cat "$work/port")/v1" '{protocol: "openai", url: $u, name: "mock",
    prices: {input: 1, output: 4}}' >"$PADDOCK_CONFIG/models/scripted.json"
jq -n '{version: 1, name: "bench", tasks: $ARGS.positional, hints: [[], [1], [2], [3], [1, 2], [1, 2, 3]],
    searches: ["flat", "tree", "forest", "aide", "multi-aide"], models: ["scripted"],
    config: {nodes: 3, coder: "whole", repairs: 0}, measure: "pooled", blocks_min: 3, blocks_max: 3, parallel: 2}' \
    --args "${tasks[@]}" >"$work/bench.json"

begin=$SECONDS
over() { api '/experiments?limit=1000&sweep=bench' 2>/dev/null | jq '[.experiments[] | select(.state != "open")] | length' 2>/dev/null || echo 0; }
wait_for() { while [ "$(over)" -lt "$1" ] && kill -0 "$sweep" 2>/dev/null; do sleep 1; done; }
go() {
    "$PADDOCK_BIN/paddock" sweep "$work/bench.json" --json >"$work/out" 2>>"$work/progress" &
    sweep=$!
}
go
cells=$("$PADDOCK_BIN/paddock" sweep --dry-run "$work/bench.json" --json | jq '.cells | length')
wait_for $((cells / 4))
kill -9 "$(pgrep -P "$sweep" | head -1)"
echo "$((SECONDS - begin)) s: $(over) of $cells over, an agent is killed" >&2
wait_for $((cells / 3))
kill -9 "$(api /health | jq .pid)"
echo "$((SECONDS - begin)) s: the daemon is killed" >&2
wait_for $((cells / 2))
kill -9 "$sweep"
wait "$sweep" 2>/dev/null || true
echo "$((SECONDS - begin)) s: $(over) over, the sweep is killed and started again" >&2
go
wait_for "$cells"
echo "$((SECONDS - begin)) s: all over, measuring" >&2
wait "$sweep"
took=$((SECONDS - begin))
"$PADDOCK_BIN/paddock" report --sweep bench -o build/sweep.html --json-file build/sweep.json --csv build/sweep.csv \
    --title "A sweep of a scripted model" >/dev/null

all=$(api '/experiments?limit=1000&sweep=bench')
for id in $(jq -r '.experiments[].id' <<<"$all"); do api "/experiments/$id"; done >"$work/each"
jq -s --argjson took "$took" '{
    seconds: $took, experiments: length, keys: ([.[].key] | unique | length), states: ([.[].state] | unique),
    versions: ([.[].versions[] | select(.parent)] | length), doubled: ([.[] | .id as $e | .versions[].key // empty | "\($e) \(.)"] | length - (unique | length)),
    outcomes: ([.[].versions[] | select(.parent) | .outcome] | group_by(.) | map({key: .[0], value: length}) | from_entries),
    calls: ([.[].spent.calls] | add), scores: ([.[].versions[].scores[]?.outcome] | group_by(.) | map({key: .[0], value: length}) | from_entries)}' "$work/each" | tee build/sweep-bench.json
jq -e '.experiments == .keys and .states == ["done"] and .doubled == 0 and .versions == .experiments * 3' build/sweep-bench.json >/dev/null ||
    { echo "sweep: not every experiment came to its end once" >&2; exit 1; }
