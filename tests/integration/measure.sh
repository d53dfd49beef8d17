#!/usr/bin/env bash
# Numbers and decisions: calibration, the record rule, budgets, the search's best
# beside its score, boards. On a toy that sleeps. $PADDOCK_BIN: the programs.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
: "${PADDOCK_BIN:=$PWD/build/bin}"
place=$(mktemp -d /tmp/paddock-measure.XXXXXX)
export PADDOCK_BIN PADDOCK_STATE=$place/state PADDOCK_SOCKET=$place/run/sock NO_COLOR=1
export PADDOCK_TASKS=$place/tasks
paddock=$PADDOCK_BIN/paddock
[ -x "$paddock" ] || paddock=$PADDOCK_BIN/paddock-cli
daemon=
cleanup() {
    [ -z "$daemon" ] || { kill -9 "$daemon" && wait "$daemon"; } 2>/dev/null
    if [ -d "$PADDOCK_STATE/runs" ]; then
        sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$PADDOCK_STATE"/runs/*/launcher.json 2>/dev/null |
            while read -r pid; do grep -qs paddock-sandbox "/proc/$pid/cmdline" && kill -9 "$pid"; done
    fi
    rm -rf "$place"
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
# want NAME JQ-FILTER DOCUMENT
want() { if jq -e "$2" >/dev/null 2>&1 <<<"$3"; then ok "$1"; else not_ok "$1" "$(jq -c . <<<"$3" | head -c 3000)"; fi; }

for tool in curl jq; do
    if ! command -v "$tool" >/dev/null; then
        echo "ok - measurements # SKIP $tool is not installed"
        exit 0
    fi
done

start() {
    "$PADDOCK_BIN/paddockd" --state "$PADDOCK_STATE" --socket "$PADDOCK_SOCKET" --stay-root 2>>"$place/log" &
    daemon=$!
    for _ in $(seq 200); do
        [ -S "$PADDOCK_SOCKET" ] && get /v1/health | grep -q ok && return 0
        sleep 0.05
    done
    not_ok "the daemon starts" "$(tail -5 "$place/log")"
    exit 1
}
get() { curl -s --max-time 60 --unix-socket "$PADDOCK_SOCKET" "http://d$1"; }
post() { curl -s --max-time 60 --unix-socket "$PADDOCK_SOCKET" -H 'Content-Type: application/json' -d "$2" "http://d$1"; }
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

# ---- the tasks ----

toys=tests/integration/tasks
mkdir "$place/tasks"
cp -r $toys/toy-cli "$place/tasks/toy-cli"
# The record rule, so strict that only what does not vary passes.
cp -r $toys/toy-cli "$place/tasks/toy-rule"
jq '.name = "toy-rule" | .metric.p = 0.000001 | .measure = {"blocks_min": 3, "blocks_max": 4, "half_width": 10, "bounds": null}' \
    $toys/toy-cli/task.json >"$place/tasks/toy-rule/task.json"
# A record that does not get through, and a time for everything.
cp -r $toys/toy-cli "$place/tasks/toy-broken"
jq '.name = "toy-broken" | .measure.budget_s = 3600' $toys/toy-cli/task.json >"$place/tasks/toy-broken/task.json"
echo 'exit 3' >"$place/tasks/toy-broken/records/2/train.sh"
start

# ---- calibration ----

has "a calibration needs a task" 'needs the key .*task' "$(post /v1/measurements '{"calibrate": true}' | jq -r .detail)"
has "… and no versions" 'records only' "$(post /v1/measurements '{"calibrate": true, "task": "toy-cli", "versions": ["v1"]}' | jq -r .detail)"
has "… a step that is there" 'no step 3' "$(post /v1/measurements '{"calibrate": true, "task": "toy-cli:3"}' | jq -r .detail)"
has "a measurement of versions names no task" 'only a calibration' "$(post /v1/measurements '{"task": "toy-cli", "versions": ["v1"]}' | jq -r .detail)"
has "a measurement of nothing is refused" 'versions' "$(post /v1/measurements '{}' | jq -r .detail)"
has "a task that was never calibrated says how to" 'paddock task calibrate toy-cli' "$(get /v1/tasks/toy-cli/calibration | jq -r .detail)"

m=$(post /v1/measurements '{"calibrate": true, "task": "toy-cli", "blocks_max": 3}')
want "it is a measurement of all records" '.kind == "calibrate" and [.arms[].kind] == ["record", "record", "record"] and .blocks_min == 3 and .calibration == null' "$m"
id=$(jq -r .id <<<"$m")
for round in 1 2; do
    until_is 30 '/v1/runs?limit=1' '.runs[0] | "\(.phase) \(.state)"' "train running" >/dev/null
    { kill -9 "$daemon" && wait "$daemon"; } 2>/dev/null
    start
    ok "kill -9 ($round)"
done
is "it ends" "done" "$(until_is 120 "/v1/measurements/$id" .state "done")"
m=$(get "/v1/measurements/$id")
want "every slot was run once" '([.slots[] | select(.state == "done") | .run] | length == 9 and length == (unique | length)) and .outcome == "complete"' "$m"
want "… each block in an order of its own, all arms in each" '[.slots | group_by(.block)[] | [.[].arm] | sort] == [[0,1,2],[0,1,2],[0,1,2]]' "$m"
want "there is no score" '.scores == []' "$m"
c=$(jq .calibration <<<"$m")
want "three records and two steps" '[.records[].record] == [1, 2, 3] and [.records[].next != null] == [true, true, false]' "$c"
want "their times are those of the toy" '(.records[0].mean_s > 0.6 and .records[0].mean_s < 1.5) and .records[2].mean_s < .records[1].mean_s' "$c"
want "a large gap stands out" '.records[0].next | .gap_s > 0.2 and .gap_to_noise > 4 and .blocks_needed >= 2 and .seconds_needed > 0' "$c"
want "what nothing scores is little where the gap is large" '.records[0].next | .noise_fsr >= 0 and .noise_fsr < 0.5 and .noise_fsr_simulated >= 0' "$c"
want "it says on which machine" '.machine != null and .task_digest != null and .measurement == "'"$id"'"' "$c"
is "the task's newest calibration is this one" "$id" "$(get /v1/tasks/toy-cli/calibration | jq -r .measurement)"
has "task show shows it again, without the daemon's help" "Calibrated here by $id" "$("$paddock" task show toy-cli)"
want "… as JSON too" '.calibration.measurement == "'"$id"'"' "$("$paddock" task show toy-cli --json)"
has "show of the measurement has the table" 'NOISE FSR' "$("$paddock" show "$id")"

said=$("$paddock" task calibrate toy-broken --blocks 2 --quiet)
has "a record that does not get through is told" '2 +– .*exit status 3' "$said"
has "… and has no step" '^ +1 .*s +[0-9.]+ % +– +– +– +– +–' "$said"
want "one step alone" '[.records[].record] == [2, 3]' "$("$paddock" task calibrate toy-cli:2 --blocks 2 --quiet --json)"
is "… does not replace the whole" "$id" "$(get /v1/tasks/toy-cli/calibration | jq -r .measurement)"
has "… but is what task show of that step shows" "Calibrated here by m3" "$("$paddock" task show toy-cli:2)"

# ---- the search's best, and its score ----

mkdir "$place/replay"
cat >"$place/replay/replay.json" <<'END'
{"version": 1, "title": "Three naps", "steps": [
  {"parent": 0, "hypothesis": "0.3", "edits": [{"op": "replace", "path": "train.sh", "search": "sleep 0.6", "replace": "sleep 0.3"}]},
  {"parent": 0, "hypothesis": "0.1", "edits": [{"op": "replace", "path": "train.sh", "search": "sleep 0.6", "replace": "sleep 0.1"}]},
  {"parent": 0, "hypothesis": "0.5", "edits": [{"op": "replace", "path": "train.sh", "search": "sleep 0.6", "replace": "sleep 0.5"}]}
]}
END
"$paddock" run toy-cli --agent "replay:$place/replay" --agent noop --top 2 --blocks-min 2 --blocks-max 2 --json \
    >"$place/run.json" 2>"$place/progress" || not_ok "two agents race" "$(tail -5 "$place/progress")"
r=$(cat "$place/run.json")
want "the two fastest of one agent and one of the other are measured together" \
    '[.experiments[0].versions[] | select(.hypothesis == "0.1" or .hypothesis == "0.3") | .id] as $top | [.measurement.scores[].version] | length == 3 and (($top - .) | length == 0)' "$r"
want "… with both records, in every block" '[.measurement.slots | group_by(.block)[] | [.[].arm] | sort] == [[0,1,2,3,4],[0,1,2,3,4]]' "$r"
want "what the search saw stands apart from the score" \
    '.measurement.scores[0].search | .seconds > 0.1 and .valid_versions == 3 and .single_run_fsr > 0.5 and .luck_fsr >= 0' "$r"
want "… it is the exploratory run's time" \
    '.measurement.scores[0] as $s | [.experiments[0].versions[] | select(.id == $s.version) | .seconds == $s.search.seconds] == [true]' "$r"
mid=$(jq -r .measurement.id <<<"$r")
explored=$(get '/v1/runs?limit=1000' | jq '[.runs[] | select(.purpose == "explore") | .id]')
want "a measurement counts fresh runs only" "[.measurement.slots[].run] - $explored | length == 10" "$r"
noop=$(jq -r '.measurement.scores[2].version' <<<"$r")
has "the CLI tells them apart" 'Best of the search: one run each, not a score' "$("$paddock" show "$mid")"

# ---- a machine that changed ----

if python3 -c 'import sqlite3' 2>/dev/null; then
    m=$(post /v1/measurements "{\"versions\": [\"$noop\"], \"blocks_min\": 3, \"blocks_max\": 3}" | jq -r .id)
    until_is 30 "/v1/measurements/$m" '.blocks >= 1 and .fingerprint != null' true >/dev/null
    { kill -9 "$daemon" && wait "$daemon"; } 2>/dev/null
    python3 - "$PADDOCK_STATE/paddock.db" "${m#m}" <<'END'
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
(text,) = db.execute("SELECT fingerprint FROM measurements WHERE id=?", (sys.argv[2],)).fetchone()
then = json.loads(text)
then["kernel"] = "2.6.32"
db.execute("UPDATE measurements SET fingerprint=? WHERE id=?", (json.dumps(then), sys.argv[2]))
db.commit()
END
    start
    is "a measurement that goes on under another kernel ends" "done" "$(until_is 60 "/v1/measurements/$m" .state "done")"
    want "… and its numbers are not put together" \
        '.outcome == "invalid-environment" and (.reason | test("another kernel$")) and .scores[0].outcome == "invalid-environment"' "$(get "/v1/measurements/$m")"
else
    printf 'ok - a machine that changed # SKIP python3 has no sqlite3\n'
fi

# ---- boards ----

b=$(get /v1/boards/toy-cli/1)
want "the board ranks by the lower end" '([.ranked[].low] | . == (sort | reverse)) and .ranked[0].rank == 1' "$b"
want "every measured version is somewhere on it" '[.ranked, .unresolved, .withdrawn | .[].version] | length == 3' "$b"
has "the CLI shows it" '^Board of toy-cli:1' "$("$paddock" board toy-cli)"
has "a step that is not there has no board" 'no step 7' "$("$paddock" board toy-cli:7 2>&1)"
want "the board of another step is empty" '.ranked == [] and .unresolved == [] and .withdrawn == []' "$(get /v1/boards/toy-cli/2)"

# ---- a time budget ----

# As many blocks as there may be: on a quiet machine three are narrow enough for any width.
d=$("$paddock" score "$noop" --blocks-min 50 --blocks-max 50 --half-width 0.001 --budget 8 --quiet --json)
want "a budget ends a measurement" '.budget_s == 8 and .blocks >= 1 and .blocks < 50 and (.reason | test("budget of 8 s is spent"))' "$d"
has "a budget that is none is refused" 'budget_s' "$("$paddock" score "$noop" --budget 0 --quiet 2>&1)"
want "the task's own budget counts" '.measure.budget_s == 3600' "$(get /v1/tasks/toy-broken)"
want "what it lacks is said, in blocks and seconds" \
    '.scores[0] | .blocks < 2 or (.blocks_needed >= 0 and .seconds_needed >= 0 and (.outcome == "scored" or .reason != null))' "$d"

# ---- the record rule ----

e=$(post /v1/experiments '{"task": "toy-rule", "agent": "test"}')
eid=$(jq -r .id <<<"$e") root=$(jq -r '.versions[0].id' <<<"$e")
vary='a=${PADDOCK_SEED#"${PADDOCK_SEED%?}"}; b=${PADDOCK_SEED%?}; b=${b#"${b%?}"}; mkdir -p "$PADDOCK_OUT"; echo "$((a % 2)).$b" >"$PADDOCK_OUT/answer"'
version() { post "/v1/experiments/$eid/versions" "$(jq -n --arg p "$root" --arg c "$1" '{parent: $p, hypothesis: "x", edits: [{op: "write", path: "train.sh", content: $c}]}')" | jq -r .id; }
steady=$(version 'sleep 0.1; mkdir -p "$PADDOCK_OUT"; echo 1.5 >"$PADDOCK_OUT/answer"')
varied=$(version "sleep 0.1; $vary")
until_is 60 "/v1/versions/$varied" .state "done" >/dev/null
is "one run that meets the target is enough while exploring" "valid valid" \
    "$(get "/v1/versions/$steady" | jq -r .outcome) $(get "/v1/versions/$varied" | jq -r .outcome)"
d=$("$paddock" score "$steady" --quiet --json)
want "a mean that surely meets the target counts, at the first look" '.blocks == 3 and (.scores[0] | .outcome != "invalid-loss" and .metric_p == 0 and .metric_runs == 3)' "$d"
want "… and reports the interval that it stopped on" '.scores[0].level == 0.99' "$d"
d=$("$paddock" score "$varied" --quiet --json)
want "one that does not goes on to the last block, and reports the plain one" '.blocks == 4 and .scores[0].level == 0.95' "$d"
want "… and is invalid-loss, with n, mean and p" '.scores[0] | .outcome == "invalid-loss" and .metric_runs == 4 and .metric_p > 0.000001 and (.reason | test("^mean loss [0-9.]+ wishes over 4 runs, target at most 2: one-sided p "))' "$d"
want "a task shows its rule" '.p == 0.000001' "$(get /v1/tasks/toy-rule)"
has "… on the command line too" 'target +2, by the mean of fresh runs at p < 1e-06' "$("$paddock" task show toy-rule)"
[ $failures -eq 0 ]
