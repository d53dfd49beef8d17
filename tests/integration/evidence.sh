#!/usr/bin/env bash
# The evidence of a score, from the race to `paddock verify`: made when the
# measurement is over, kept over a restart, checked by hand with jq and sha256sum,
# and found out when it or what it speaks of is changed. $PADDOCK_BIN: the programs.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
: "${PADDOCK_BIN:=$PWD/build/bin}"
paddock=$PADDOCK_BIN/paddock
[ -x "$paddock" ] || paddock=$PADDOCK_BIN/paddock-cli

place=$(mktemp -d /tmp/paddock-evidence-XXXXXX)
export PADDOCK_BIN PADDOCK_STATE=$place/state PADDOCK_SOCKET=$place/sock NO_COLOR=1
export PADDOCK_TASKS=$PWD/tests/integration/tasks
stop() {
    "$paddock" daemon stop --now >/dev/null 2>&1
    for _ in $(seq 50); do
        "$paddock" daemon status >/dev/null 2>&1 || break
        sleep 0.1
    done
}
# shellcheck disable=SC2317 # the trap reaches it
cleanup() {
    stop
    rm -rf "$place"
}
trap cleanup EXIT

bad=0
ok() { echo "ok - $1"; }
not_ok() {
    echo "not ok - $1"
    shift
    [ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^/# /'
    bad=1
}
# says NAME STATUS PATTERN COMMAND...: its status, and what it prints.
says() {
    local name=$1 status=$2 pattern=$3 said got
    shift 3
    said=$("$@" 2>&1)
    got=$?
    if [ "$got" -eq "$status" ] && grep -qE -- "$pattern" <<<"$said"; then ok "$name"; else
        not_ok "$name" "status $got, wanted $status and /$pattern/" "$said"
    fi
}
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "wanted: $2" "got: $3"; fi; }

for tool in curl jq; do
    command -v "$tool" >/dev/null || { echo "ok - evidence # SKIP $tool is not installed"; exit 0; }
done

# ---- a race with a winner and one that does nothing ----

if ! "$paddock" run toy-cli:1 --agent reference --agent noop --half-width 5 --json >"$place/run.json" 2>"$place/log"; then
    not_ok 'two agents race' "$(tail -20 "$place/log")"
    exit 1
fi
version=$(jq -r '.measurement.scores[0].version' "$place/run.json")
m=$(jq -r .measurement.id "$place/run.json")
kept=$PADDOCK_STATE/scores/$m-$version.json
score=$place/score.json
get() { curl -s --max-time 60 --unix-socket "$PADDOCK_SOCKET" "http://d$1"; }

for _ in $(seq 50); do # a moment after the score itself
    [ -s "$kept" ] && break
    sleep 0.1
done
if [ -s "$kept" ]; then ok 'it is written when the measurement is over'; else not_ok 'it is written when the measurement is over' "$(ls "$PADDOCK_STATE")"; fi
"$paddock" show --verdict "$version" --json >"$score"
is 'the CLI gives the very bytes' "$(sha256sum <"$kept")" "$(sha256sum <"$score")"
is 'so does the API' "$(sha256sum <"$kept")" "$(get "/v1/measurements/$m/scores/$version/score.json" | sha256sum)"
is 'the estimate is that of the score' \
    "$(get "/v1/measurements/$m" | jq -c --arg v "$version" '.scores[] | select(.version == $v) | [.outcome, .fsr, .low, .high, .cv, .mean_s, .metric]')" \
    "$(jq -c '[.verdict.outcome, (.verdict.estimate | .fsr, .low, .high, .cv, .mean_s), .verdict.metric]' "$score")"
is 'every timed run of every arm is there, with its seed' \
    "$(get "/v1/measurements/$m" | jq -c '[.slots[] | {run, arm, block, position, seed, wall: .wall_s}] | sort_by(.run)')" \
    "$(jq -c '[.runs[] | select(.counts) | {run, arm, block, position, seed, wall: (.wall_ns / 1e9)}] | sort_by(.run)' "$score")"
is 'with witnesses and what it ran under' true \
    "$(jq '[.runs[] | select(.counts) | .result | has("steal_ns") and has("policy_sha256") and has("involuntary_switches")] | all' "$score")"
is 'with the digests of its files' true "$(
    id=$(jq -r '[.runs[] | select(.counts)][0].run' "$score")
    for f in spec.json result.json stdout stderr; do
        [ "$(sha256sum <"$PADDOCK_STATE/runs/$id/$f" | cut -d' ' -f1)" = "$(jq -r --arg f "$f" '[.runs[] | select(.counts)][0].files[$f]' "$score")" ] || echo "$f"
    done
    echo true
)"

# ---- by hand: the example of docs/reference/score.md ----

# shellcheck disable=SC2016 # it is a fence of Markdown
sed -n '/^```sh by hand$/,/^```$/p' docs/reference/score.md | sed '1d;$d' >"$place/by-hand.sh"
is 'the worked example of the page follows the chain to its head' "$(jq -r .chain.head "$score")" \
    "$(cd "$place" && bash -eu by-hand.sh 2>&1 | tail -1)"
jq '.runs[3].wall_ns += 1' "$score" >"$place/changed.json"
is '… and another one to another' 1 "$(cd "$place" && sed 's/score\.json/changed.json/' by-hand.sh | bash -eu 2>&1 | tail -1 | grep -cv "$(jq -r .chain.head "$score")")"

# ---- verify ----

