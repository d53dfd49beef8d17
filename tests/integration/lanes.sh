#!/usr/bin/env bash
# Lanes of a daemon: found, described in a file, and working side by side.
# shellcheck disable=SC2317
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
: "${PADDOCK_BIN:=$PWD/build/bin}"
export PADDOCK_BIN PADDOCK_TASKS=$PWD/tests/integration/tasks

dir=$(mktemp -d /tmp/paddock-lanes.XXXXXX)
state=$dir/state sock=$dir/run/sock
export PADDOCK_LIVE=$dir/live
mkdir -m 700 "$PADDOCK_LIVE"
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
    if ! command -v "$tool" >/dev/null; then
        skip "lanes" "$tool is not installed"
        exit 0
    fi
done

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
# The train run's spec and result of version $1.
train_file() { printf '%s/runs/%s/%s' "$state" "$(get "/v1/versions/$1" | jq -r '[.runs[] | select(.phase == "train")] | last.id')" "$2"; }

if start; then ok "a daemon finds its lanes"; else not_ok "a daemon finds its lanes" "$(tail -5 "$dir/log")"; fi
has "they are shown" '^timed-1 timed' "$(PADDOCK_SOCKET=$sock "$PADDOCK_BIN/paddock" lane list --json | jq -r '.lanes[0] | "\(.name) \(.role)"')"
has "… and as a table" 'timed-1 +timed' "$(PADDOCK_SOCKET=$sock "$PADDOCK_BIN/paddock" lane list)"
has "… with how others are kept off" '^(true|false) .' "$(get /v1/lanes | jq -r '.others.freeze | "\(.can) \(.detail)"')"
stop
if [ "$(nproc)" -lt 2 ]; then
    skip "two lanes" "one cpu only"
    exit $((failures > 0))
fi

printf '{"lanes": [{"name": "a", "cpus": "0-1"}, {"name": "b", "cpus": "1"}]}' >"$state/lanes.json"
has "lanes that overlap are refused, by name" 'lanes.json: \$\.lanes\[1\]\.cpus: lane a has some' \
    "$("$PADDOCK_BIN/paddockd" --state "$state" --socket "$sock" --stay-root 2>&1)"
rm "$state/lanes.json"

# Two timed lanes of one cpu each: two versions are trained side by side.
printf '{"lanes": [{"name": "a", "cpus": "0"}, {"name": "b", "cpus": "1", "gpus": ["0"]}]}' >"$dir/lanes.json"
start --lanes "$dir/lanes.json" || not_ok "a daemon with two lanes starts" "$(tail -5 "$dir/log")"
e=$(post /v1/experiments '{"task": "toy", "agent": "test"}' | jq -r .id)
slow() {
    post "/v1/experiments/$e/versions" "{\"parent\": \"v1\", \"hypothesis\": \"h\", \"edits\": [{\"op\": \"write\", \"path\": \"train.sh\", \"content\": \"sleep $1; wc -l <\$PADDOCK_DATA/numbers.txt >\$PADDOCK_OUT/lines\"}]}" | jq -r .id
}
first=$(slow 3.1)
second=$(slow 3.2)
is "two lanes work at the same time" "2" "$(until_is /v1/lanes '[.lanes[] | select(.job)] | length' 2)"
until_is "/v1/versions/$first" .state "done" >/dev/null
until_is "/v1/versions/$second" .state "done" >/dev/null
is "both versions get through" "valid valid" "$(get "/v1/versions/$first" | jq -r .outcome) $(get "/v1/versions/$second" | jq -r .outcome)"
specs=$(jq -r '"\(.lane) \(.cpus)"' "$(train_file "$first" spec.json)" "$(train_file "$second" spec.json)" | sort | tr '\n' ';')
is "each timed run asked for its lane" "timed 0;timed 1;" "$specs"
overlap=$(jq -s '[.[] | {a: .t_clock_start, b: .t_clock_stop}] | (.[0].a < .[1].b) and (.[1].a < .[0].b)' \
    "$(train_file "$first" result.json)" "$(train_file "$second" result.json)")
is "their clocks ran side by side" true "$overlap"
others=$(jq -s '[.[] | select(.lane == "timed")] | length' "$state"/runs/*/spec.json)
is "nothing else was timed" 2 "$others"

# A daemon that is killed finds both again.
third=$(slow 3.3)
fourth=$(slow 3.4)
until_is /v1/lanes '[.lanes[] | select(.job)] | length' 2 >/dev/null
until_is "/v1/versions/$fourth" .state training >/dev/null
stop -KILL
start --lanes "$dir/lanes.json"
until_is "/v1/versions/$third" .state "done" >/dev/null
until_is "/v1/versions/$fourth" .state "done" >/dev/null
is "both go on after a kill of the daemon" "valid valid" "$(get "/v1/versions/$third" | jq -r .outcome) $(get "/v1/versions/$fourth" | jq -r .outcome)"
is "… with the runs they had" "1 1" "$(for v in $third $fourth; do get "/v1/versions/$v" | jq '[.runs[] | select(.phase == "train")] | length'; done | tr '\n' ' ' | sed 's/ $//')"
stop

# With a helper lane everything else goes there, and so does the daemon.
printf '{"lanes": [{"name": "t", "cpus": "1"}, {"name": "h", "cpus": "0", "role": "helper"}]}' >"$dir/lanes.json"
start --lanes "$dir/lanes.json"
fifth=$(slow 0.35)
until_is "/v1/versions/$fifth" .state "done" >/dev/null
is "a version gets through with a helper lane" valid "$(get "/v1/versions/$fifth" | jq -r .outcome)"
is "its phases lie where they belong" "build null 0;examine null 0;train timed 1;" \
    "$(get "/v1/versions/$fifth" | jq -r '.runs[] | "\(.phase) \(.id)"' | while read -r phase id; do
        jq -r --arg phase "$phase" '"\($phase) \(.lane) \(.cpus)"' "$state/runs/$id/spec.json"
    done | sort | tr '\n' ';')"
if [ "$(get /v1/lanes | jq -r .others.move.can)" = true ]; then
    is "the daemon keeps to it" 0 "$(awk '/^Cpus_allowed_list/ {print $2}' "/proc/$daemon/status")"
else
    skip "the daemon keeps to it" "no cpusets here"
fi
exit $((failures > 0))
