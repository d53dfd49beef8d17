#!/usr/bin/env bash
# paddockd over its socket: the API's manners, a small race from experiment to
# score, and what kill -9 at the worst moment leaves. $PADDOCK_BIN: the programs.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
: "${PADDOCK_BIN:=$PWD/build/bin}"
export PADDOCK_BIN PADDOCK_TASKS=$PWD/tests/integration/tasks

dir=$(mktemp -d /tmp/paddock-daemon.XXXXXX)
state=$dir/state sock=$dir/run/sock
daemon=
cleanup() {
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
skip() { printf 'ok - %s # SKIP %s\n' "$1" "$2"; }
# is NAME WANTED GOT
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "wanted: $2" "got: $3"; fi; }
# has NAME PATTERN TEXT
has() { if grep -qE -- "$2" <<<"$3"; then ok "$1"; else not_ok "$1" "no $2 in: $3"; fi; }

for tool in curl jq; do
    if ! command -v "$tool" >/dev/null; then
        skip "the daemon" "$tool is not installed"
        exit 0
    fi
done

# start [OPTION...]: a daemon on $state, ready to answer.
start() {
    "$PADDOCK_BIN/paddockd" --state "$state" --socket "$sock" --stay-root "$@" 2>>"$dir/log" &
    daemon=$!
    for _ in $(seq 200); do
        [ -S "$sock" ] && curl -sf --unix-socket "$sock" http://d/v1/health >/dev/null && return 0
        sleep 0.05
    done
    return 1
}
get() { curl -s --max-time 60 --unix-socket "$sock" "http://d$1"; }
post() { curl -s --max-time 60 --unix-socket "$sock" -H 'Content-Type: application/json' -d "$2" "http://d$1"; }
status() { curl -s -o /dev/null -w '%{http_code}' --max-time 60 --unix-socket "$sock" "$@"; }
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
over() { until_is "${2:-60}" "/v1/versions/$1" 'if .state == "done" or .state == "cancelled" then "over" else .state end' over; }

# "GET /v1/…" of each route in api.md's table, with names for what is in braces.
documented() {
    grep -oE '^\| `(GET|POST) /v1/.*` \|' docs/reference/api.md | cut -d'|' -f2 | grep -oE '(GET|POST) [^`?]+|`/v1[^`?]+' |
        awk '/^`/ { print method, substr($0, 2); next } { method = $1; print }' |
        sed -E 's#\{experiments,versions,runs,measurements\}#runs#; s#\{step\}#1#; s#\{level\}#0#; s#\{[a-z]+\}#x#g'
}

# ---- manners ----

if start; then ok "the daemon starts and answers"; else
    not_ok "the daemon starts and answers" "$(tail -5 "$dir/log")"
    exit 1
fi
is "health" "ok $daemon $state" "$(get /v1/health | jq -r '"\(.status) \(.pid) \(.state)"')"
is "the socket is its user's alone" "600 700" "$(stat -c %a "$sock" "$dir/run" | tr '\n' ' ' | sed 's/ $//')"
has "a second daemon on the same state is refused, with the pid of the first" "pid $daemon " \
    "$("$PADDOCK_BIN/paddockd" --state "$state" --socket "$dir/run/other" --stay-root 2>&1)"
is "the tasks of the catalogue" "toy 1" "$(get /v1/tasks | jq -r '.tasks[] | select(.name == "toy") | "\(.name) \(.steps)"')"
is "a task" "20000 true 11" "$(get /v1/tasks/toy | jq -r '"\(.phases.train.limits.cpu_ms) \(.statement | length > 20) \(.measure.bounds | length)"')"
has "hint 0 is the diff" '^\+sleep' "$(get /v1/tasks/toy/hints/1/0 | jq -r .text)"
has "hint 2 is a text" 'Wait less' "$(get /v1/tasks/toy/hints/1/2 | jq -r .text)"
has "the documented routes are all there" '^GET|POST' "$(documented)"
while read -r method path; do
    # The router's own 404 speaks of routes, a handler's of things.
    if curl -s --max-time 60 --unix-socket "$sock" -X "$method" "http://d$path" | grep -qE 'no such route|this route takes'; then
        not_ok "documented: $method $path"
    else
        ok "documented: $method $path"
    fi
done < <(documented | grep -v shutdown)
has "the machine's report" '^(root|subid|plain|none)$' "$(get /v1/machine | jq -r .privilege)"

