#!/usr/bin/env bash
# paddock report on a small sweep of agents that need no model: the page, the document
# and the CSV say what the API says; nothing hostile gets out of its place; and where
# Chromium is installed, a browser draws the charts without a complaint.
# Needs PADDOCK_BIN: the folder of the programs. Keeps the pages in $PADDOCK_KEEP, if set.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${PADDOCK_BIN:?the folder of the programs}"
export PADDOCK_BIN
paddock=$PADDOCK_BIN/paddock
[ -x "$paddock" ] || paddock=$PADDOCK_BIN/paddock-cli

place=$(mktemp -d /tmp/paddock-report-XXXXXX)
sock=$place/sock
export PADDOCK_STATE=$place/state PADDOCK_SOCKET=$sock PADDOCK_TASKS=$place/tasks NO_COLOR=1
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
    shift
    [ $# -eq 0 ] || printf '  %s\n' "$@"
    bad=1
}
# is NAME GOT WANTED
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got:    $2" "wanted: $3"; fi; }
# has NAME TEXT PATTERN, lacks NAME TEXT PATTERN
has() { if grep -qE -- "$3" <<<"$2"; then ok "$1"; else not_ok "$1" "wanted /$3/ in:" "$(head -c 1500 <<<"$2")"; fi; }
lacks() { if grep -qE -- "$3" <<<"$2"; then not_ok "$1" "did not want /$3/:" "$(grep -E -- "$3" <<<"$2" | head -3)"; else ok "$1"; fi; }
# want NAME FILTER JSON
want() { if jq -e "$2" >/dev/null 2>&1 <<<"$3"; then ok "$1"; else not_ok "$1" "wanted: $2"; fi; }

get() { curl -s --max-time 60 --unix-socket "$sock" "http://d$1"; }
post() { curl -s --max-time 60 --unix-socket "$sock" -H 'Content-Type: application/json' -d "$2" "http://d$1"; }

# ---- a sweep ----------------------------------------------------------------

mkdir "$place/tasks"
cp -r "$here/tasks/toy-cli" "$place/tasks/toy"
sed -i 's/"name": "toy-cli"/"name": "toy"/' "$place/tasks/toy/task.json"
sed -i 's/sleep 0.6/sleep 0.3/' "$place/tasks/toy/records/1/train.sh"
sed -i 's/sleep 0.2/sleep 0.1/' "$place/tasks/toy/records/2/train.sh"

# replay NAME STEP WHAT...: versions in a chain, each sleeping so long; "x" crashes, "9"
# misses the target. What fails has no children.
replay() {
    local dir=$place/$1 record=$place/tasks/toy/records/$2/train.sh parent=0 n=0 edit what
    shift 2
    mkdir "$dir"
    for what; do
        case $what in
        x) edit='s/^sleep .*/exit 3/' ;;
        9) edit='s/echo 1/echo 9/' ;;
        *) edit="s/^sleep .*/sleep $what/" ;;
        esac
        sed "$edit" "$record" | jq -Rs --argjson p $parent --arg h "Try $what" \
            '{parent: $p, hypothesis: $h, edits: [{op: "write", path: "train.sh", content: .}]}'
        n=$((n + 1))
        case $what in x | 9) ;; *) parent=$n ;; esac
    done | jq -s '{version: 1, title: "Naps", steps: .}' >"$dir/replay.json"
}

# experiment STEP AGENT SWEEP CONFIG [LABEL]: made and named in $id; nothing is run.
made=0
experiment() {
    made=$((made + 1))
    id=$(post /v1/experiments "$(jq -n --arg t "toy:$1" --arg a "$2" --arg s "$3" --arg k "$3/$made" --argjson c "$4" --arg l "${5:-}" \
        '{task: $t, agent: $a, sweep: $s, key: $k, config: $c} + (if $l == "" then {} else {label: $l} end)')" | jq -r .id)
}
# play AGENT [DIR]: the agent runs on $id.
play() {
    "$PADDOCK_BIN/paddock-agent" --experiment "$id" --agent "$1" ${2:+--replay "$place/$2"} --quiet >>"$place/agents.log" 2>&1 ||
        not_ok "agent $1 on $id" "$(tail -3 "$place/agents.log")"
}
# config MODEL HINTS SEARCH SEED
config() { jq -nc --arg m "$1" --argjson h "$2" --arg s "$3" --argjson n "$4" '{model: $m, hints: $h, search: $s, seed: $n}'; }
# best EXPERIMENT: its fastest valid version.
best() { get "/v1/experiments/$1" | jq -r '[.versions[] | select(.outcome == "valid")] | min_by(.seconds) | .id'; }

