#!/usr/bin/env bash
# The ledger: calls, keys, notes and abandoned versions over the API, what a bad body
# changes (nothing), what kill -9 loses (nothing), and how the client shows it.
# $PADDOCK_BIN: the programs.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
: "${PADDOCK_BIN:=$PWD/build/bin}"
export PADDOCK_BIN PADDOCK_TASKS=$PWD/tests/integration/tasks NO_COLOR=1

dir=$(mktemp -d /tmp/paddock-ledger.XXXXXX)
export PADDOCK_STATE=$dir/state PADDOCK_SOCKET=$dir/run/sock
paddock=$PADDOCK_BIN/paddock-cli
daemon=
# shellcheck disable=SC2317 # the trap reaches it
cleanup() {
    [ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null
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
# is NAME WANTED GOT
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "wanted: $2" "got: $3"; fi; }
# has NAME PATTERN TEXT
has() { if grep -qE -- "$2" <<<"$3"; then ok "$1"; else not_ok "$1" "no $2 in: $3"; fi; }

for tool in curl jq; do
    if ! command -v "$tool" >/dev/null; then
        printf 'ok - the ledger # SKIP %s is not installed\n' "$tool"
        exit 0
    fi
done

start() {
    "$PADDOCK_BIN/paddockd" --state "$PADDOCK_STATE" --socket "$PADDOCK_SOCKET" --stay-root 2>>"$dir/log" &
    daemon=$!
    for _ in $(seq 200); do
        curl -sf --unix-socket "$PADDOCK_SOCKET" http://d/v1/health >/dev/null 2>&1 && return 0
        sleep 0.05
    done
    return 1
}
call() { curl -s --max-time 60 --unix-socket "$PADDOCK_SOCKET" "$@"; }
get() { call "http://d$1"; }
# post PATH BODY; the answer, then its status on a line of its own.
post() { call -w '\n%{http_code}\n' -H Expect: -H 'Content-Type: application/json' --data-binary "$2" "http://d$1"; }
status_of() { tail -n 1 <<<"$1"; }
body_of() { sed '$d' <<<"$1"; }
# refused NAME STATUS PATTERN PATH BODY
refused() {
    local got
    got=$(post "$4" "$5")
    if [ "$(status_of "$got")" = "$2" ] && body_of "$got" | jq -re .detail | grep -qE -- "$3"; then
        ok "$1"
    else
        not_ok "$1" "wanted $2, $3" "$got"
    fi
}
# a_call KEY [JQ-OVERRIDES]: the body of a call.
a_call() {
    jq -nc --arg key "$1" --arg sha "$(printf %s "${3-$1}" | sha256sum | cut -c1-64)" \
        '{key: $key, role: "coder", model: "m", echoed: "m-2026", request_sha256: $sha,
          request: {messages: [{role: "user", text: "hi"}]}, reply: "yes", reasoning: "hm", stop: "end",
          input_tokens: 100, cached_tokens: 40, output_tokens: 20, reasoning_tokens: 5, cost: 0.25,
          latency_ms: 1500, retries: 1, began: "2026-01-02T03:04:05Z"} | '"${2-.}"
}

start || { not_ok "the daemon starts" "$(tail -5 "$dir/log")"; exit 1; }

# ---- experiments said twice ----

config='{"model": "m", "seed": 1, "hints": [1, 2]}'
first=$(post /v1/experiments "{\"task\": \"toy:1\", \"agent\": \"model\", \"key\": \"s/toy\", \"sweep\": \"s\", \"config\": $config}")
is "an experiment with key, sweep and config" "201 s/toy s 1" \
    "$(status_of "$first") $(body_of "$first" | jq -r '"\(.key) \(.sweep) \(.config.seed)"')"
is "nothing is spent" "0 0 0" "$(body_of "$first" | jq -r '.spent | "\(.calls) \(.input_tokens) \(.cost)"')"
e=$(body_of "$first" | jq -r .id)
root=$(get "/v1/experiments/$e" | jq -r '.versions[0].id')
again=$(post /v1/experiments "{\"task\": \"toy:1\", \"agent\": \"model\", \"key\": \"s/toy\", \"sweep\": \"s\", \"config\": $config}")
is "said again it is the same" "200 $e" "$(status_of "$again") $(body_of "$again" | jq -r .id)"
refused "the key with another config" 409 "key s/toy: is that of $e" /v1/experiments \
    '{"task": "toy:1", "agent": "model", "key": "s/toy", "config": {"seed": 2}}'
refused "a config that is no object" 400 'config' /v1/experiments '{"task": "toy:1", "agent": "model", "config": [1]}'
refused "a config without end" 400 'config.*65536' /v1/experiments \
    "$(jq -nc --arg t "$(head -c 70000 /dev/zero | tr '\0' x)" '{task: "toy:1", agent: "model", config: {t: $t}}')"