problem() { # NAME STATUS PATTERN CURL-ARGS...
    local name=$1 wanted=$2 pattern=$3 reply
    shift 3
    reply=$(curl -s -i -H Expect: --max-time 60 --unix-socket "$sock" "$@" | tr -d '\r')
    if grep -q "^HTTP/1.1 $wanted " <<<"$reply" && grep -qi '^content-type: application/problem+json' <<<"$reply" &&
        sed '1,/^$/d' <<<"$reply" | jq -re '.detail' 2>/dev/null | grep -qE -- "$pattern"; then
        ok "$name"
    else
        not_ok "$name" "wanted $wanted, $pattern" "$reply"
    fi
}
json=(-H 'Content-Type: application/json')
e=http://d/v1/experiments
problem "not JSON" 400 'request body: ' "${json[@]}" -d '{"task": ' $e
problem "JSON that is no object" 400 'request body: \$: must be an object' "${json[@]}" -d '[1]' $e
problem "an empty body" 400 'request body: empty' "${json[@]}" -X POST $e
problem "an unknown key, by name" 400 'request body: \$.*taks' "${json[@]}" -d '{"task": "toy", "agent": "a", "taks": 1}' $e
problem "a missing key, by name" 400 'agent' "${json[@]}" -d '{"task": "toy"}' $e
problem "a wrong type, by path" 400 '\$\.agent: ' "${json[@]}" -d '{"task": "toy", "agent": 5}' $e
problem "a key given twice" 400 'agent' "${json[@]}" -d '{"task": "toy", "agent": "a", "agent": "b"}' $e
problem "a body that is not called JSON" 415 'Content-Type' -H 'Content-Type: text/plain' -d '{}' $e
problem "a task that is not there" 404 'no-such-task' "${json[@]}" -d '{"task": "no-such-task", "agent": "a"}' $e
problem "a step that is not there" 404 'step 7' "${json[@]}" -d '{"task": "toy:7", "agent": "a"}' $e
problem "an unknown route" 404 '/v1/nothing' http://d/v1/nothing
problem "an unknown id" 404 'v99' http://d/v1/versions/v99
problem "a malformed id" 404 'no version' 'http://d/v1/versions/99'
problem "another kind's id" 404 'no run' http://d/v1/runs/v1
problem "a wrong method" 405 'takes GET' -X DELETE http://d/v1/tasks
has "… with Allow" '^Allow: GET, HEAD' "$(curl -si --unix-socket "$sock" -X DELETE http://d/v1/tasks)"
problem "an unknown query argument" 400 'offsett' 'http://d/v1/events?offsett=1'
problem "a query argument out of range" 400 'limit' 'http://d/v1/events?limit=0'
problem "a malformed URL" 400 'hex' 'http://d/v1/tasks/%zz'
head -c 9000000 /dev/zero | tr '\0' ' ' >"$dir/big"
problem "a body above the cap" 413 'request body' "${json[@]}" --data-binary @"$dir/big" $e
problem "no body is wanted" 400 'takes none' "${json[@]}" -X GET -d '{}' http://d/v1/health
has "nothing is cached" '^Cache-Control: no-store' "$(curl -si --unix-socket "$sock" http://d/v1/health)"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    chmod 755 "$dir" "$dir/run"
    chmod 666 "$sock"
    is "another user is not served, even when the socket is open" 403 \
        "$(setpriv --reuid 65534 --clear-groups curl -s -o /dev/null -w '%{http_code}' --unix-socket "$sock" http://d/v1/health)"
    chmod 700 "$dir" "$dir/run"
    chmod 600 "$sock"
else
    skip "another user is not served" "needs root and setpriv"
fi

# ---- a race ----

root=$(post /v1/experiments '{"task": "toy:1", "agent": "test", "label": "race"}')
is "an experiment begins with record i" "e1 v1 record 1" "$(jq -r '"\(.id) \(.versions[0].id) \(.versions[0].hypothesis)"' <<<"$root")"
v=http://d/v1/experiments/e1/versions
edit() { printf '{"parent": "v1", "hypothesis": "x", "edits": [%s]}' "$1"; }
for path in ../x.sh /etc/x.sh a/../../x.sh ./x.sh '' 'a//b.sh'; do
    problem "an edit of '$path' is refused" 400 'edits\[0\]' "${json[@]}" -d "$(edit "{\"op\": \"write\", \"path\": \"$path\", \"content\": \"\"}")" $v