replay well 1 0.2 x 0.1
replay badly 1 x 0.28 9
replay never 1 x 9
replay two 2 0.05

"$paddock" ls >/dev/null 2>&1 # starts the daemon
s=trial
for cell in 'alpha [] flat well' 'alpha [] flat badly' 'alpha [] tree badly' 'alpha [1] flat well' 'alpha [1] tree never' \
    'beta [] flat never' 'beta [1] flat well'; do
    read -r model hints search plays <<<"$cell"
    experiment 1 replay $s "$(config "$model" "$hints" "$search" 1)"
    play replay "$plays"
    eval "e$made=$id"
done
experiment 2 replay $s "$(config alpha '[1]' flat 1)"
play replay two
step2=$id
experiment 1 reference $s '{"hints": []}'
play reference
experiment 1 noop $s '{"hints": []}'
play noop
noop=$id
experiment 1 other $s "$(config alpha '[1,2]' greedy 1)" # stays open
open=$id

# ---- nobody vouches for these texts -------------------------------------------

evil=$'</script><script>alert(1)</script>"\'<img src=x onerror=alert(2)>&amp;\u202e\u001b[2J'
experiment 1 'other' "$s" "$(jq -n --arg e "$evil" '{model: ("=cmd()" + $e), hints: [2], search: "tree", seed: 1}')" "label $evil"
hostile=$id
root=$(get "/v1/experiments/$id" | jq -r '.versions[0].id')
bad_version=$(post "/v1/experiments/$id/versions" "$(jq -n --arg p "$root" --arg e "$evil" --arg n "notes/<b>&'\"x.txt" \
    '{parent: $p, hypothesis: $e, note: {kind: "draft", summary: ("said " + $e)}, edits: [{op: "write", path: "notes/x\"<script>.txt", content: ($e + "\n")},
      {op: "write", path: "train.sh", content: ("echo \"</script><b>" + "\" >&2; exit 7\n")}]}')" | jq -r .id)
abandoned=$(post "/v1/experiments/$id/versions" "$(jq -n --arg p "$root" --arg e "$evil" '{parent: $p, hypothesis: "y", abandoned: ("gave up " + $e)}')" | jq -r .id)
for _ in $(seq 200); do
    [ "$(get "/v1/versions/$bad_version" | jq -r .state)" = done ] && break
    sleep 0.1
done
post "/v1/experiments/$id/finish" "$(jq -n --arg e "$evil" '{status: "failed", reason: $e}')" >/dev/null

# ---- what is measured, and what it cost ----------------------------------------

call() { # call EXPERIMENT KEY COST
    post "/v1/experiments/$1/calls" "$(jq -n --arg k "$2" --argjson c "$3" '{key: $k, role: "coder", model: "alpha", request_sha256: ("0" * 64),
        request: {}, reply: "x", input_tokens: 100, cached_tokens: 10, output_tokens: 20, reasoning_tokens: 5, cost: $c,
        latency_ms: 5, retries: 0, began: "2026-01-01T00:00:00Z"}')" >/dev/null
}
call "$e1" a 0.25
call "$e2" a 0.5
call "$e5" a 0.0001

# e3 stays without a score, and so does what has nothing valid.
mapfile -t wanted < <(for e in "$e1" "$e2" "$e4" "$e7" "$noop"; do best "$e"; done)
"$paddock" score "${wanted[@]}" --blocks-min 2 --blocks-max 3 --quiet >"$place/score.log" 2>&1 || not_ok 'measured' "$(cat "$place/score.log")"
"$paddock" score "$(best "$step2")" --blocks-min 2 --blocks-max 2 --quiet >>"$place/score.log" 2>&1 || not_ok 'measured, step 2' "$(cat "$place/score.log")"
