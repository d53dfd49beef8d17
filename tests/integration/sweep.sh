#!/usr/bin/env bash
# Sweeps on a toy that sleeps: agents without models, models against the mock server,
# cumulative ones; killed in the middle, sweep, agents and daemon; nothing twice.
# Needs PADDOCK_BIN: the folder of the programs.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${PADDOCK_BIN:?the folder of the programs}"
export PADDOCK_BIN
paddock=$PADDOCK_BIN/paddock
[ -x "$paddock" ] || paddock=$PADDOCK_BIN/paddock-cli

place=$(mktemp -d /tmp/paddock-sweep-XXXXXX)
export PADDOCK_STATE=$place/state PADDOCK_SOCKET=$place/sock PADDOCK_CONFIG=$place/config NO_COLOR=1
export PADDOCK_TASKS=$here/tasks no_proxy=127.0.0.1 NO_PROXY=127.0.0.1
unset PADDOCK_CASSETTE_RECORD
mkdir -p "$place/config/models"
mock=
# shellcheck disable=SC2317 # the trap reaches it
cleanup() {
    [ -z "$mock" ] || kill "$mock" 2>/dev/null
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
    shift
    [ $# -eq 0 ] || printf '  %s\n' "$@"
    bad=1
}
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "wanted: $2" "got:    $3"; fi; }
has() { if grep -qE -- "$2" <<<"$3"; then ok "$1"; else not_ok "$1" "wanted /$2/ in:" "$3"; fi; }
for tool in curl jq python3; do
    command -v "$tool" >/dev/null || { echo "ok - sweeps # SKIP $tool is not installed"; exit 0; }
done
get() { curl -sS --max-time 60 --unix-socket "$PADDOCK_SOCKET" "http://d/v1$1"; }
experiments() { get "/experiments?limit=1000&sweep=$1"; }

# ---- files ------------------------------------------------------------------

for ready in baselines external-knowledge cumulative; do
    has "the ready sweep $ready is one" '^[0-9]+ experiments, 1 at once, measured pooled$' "$("$paddock" sweep --dry-run $ready 2>&1 | tail -1)"
done
is "the paper's baselines: 7 steps, 6 sets of hints, 5 searches" 210 "$("$paddock" sweep --dry-run baselines --json | jq '.cells | length')"
has "a sweep that is not there" 'no sweep nothing: neither a file' "$("$paddock" sweep nothing 2>&1)"
echo '{"version": 1, "name": "x", "tasks": ["toy-cli"], "agents": ["noop"], "colour": 3}' >"$place/bad.json"
has "a faulty file: where and why" 'bad.json: \$.*colour' "$("$paddock" sweep "$place/bad.json" 2>&1)"
echo '{"version": 1, "name": "x", "tasks": ["no-such"], "agents": ["noop"]}' >"$place/bad.json"
has "a task that is not there" 'x/no-such/noop/seed-1: .*no-such' "$("$paddock" sweep -q "$place/bad.json" 2>&1)"
is "dry runs make nothing" 0 "$(experiments baselines | jq '.experiments | length')"

# ---- agents without models --------------------------------------------------

echo '{"version": 1, "name": "plain", "tasks": ["toy-cli:1", "toy-cli:2"], "agents": ["reference", "noop"],
       "blocks_min": 2, "blocks_max": 2}' >"$place/plain.json"
said=$("$paddock" sweep "$place/plain.json" --json 2>"$place/progress")
is "two steps, two agents" "0 4 0 2" "$? $(jq -r '"\(.over) \(.left) \(.measurements | length)"' <<<"$said")"
has "it says what it does" 'e4 done: 1 of 1 versions valid, 0 calls, \$0.00 \(4 of 4\)' "$(cat "$place/progress")"
m=$(get /measurements/m1)
is "the bests of a step are measured beside each other" "record record candidate candidate" "$(jq -r '[.arms[].kind] | join(" ")' <<<"$m")"
said=$("$paddock" sweep "$place/plain.json" --json 2>/dev/null)
is "done again nothing is done" "4 0 4 2" \
    "$(jq -r '"\(.over) \(.measurements | length)"' <<<"$said") $(get '/experiments?limit=1000' | jq '.experiments | length') $(get /measurements | jq '.measurements | length')"
jq '.agents = ["noop", "reference"]' "$place/plain.json" >"$place/other.json"
is "the order of the lists does not matter to the keys" "0 4" "$("$paddock" sweep -q "$place/other.json" >/dev/null 2>&1; echo $?) $(experiments plain | jq '.experiments | length')"

# ---- models, killed in the middle -------------------------------------------

cat >"$place/script.json" <<'S'
[
 {"match": "Propose one change|say how to repair", "reply": "IDEA: sleep less"},
 {"match": "at most 200 words", "reply": "It slept."},
 {"match": "sleep 0\\.6.*How to answer", "reply": ["SUMMARY: less", "FILE: train.sh", "<<<<<<< SEARCH", "sleep 0.6", "=======", "sleep 0.2", ">>>>>>> REPLACE"]},
 {"match": "sleep 0\\.2.*How to answer", "reply": ["SUMMARY: least", "FILE: train.sh", "<<<<<<< SEARCH", "sleep 0.2", "=======", "sleep 0.1", ">>>>>>> REPLACE"]},
 {"match": "sleep 0\\.1.*How to answer", "reply": ["SUMMARY: broken", "FILE: train.sh", "<<<<<<< SEARCH", "sleep 0.1", "=======", "exit 4", ">>>>>>> REPLACE"]},
 {"match": "How to answer", "reply": "I have no idea."}
]
S
python3 "$here/../mock/models.py" --port-file "$place/port" "$place/script.json" </dev/null >/dev/null 2>"$place/mock.log" &
mock=$!
for _ in $(seq 200); do [ -s "$place/port" ] && break; sleep 0.05; done
port=$(cat "$place/port")
jq -n --arg u "http://127.0.0.1:$port/v1" '{protocol: "openai", url: $u, name: "mock", parameters: {max_tokens: 1000},
    retries: {count: 2, first_ms: 1, longest_s: 1}, prices: {input: 1, output: 1}}' >"$place/config/models/mock.json"