refused "an empty key" 400 'key' /v1/experiments '{"task": "toy:1", "agent": "model", "key": ""}'
post /v1/experiments '{"task": "toy:1", "agent": "noop"}' >/dev/null
is "experiments of a sweep" "$e" "$(get '/v1/experiments?sweep=s' | jq -r '[.experiments[].id] | join(" ")')"
is "of a sweep that is not" "" "$(get '/v1/experiments?sweep=t' | jq -r '[.experiments[].id] | join(" ")')"

# ---- calls ----

calls=/v1/experiments/$e/calls
made=$(post "$calls" "$(a_call n1/coder/1)")
is "a call is taken down" "201 1 n1/coder/1 yes hm hi" \
    "$(status_of "$made") $(body_of "$made" | jq -r '"\(.number) \(.key) \(.reply) \(.reasoning) \(.request.messages[0].text)"')"
made=$(post "$calls" "$(a_call n1/coder/1 '.reply = "no"')")
is "said again it is the one that is there" "200 1 yes" "$(status_of "$made") $(body_of "$made" | jq -r '"\(.number) \(.reply)"')"
refused "the key for another request" 409 'key n1/coder/1: call 1 has it' "$calls" "$(a_call n1/coder/1 . else)"
made=$(post "$calls" "$(a_call n2/coder/1 'del(.reply) | .error = "m: 503"')")
is "a call that failed" "201 2 m: 503" "$(status_of "$made") $(body_of "$made" | jq -r '"\(.number) \(.error)"')"
is "answers nothing" 404 "$(call -o /dev/null -w '%{http_code}' "http://d$calls?key=n2%2Fcoder%2F1")"
made=$(post "$calls" "$(a_call n2/coder/1 '.began = "2026-01-02T03:05:00Z"')")
is "the same tried again" "201 3" "$(status_of "$made") $(body_of "$made" | jq -r .number)"
is "is found by its key" "3 yes" "$(get "$calls?key=n2%2Fcoder%2F1" | jq -r '"\(.number) \(.reply)"')"
is "a list has no texts" "1 2 3 null" \
    "$(get "$calls" | jq -r '"\([.calls[].number] | join(" ")) \(.calls[0] | .reply // .request)"')"
is "pages of it" "2" "$(get "$calls?after=1&limit=1" | jq -r '[.calls[].number] | join(" ")')"
is "sums" "3 300 120 60 15 0.75" \
    "$(get "/v1/experiments/$e" | jq -r '.spent | "\(.calls) \(.input_tokens) \(.cached_tokens) \(.output_tokens) \(.reasoning_tokens) \(.cost)"')"
is "a call that is not there" 404 "$(call -o /dev/null -w '%{http_code}' "http://d$calls/9")"
is "a call of no number" 400 "$(call -o /dev/null -w '%{http_code}' "http://d$calls/x")"
is "an experiment that is not there" 404 "$(status_of "$(post /v1/experiments/e99/calls "$(a_call a)")")"
has "an event of a call" '^2 coder 120 0.250000 m: 503$' \
    "$(get '/v1/events?limit=1000' | jq -r '.events[] | select(.type == "experiment.call").data | "\(.number) \(.role) \(.tokens) \(.cost) \(.error)"')"

while IFS='|' read -r name pattern change; do
    refused "$name" 400 "$pattern" "$calls" "$(a_call bad "$change")"
done <<'BAD'
neither reply nor error|reply or an error|del(.reply)
no key|key|del(.key)
a digest that is none|request_sha256.*64 digits|.request_sha256 = "abc"
less than no tokens|input_tokens|.input_tokens = -1
half a token|output_tokens|.output_tokens = 0.5
a cost below nothing|cost|.cost = -0.1
an unknown member|api_key|.api_key = "sk-1"
a version of another experiment|version|.version = "v2"
a version that is none|version|.version = "seven"
no request|request|del(.request)
BAD
refused "a call of more than 8 MiB" 413 'more than 8388608 bytes' "$calls" @<(a_call big '.reply = ("x" * 9000000)')
is "none of them was taken down" 3 "$(get "/v1/experiments/$e" | jq -r .spent.calls)"

# ---- versions ----

versions=/v1/experiments/$e/versions
edits='[{"op": "write", "path": "run.sh", "content": "exit 3\n"}]'
one="{\"parent\": \"$root\", \"hypothesis\": \"leave\", \"key\": \"n1\", \"note\": {\"step\": 1, \"kind\": \"draft\"}, \"edits\": $edits}"
made=$(post "$versions" "$one")
v=$(body_of "$made" | jq -r .id)
is "a version with key and note" "201 n1 draft" "$(status_of "$made") $(body_of "$made" | jq -r '"\(.key) \(.note.kind)"')"
made=$(post "$versions" "$one")
is "said again it is the same" "200 $v" "$(status_of "$made") $(body_of "$made" | jq -r .id)"
refused "the key below another parent" 409 "key n1: is that of $v" "$versions" "${one/\"$root\"/\"$v\"}"
made=$(post "$versions" "{\"parent\": \"$root\", \"hypothesis\": \"lost\", \"key\": \"n2\", \"abandoned\": \"no reply that applied\"}")
lost=$(body_of "$made" | jq -r .id)
is "a version that came to nothing" "201 done abandoned no reply that applied" \
    "$(status_of "$made") $(body_of "$made" | jq -r '"\(.state) \(.outcome) \(.reason)"')"
refused "which has no edits" 400 'abandoned' "$versions" "{\"parent\": \"$root\", \"hypothesis\": \"x\", \"abandoned\": \"x\", \"edits\": $edits}"
refused "nor can it be measured" 400 "$lost" /v1/measurements "{\"versions\": [\"$lost\"]}"
made=$(post "/v1/versions/$v/note" '{"note": {"summary": "it left"}}')
is "a note takes the place of the one before" '200 {"summary":"it left"}' \
    "$(status_of "$made") $(body_of "$made" | jq -c .note)"
refused "a note that is no object" 400 'note' "/v1/versions/$v/note" '{"note": "text"}'
refused "a call of a version of another experiment" 400 'version: v. is of e2' "$calls" \
    "$(a_call other ".version = \"$(get /v1/experiments/e2 | jq -r '.versions[0].id')\"")"