done
has "a path the task does not offer is refused" '^(400|403)$' \
    "$(status "${json[@]}" -d "$(edit '{"op": "write", "path": "x.py", "content": ""}')" $v)"
problem "a search text that is not there" 400 'edits\[0\].*train\.sh' "${json[@]}" -d "$(edit '{"op": "replace", "path": "train.sh", "search": "nowhere", "replace": ""}')" $v
problem "a parent that is not there" 400 'parent' "${json[@]}" -d '{"parent": "v9", "hypothesis": "x", "edits": []}' $v
is "none of these made a version" 1 "$(get /v1/experiments/e1 | jq '.versions | length')"

is "record i is known: nothing of it is run" "done record 0 true" \
    "$(jq -r '.versions[0] | "\(.state) \(.outcome)"' <<<"$root") $(get /v1/versions/v1 | jq -r '"\(.runs | length) \(.finished != null)"')"
is "… and it cannot be cancelled" 409 "$(status "${json[@]}" -d '{}' http://d/v1/versions/v1/cancel)"

is "versions come next" v2 "$(post /v1/experiments/e1/versions '{"parent": "v1", "hypothesis": "record 2", "base": "next-record", "edits": []}' | jq -r .id)"
is "record 2 gets through" over "$(over v2)"
is "… and is valid" "valid 1" "$(get /v1/versions/v2 | jq -r '"\(.outcome) \(.metric)"')"
if [ $failures -gt 0 ]; then # nothing of what follows can work
    get /v1/versions/v2 | jq . | sed 's/^/# /'
    exit 1
fi
is "its phases, each a run" "data build train examine" "$(get /v1/versions/v2 | jq -r '[.runs[].phase] | join(" ")')"
train=$(get /v1/versions/v2 | jq -r '.runs[] | select(.phase == "train") | .id')
is "the run's result is the launcher's" "exit 0" "$(get "/v1/runs/$train" | jq -r '.result | "\(.ended) \(.exit_code)"')"
is "the program saw the run's seed" "seed $(get "/v1/runs/$train" | jq -r .seed)" "$(get "/v1/runs/$train/output?stream=stdout")"
data=$(get /v1/versions/v2 | jq -r '.runs[] | select(.phase == "data") | .id')
is "the text that holds what is held out is not shown" 403 "$(status "http://d/v1/runs/$data/output")"
is "… nor kept" 0 "$(find "$state/runs/$data" -name stdout | wc -l)"
is "what is held out is ours alone" 600 "$(stat -c %a "$state"/data/*/held-out.bin)"

is "… one that does not build" v3 "$(post /v1/experiments/e1/versions "$(edit '{"op": "write", "path": "build.sh", "content": "echo no such luck >&2; exit 3"}')" | jq -r .id)"
is "… one that crashes" v4 "$(post /v1/experiments/e1/versions "$(edit '{"op": "write", "path": "train.sh", "content": "echo lost >&2; exit 4"}')" | jq -r .id)"
# shellcheck disable=SC2016 # for the shell inside
is "… one that miscounts" v5 "$(post /v1/experiments/e1/versions "$(edit '{"op": "write", "path": "train.sh", "content": "echo 7 >$PADDOCK_OUT/lines"}')" | jq -r .id)"
is "… one that writes nothing" v6 "$(post /v1/experiments/e1/versions "$(edit '{"op": "write", "path": "train.sh", "content": "true"}')" | jq -r .id)"
is "… one that sleeps" v7 "$(post /v1/experiments/e1/versions "$(edit '{"op": "write", "path": "train.sh", "content": "sleep 60"}')" | jq -r .id)"
outcome() { over "$1" 90 >/dev/null && get "/v1/versions/$1" | jq -r '"\(.outcome) \(.reason // "")"'; }
has "a version that does not build" '^build-failed .*no such luck' "$(outcome v3)"
has "one that crashes" '^crash .*lost' "$(outcome v4)"
has "one that misses the target" '^invalid-loss .*99' "$(outcome v5)"
has "one that leaves nothing" '^invalid-artifact' "$(outcome v6)"
has "one that never ends" '^timeout' "$(outcome v7)"