jq -n '{version: 1, name: "models", tasks: ["toy-cli:1"], hints: [[], [2]], searches: ["flat", "tree", "aide"],
    models: ["mock"], config: {nodes: 3, repairs: 0}, measure: "pooled", blocks_min: 2, blocks_max: 2, parallel: 2}' >"$place/models.json"
# over NUMBER: that many experiments are over.
# shellcheck disable=SC2317 # by name
over() { [ "$(experiments models 2>/dev/null | jq '[.experiments[] | select(.state != "open")] | length' 2>/dev/null || echo 0)" -ge "$1" ]; }
wait_for() { for _ in $(seq 600); do "$@" && return; sleep 0.1; done; }

"$paddock" sweep "$place/models.json" >"$place/out" 2>"$place/progress" &
sweep=$!
wait_for over 1
agents=$(pgrep -P $sweep)
kill -9 $sweep
wait $sweep 2>/dev/null
ended=yes
for pid in $agents; do
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -0 "$pid" 2>/dev/null && ended=no
done
is "a sweep that is killed takes its agents along" yes $ended

"$paddock" sweep "$place/models.json" --json >"$place/out" 2>"$place/progress" &
sweep=$!
wait_for over 2
kill -9 "$(pgrep -P $sweep | head -1)" 2>/dev/null
ok "an agent is killed"
wait_for over 3
kill -9 "$(get /health | jq .pid)"
ok "the daemon is killed"
wait $sweep
is "the sweep goes on to its end" "0 6 0" "$? $(jq -r '"\(.over) \(.left)"' "$place/out" 2>/dev/null || tail -3 "$place/progress")"
all=$(experiments models)
is "six experiments, each once" "6 6 done" \
    "$(jq -r '(.experiments | length | tostring) + " " + ([.experiments[].key] | unique | length | tostring) + " " + ([.experiments[].state] | unique | join(","))' <<<"$all")"
shapes=$(for id in $(jq -r '.experiments[].id' <<<"$all"); do
    get "/experiments/$id" | jq -r '(.versions | map({key: .id, value: (.key // "root")}) | from_entries) as $k | .key + " " +
        ([.versions | sort_by(.id[1:] | tonumber)[] | select(.parent) | "\(.key)<\($k[.parent])"] | join(" "))'
done | sort)
is "every tree is that of its search" "models/toy-cli:1/hints-2/aide/mock/seed-1 n1<root n2<root n3<root
models/toy-cli:1/hints-2/flat/mock/seed-1 n1<root n2<root n3<root
models/toy-cli:1/hints-2/tree/mock/seed-1 n1<root n2<n1 n3<n1
models/toy-cli:1/hints-none/aide/mock/seed-1 n1<root n2<root n3<root
models/toy-cli:1/hints-none/flat/mock/seed-1 n1<root n2<root n3<root
models/toy-cli:1/hints-none/tree/mock/seed-1 n1<root n2<n1 n3<n1" "$shapes"
is "no call is answered twice" "" "$(for id in $(jq -r '.experiments[].id' <<<"$all"); do get "/experiments/$id/calls?limit=1000" | jq -r '.calls[] | select(.stop) | "\(.experiment) \(.key)"'; done | sort | uniq -d)"
is "the bests of all are measured once" "6" \
    "$(for m in $(jq -r '.measurements[]' "$place/out"); do get "/measurements/$m"; done | jq -s '[.[].scores[].version] | unique | length')"

# ---- cumulative -------------------------------------------------------------

jq -n '{version: 1, name: "climb", tasks: ["toy-cli:1", "toy-cli:2"], searches: ["flat"], models: ["mock"],
    config: {nodes: 1, repairs: 0, analyst: false}, cumulative: true, measure: "none"}' >"$place/climb.json"
"$paddock" sweep -q "$place/climb.json" >/dev/null 2>"$place/progress"
is "a chain of steps" 0 $?
first=$(experiments climb | jq -r '.experiments[] | select(.step == 1).id') second=$(experiments climb | jq -r '.experiments[] | select(.step == 2).id')
best=$(get "/experiments/$first" | jq -r '.versions[] | select(.key == "n1") | "\(.id) \(.snapshot)"')
is "the second step starts from the best of the first" "${best% *}" "$(get "/experiments/$second" | jq -r .config.start)"
is "… its files are the same" "${best#* }" "$(get "/experiments/$second" | jq -r '.versions[] | select(.key == "start").snapshot')"
is "… and the tree grows from there" "start" \
    "$(get "/experiments/$second" | jq -r '(.versions | map({key: .id, value: (.key // "root")}) | from_entries) as $k | .versions[] | select(.key == "n1") | $k[.parent]')"
has "the same again finds all of it" '^climb: 2 of 2 experiments over$' "$("$paddock" sweep -q "$place/climb.json")"
exit $bad