made=$(post "$calls" "$(a_call n1/analyst/1 ".role = \"analyst\" | .version = \"$v\"")")
is "a call of a version" "201 $v" "$(status_of "$made") $(body_of "$made" | jq -r .version)"

# ---- kill -9 while calls come in ----

: >"$dir/acknowledged"
(for i in $(seq 400); do
    [ "$(status_of "$(post "$calls" "$(a_call "k$i")")")" = 201 ] && echo "$i" >>"$dir/acknowledged"
done) &
writer=$!
for _ in $(seq 100); do [ "$(wc -l <"$dir/acknowledged")" -ge 15 ] && break; sleep 0.05; done
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
kill "$writer" 2>/dev/null
wait "$writer" 2>/dev/null
start || not_ok "the daemon starts again" "$(tail -5 "$dir/log")"
missing=0
while read -r i; do
    [ "$(call -o /dev/null -w '%{http_code}' "http://d$calls?key=k$i")" = 200 ] || missing=$((missing + 1))
done <"$dir/acknowledged"
is "kill -9: no call that was acknowledged is gone" 0 "$missing"
total=$(get "$calls?limit=1000" | jq '.calls | length')
is "the sums are those of the list" "$(get "$calls?limit=1000" | jq '[.calls[].input_tokens] | add')" \
    "$(get "/v1/experiments/$e" | jq .spent.input_tokens)"

# ---- the client ----

post "$calls" "$(a_call hostile '.reply = "\u001b[31mred\u0007\n<script>" | .echoed = "m\u001b[0m" | del(.reasoning)')" >/dev/null
has "ls: calls and cost" "^$e .* $((total + 1)) +\\\$" "$("$paddock" ls --sweep s)"
is "ls of a sweep shows no other" 0 "$("$paddock" ls --sweep s | grep -c noop)"
shown=$("$paddock" show "$e" --calls)
has "show --calls" '^ *1 +n1/coder/1 .*m-2026 .*100 +40 +20 +5 +\$0.2500 +1.5 s +1 +end' "$shown"
has "the failed one" '^ *2 +n2/coder/1 .*m: 503' "$shown"
has "and what all of them cost" "^$((total + 1)) calls, [0-9]+ input tokens" "$shown"
number=$(get "$calls?key=hostile" | jq .number)
shown=$("$paddock" show "$e" --call "$number")
has "show --call: the reply" '\\x1b\[31mred\\x07' "$shown"
has "in its lines" '^<script>$' "$shown"
is "nothing in it drives a terminal" 0 "$(grep -c $'[\033\007]' <<<"$shown$("$paddock" show "$e" --calls)")"
is "as JSON" "$((total + 1)) $((total + 1))" "$("$paddock" show "$e" --calls --json | jq -r '"\(.calls | length) \(.spent.calls)"')"
has "--call of a version" 'experiment' "$("$paddock" show v1 --calls 2>&1)"
"$paddock" export "$e" --cassette -o "$dir/e.jsonl" >/dev/null
is "a cassette" "$((total + 1)) 600 yes" "$(wc -l <"$dir/e.jsonl") $(stat -c %a "$dir/e.jsonl") $(head -n 1 "$dir/e.jsonl" | jq -r .reply)"
is "byte for byte" "$(get "$calls?key=hostile" | jq -c .reply)" "$(tail -n 1 "$dir/e.jsonl" | jq -c .reply)"
is "to stdout it is the same" "$(sha256sum <"$dir/e.jsonl")" "$("$paddock" export "$e" --cassette -o - | sha256sum)"

kill "$daemon" && wait "$daemon"
is "the daemon leaves in peace" 0 $?
daemon=
exit $((failures > 0))