is "the files of a version" "build.sh train.sh" "$(get /v1/versions/v2/files | jq -r '[.files[].path] | join(" ")')"
is "one of them" "$(cat tests/integration/tasks/toy/records/2/train.sh)" "$(get '/v1/versions/v2/file?path=train.sh')"
has "none from elsewhere" '^(400|404)$' "$(status 'http://d/v1/versions/v2/file?path=..%2F..%2Fpaddock.db')"
has "the diff to the parent" '^-sleep' "$(get /v1/versions/v2/diff)"
is "the diff against itself is empty" "" "$(get '/v1/versions/v2/diff?against=v2')"
get /v1/versions/v2/snapshot >"$dir/v2.tar.zst"
is "the snapshot is what its digest says" "$(get /v1/versions/v2 | jq -r .snapshot)" "$(sha256sum <"$dir/v2.tar.zst" | cut -d' ' -f1)"

# ---- a measurement, with kill -9 in a timed run ----

is "a measurement of others' versions is refused" 400 "$(status "${json[@]}" -d '{"versions": ["v2", "v2"]}' http://d/v1/measurements)"
is "a measurement is made" "m1 4" "$(post /v1/measurements '{"versions": ["v2", "v5"], "blocks_min": 3, "blocks_max": 4}' | jq -r '"\(.id) \(.arms | length)"')"
until_is 30 '/v1/runs?limit=1' '.runs[0] | "\(.phase) \(.state)"' "train running" >/dev/null
problem "a run of a measurement cannot be thrown away" 403 'as a whole' "${json[@]}" -d '{}' \
    "http://d/v1/runs/$(get '/v1/runs?limit=1' | jq -r '.runs[0].id')/cancel"
for round in 1 2 3; do
    until_is 30 '/v1/runs?limit=1' '.runs[0] | "\(.phase) \(.state)"' "train running" >/dev/null
    { kill -9 "$daemon" && wait "$daemon"; } 2>/dev/null
    start || not_ok "the daemon starts after kill -9 ($round)" "$(tail -5 "$dir/log")"
done
is "the measurement ends after three times kill -9" "done" "$(until_is 120 /v1/measurements/m1 .state "done")"
m=$(get /v1/measurements/m1)
is "every slot has been run once" "true" "$(jq '[.slots[] | select(.state == "done") | .run] | length == (unique | length)' <<<"$m")"
lost=
while read -r run reason; do
    # Void is only what was never begun: killed between its row and its launcher.
    [ ! -e "$state/runs/$run/launcher.json" ] || lost="$lost $run: $reason;"
done < <(get "/v1/runs?limit=1000" | jq -r '.runs[] | select(.measurement == "m1" and .state != "done") | "\(.id) \(.reason)"')
is "no run that was begun is lost or void" "" "$lost"
is "as many timed runs as slots" "true" \
    "$(jq --argjson runs "$(get '/v1/runs?limit=1000' | jq '[.runs[] | select(.measurement == "m1" and .phase == "train" and .state == "done")] | length')" '[.slots[] | select(.run != null)] | length == $runs' <<<"$m")"
is "record 2 scores about 1" "true" "$(jq '.scores[] | select(.version == "v2") | .low <= 1.0 and .high >= 0.9' <<<"$m")"
is "who misses the target has no score but a reason" "invalid-loss" "$(jq -r '.scores[] | select(.version == "v5") | .outcome' <<<"$m")"
is "the score is with the version" "m1" "$(get /v1/versions/v2 | jq -r '.scores[0].measurement')"
is "its seeds are told afterwards, all different" "true" "$(jq '[.slots[] | .seed] | (map(. != null) | all) and length == (unique | length)' <<<"$m")"

# ---- the worst moments of one version ----