says 'an untouched one verifies, alone' 0 'verified, 8 checks' "$paddock" verify "$score" --no-autostart
says 'against the state folder' 0 'files +[0-9]+ files of [0-9]+ runs' "$paddock" verify "$score" --state "$PADDOCK_STATE"
says 'against the daemon' 0 'runs are as the daemon has them' "$paddock" verify "$score" --daemon
is 'with --json it is one document' 'true 8' "$("$paddock" verify "$score" --json | jq -r '"\(.verified) \(.checks | length)"')"
# changed NAME FILTER PATTERN: a document changed by jq does not hold.
changed() {
    jq -c "$2" "$score" >"$place/changed.json"
    says "$1" 1 "$3" "$paddock" verify "$place/changed.json"
}
changed 'a faster time is found out' '.runs[-2].wall_ns -= 1000000' '^FAIL +chain .*run [0-9]+, r[0-9]+'
changed 'a void flag is' '.runs[-2] |= (.void = true | .counts = false)' '^FAIL +estimate'
changed 'a better metric is' '.runs[-2].metric = 0.5' '^FAIL +metrics'
changed 'another seed is' '.runs[-2].seed = "1"' '^FAIL +chain'
changed 'another digest is' '.runs[-2].files.stdout = .runs[-2].files.stderr' '^FAIL +chain'
changed 'another outcome is' '.verdict.outcome = "scored-wide"' '^FAIL +outcome +stated as scored-wide'
changed 'another interval is' '.verdict.estimate.low += 0.01' '^FAIL +estimate +low'
changed 'another order of the runs is' '.runs |= (.[0:-4] + [.[-2], .[-1], .[-4], .[-3]])' '^FAIL +chain'
changed 'a dropped run is' '.runs |= .[0:-1] | .chain.links |= .[0:-1]' '^FAIL +chain'
changed 'an added run is' '.runs += [.runs[-1] | .run = "r99999"] | .chain.links += [.chain.links[-1]]' '^FAIL +chain'
changed 'a key it does not know is refused' '.more = 1' 'unknown key'
says 'something else is refused by its place' 1 'task.json: \$' "$paddock" verify tests/integration/tasks/toy/task.json
jq -c '.runs[0].run = "../../etc"' "$score" >"$place/changed.json"
says 'a name out of a document opens no other folder' 1 'must be a name such as r12' \
    "$paddock" verify --state "$PADDOCK_STATE" "$place/changed.json"

# ---- page and picture ----

says 'the page opens with the outcome' 0 "^$version of toy-cli:1 in $m: scored" "$paddock" show --verdict "$version"
says '… has the interval' 0 'FSR +[0-9.]+, 95 % interval' "$paddock" show --verdict "$version"
says '… every run' 0 '^ +1  record 1 +r[0-9]+ .*counts' "$paddock" show --verdict "$version"
says '… and how to do it again' 0 "paddock score .*$version" "$paddock" show --verdict "$version"
"$paddock" show --verdict "$version" --svg -o "$place/runs.svg"
is 'the picture is the daemon'"'"'s' "$(get "/v1/measurements/$m/scores/$version/runs.svg" | sha256sum)" "$(sha256sum <"$place/runs.svg")"
says 'it is an SVG with a text for who cannot see it' 0 '<desc id="d">Times of the runs' cat "$place/runs.svg"
if python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' "$place/runs.svg" 2>/dev/null; then ok 'it is well-formed'; else not_ok 'it is well-formed'; fi
is 'its type' image/svg+xml "$(curl -s -o /dev/null -w '%{content_type}' --unix-socket "$PADDOCK_SOCKET" "http://d/v1/measurements/$m/scores/$version/runs.svg")"
says 'a version without a score says so' 1 'v1 has no score' "$paddock" show --verdict v1
says 'a measurement without it too' 1 'has no score of v1' "$paddock" show --verdict v1 --measurement "$m"
says 'options of the verdict need it' 1 'needs --verdict' "$paddock" show "$version" --svg

# ---- one that has no figure ----

"$paddock" run toy-cli:1 --agent "replay:$PWD/tests/replays/toy" --no-score --json >"$place/replay.json" 2>>"$place/log"
crash=$(jq -r '[.experiments[0].versions[] | select(.outcome == "crash")][0].id' "$place/replay.json")
"$paddock" score "$crash" --quiet >/dev/null
says 'a candidate that crashes has a verdict too' 0 "^$crash of toy-cli:1 in m[0-9]+: crash" "$paddock" show --verdict "$crash"
"$paddock" show --verdict "$crash" --json >"$place/crash.json"
says '… that verifies' 0 'outcome +crash' "$paddock" verify "$place/crash.json" --state "$PADDOCK_STATE" --daemon
says '… with a picture' 0 'crash' "$paddock" show --verdict "$crash" --svg

# ---- kept, whatever comes ----

before=$(sha256sum <"$kept")
stop
"$paddock" ls >/dev/null
is 'it survives a restart' "$before" "$("$paddock" show --verdict "$version" --json | sha256sum)"
rm "$kept"
is 'one that is gone is made again, the same' "$before" "$("$paddock" show --verdict "$version" --json | sha256sum)"

# ---- what is changed behind its back ----

id=$(jq -r '[.runs[] | select(.counts)][0].run' "$score")
cp "$PADDOCK_STATE/runs/$id/stdout" "$place/stdout"
echo more >>"$PADDOCK_STATE/runs/$id/stdout"
says 'a file of a run that was changed later is found out' 1 "^FAIL +files +$id: stdout has another digest now" \
    "$paddock" verify "$score" --state "$PADDOCK_STATE"
cp "$place/stdout" "$PADDOCK_STATE/runs/$id/stdout"
rm "$kept"
sed -i 's/"wall_ns": *[0-9]*/"wall_ns": 1000/' "$PADDOCK_STATE/runs/$id/result.json"
says 'no document is made of a result that was changed' 1 "$id: result.json is not what it was" "$paddock" show --verdict "$version"
exit $bad