slow() { post /v1/experiments/e1/versions "$(edit "{\"op\": \"write\", \"path\": \"train.sh\", \"content\": \"sleep $1; wc -l <\$PADDOCK_DATA/numbers.txt >\$PADDOCK_OUT/lines\"}")" | jq -r .id; }
timed_run() { until_is 30 "/v1/versions/$1" '[.runs[] | select(.phase == "train" and .state == "running" )] | length' 1; }
train_of() { get "/v1/versions/$1" | jq -r '[.runs[] | select(.phase == "train") | "\(.id) \(.state)"] | join(", ")'; }

await_launcher() {
    for _ in $(seq 200); do
        [ -s "$state/runs/$1/launcher.json" ] && return
        sleep 0.05
    done
}

id=$(slow 2)
timed_run "$id" >/dev/null
before=$(get "/v1/versions/$id" | jq -r '.runs[] | select(.phase == "train") | .id')
{ kill -9 "$daemon" && wait "$daemon"; } 2>/dev/null
start
over "$id" >/dev/null
is "a run that was on when the daemon was killed is the run that counts" "$before done" "$(train_of "$id")"
is "… and the version is valid" valid "$(get "/v1/versions/$id" | jq -r .outcome)"

id=$(slow 2.1)
timed_run "$id" >/dev/null
{ kill -9 "$daemon" && wait "$daemon"; } 2>/dev/null
sleep 3.5
start
over "$id" >/dev/null
is "a run that ended while no daemon was there counts" "1 valid" "$(get "/v1/versions/$id" | jq -r '"\([.runs[] | select(.phase == "train")] | length) \(.outcome)"')"

id=$(slow 2.2)
timed_run "$id" >/dev/null
run=$(get "/v1/versions/$id" | jq -r '.runs[] | select(.phase == "train") | .id')
await_launcher "$run"
kill -9 "$(jq .pid "$state/runs/$run/launcher.json")"
over "$id" >/dev/null
has "a run whose launcher was killed is void and made anew" "^$run void, r[0-9]+ done$" "$(train_of "$id")"

id=$(slow 2.3)
timed_run "$id" >/dev/null
run=$(get "/v1/versions/$id" | jq -r '.runs[] | select(.phase == "train") | .id')
await_launcher "$run"
kill "$daemon"
wait "$daemon"
is "SIGTERM ends the daemon with status 0" 0 $?
has "… and leaves the launcher running" paddock-sandbox "$(tr '\0' ' ' <"/proc/$(jq .pid "$state/runs/$run/launcher.json")/cmdline")"
start
over "$id" >/dev/null
is "… whose run counts" "$run done" "$(train_of "$id")"

id=$(slow 50)
timed_run "$id" >/dev/null
run=$(get "/v1/versions/$id" | jq -r '.runs[] | select(.phase == "train") | .id')
await_launcher "$run"
pid=$(jq .pid "$state/runs/$run/launcher.json")
is "a version can be cancelled" cancelled "$(post "/v1/versions/$id/cancel" '{}' | jq -r .state)"
is "… once" 409 "$(status "${json[@]}" -d '{}' "http://d/v1/versions/$id/cancel")"
until_is 30 "/v1/runs/$run" .state void >/dev/null
is "its run is void" void "$(get "/v1/runs/$run" | jq -r .state)"
if kill -0 "$pid" 2>/dev/null; then not_ok "its launcher is gone"; else ok "its launcher is gone"; fi

id=$(slow 50)
timed_run "$id" >/dev/null
run=$(get "/v1/versions/$id" | jq -r '.runs[] | select(.phase == "train") | .id')
await_launcher "$run"
pid=$(jq .pid "$state/runs/$run/launcher.json")
is "the seed of a run is not told before its end" null "$(get "/v1/runs/$run" | jq -r .seed)"
kill -STOP "$pid" # it will not hear the daemon in time
post "/v1/versions/$id/cancel" '{}' >/dev/null
{ kill -9 "$daemon" && wait "$daemon"; } 2>/dev/null
kill -CONT "$pid"
start
until_is 40 "/v1/runs/$run" .state void >/dev/null
is "a daemon killed while it cancelled ends the run when it is back" void "$(get "/v1/runs/$run" | jq -r .state)"
if grep -qs '^State:.[^Z]' "/proc/$pid/status"; then not_ok "… its launcher too"; else ok "… its launcher too"; fi

slow 3 >/dev/null # the lane is busy
snapshot=$(post /v1/experiments/e1/versions "$(edit '{"op": "write", "path": "lost.sh", "content": "true"}')" >"$dir/lost" && jq -r .snapshot "$dir/lost")
rm -f "$state/snapshots/$snapshot.tar.zst"
has "what cannot be run here ends, and says why" '^invalid-environment .*snapshot' "$(outcome "$(jq -r .id "$dir/lost")")"

# ---- tasks this machine cannot run ----

mkdir "$dir/tasks"
cp -r tests/integration/tasks/toy "$dir/tasks/needy"
jq '.name = "needy" | .data.command[0] = "no-such-program" | .data.sha256 |= sub("^f6"; "f7") | .data.package = "no-such-package"' \
    tests/integration/tasks/toy/task.json >"$dir/tasks/needy/task.json"
problem "a task whose text cannot be made here is refused, with the package that helps" 501 'apt-get install no-such-package' \
    "${json[@]}" -d "{\"task\": \"$dir/tasks/needy\", \"agent\": \"a\"}" $e
jq '.name = "needy" | .image = "no-such-image"' tests/integration/tasks/toy/task.json >"$dir/tasks/needy/task.json"
problem "a task whose image is not here is refused, by name" 404 'no-such-image' \
    "${json[@]}" -d "{\"task\": \"$dir/tasks/needy\", \"agent\": \"a\"}" $e

# ---- the rest ----

is "an experiment can be finished" "done" "$(post /v1/experiments/e1/finish '{"status": "done"}' | jq -r .state)"
is "… once" 409 "$(status "${json[@]}" -d '{"status": "failed"}' http://d/v1/experiments/e1/finish)"
is "a finished one takes no versions" 409 "$(status "${json[@]}" -d "$(edit '{"op": "delete", "path": "build.sh"}')" $v)"
is "events are numbered without a gap" true "$(get '/v1/events?limit=1000' | jq '[.events[].seq] as $s | $s == [range(1; ($s | length) + 1)]')"
has "gc counts what it removes" '^[0-9]+ [0-9]+$' "$(post /v1/gc '{"age_s": 0}' | jq -r '"\(.removed.runs) \(.bytes)"')"
is "… and leaves what versions refer to" 200 "$(status http://d/v1/versions/v2/snapshot)"
curl -s --max-time 60 --unix-socket "$sock" "http://d/v1/events?after=100000&wait_ms=30000" >"$dir/poll" &
poll=$!
sleep 0.3
is "shutdown" 202 "$(status "${json[@]}" -d '{"now": true}' http://d/v1/shutdown)"
wait "$daemon"
is "… ends the daemon with status 0" 0 $?
wait "$poll"
is "… and answers who waits" '[]' "$(jq -c .events "$dir/poll")"

mkdir "$dir/no-policies"
PADDOCK_POLICIES=$dir/no-policies start
id=$(post /v1/experiments '{"task": "toy", "agent": "a"}' | jq -r '"\(.id) \(.versions[0].id)"')
id=$(post "/v1/experiments/${id% *}/versions" "{\"parent\": \"${id#* }\", \"hypothesis\": \"x\"}" | jq -r .id)
has "a failure that stays is not tried for ever" '^invalid-environment .*no-policies' "$(outcome "$id")"
kill "$daemon"
wait "$daemon"

start --idle-exit 1
wait "$daemon"
is "an idle private daemon leaves by itself" 0 $?

if [ "$(id -u)" = 0 ] && ! id paddock >/dev/null 2>&1; then
    has "started as root without an account it says what to do" 'adduser --system.*--stay-root' \
        "$("$PADDOCK_BIN/paddockd" --state "$dir/x" --socket "$dir/y/s" 2>&1)"
else
    skip "started as root without an account it says what to do" "not root, or the account exists"
fi

if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
    state=$dir/small
    mkdir "$state"
    # shellcheck disable=SC2016
    unshare -m sh -c 'mount -t tmpfs -o size=40m none "$1" && shift && exec "$@"' sh "$state" \
        "$PADDOCK_BIN/paddockd" --state "$state" --socket "$sock" --stay-root 2>>"$dir/log" &
    daemon=$!
    for _ in $(seq 100); do get /v1/health >/dev/null && break; sleep 0.05; done
    inside=/proc/$daemon/root$state
    dd if=/dev/zero of="$inside/filler" bs=64k 2>/dev/null
    dd if=/dev/zero of="$inside/filler2" bs=1 count=5000 2>/dev/null
    is "a full disk is told as such" 507 "$(status "${json[@]}" -d '{"task": "toy", "agent": "a"}' $e)"
    rm -f "$inside/filler" "$inside/filler2"
    is "… and harms nothing" "e1 v1" "$(post /v1/experiments '{"task": "toy", "agent": "a"}' | jq -r '"\(.id) \(.versions[0].id)"')"
    post /v1/experiments/e1/versions '{"parent": "v1", "hypothesis": "x"}' >/dev/null
    has "… runs begin again" '^over$' "$(over v2)"
    kill "$daemon"
    wait "$daemon"
else
    skip "a full disk" "needs root and a mount namespace"
fi
daemon=
[ $failures -eq 0 ]
