#!/usr/bin/env bash
# A coder of the user's choice: a small agent in its sandbox talks to the mock server
# through the proxy in each protocol, whole and as a stream, edits, and is run; the ledger
# must match what the server told, to the token; the key is nowhere inside, and nothing
# but the proxy is reached. What it breaks is its own. Needs PADDOCK_BIN.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${PADDOCK_BIN:?the folder of the programs}"
export PADDOCK_BIN
paddock=$PADDOCK_BIN/paddock
[ -x "$paddock" ] || paddock=$PADDOCK_BIN/paddock-cli

place=$(mktemp -d /tmp/paddock-outside-XXXXXX)
export PADDOCK_STATE=$place/state PADDOCK_SOCKET=$place/sock PADDOCK_CONFIG=$place/config NO_COLOR=1
export PADDOCK_TASKS=$here/tasks MOCK_KEY=sk-test-5f0c33e9ab TMPDIR=$place/tmp
export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost
unset PADDOCK_CASSETTE_RECORD
mkdir -p "$place/config/models" "$TMPDIR"
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
# is NAME WANTED GOT
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "wanted: $2" "got:    $3"; fi; }
# has NAME PATTERN TEXT
has() { if grep -qE -- "$2" <<<"$3"; then ok "$1"; else not_ok "$1" "wanted /$2/ in:" "$3"; fi; }

for tool in curl jq python3; do
    command -v "$tool" >/dev/null || { echo "ok - outside agents # SKIP $tool is not installed"; exit 0; }
done

python3 "$here/../mock/models.py" --key "$MOCK_KEY" --port-file "$place/port" - </dev/null >/dev/null 2>"$place/mock.log" &
mock=$!
for _ in $(seq 200); do [ -s "$place/port" ] && break; sleep 0.05; done
port=$(cat "$place/port")
script() { curl -sS --noproxy '*' -X POST --data-binary "$1" "http://127.0.0.1:$port/script" >/dev/null; }
seen() { curl -sS --noproxy '*' "http://127.0.0.1:$port/seen?bodies=${1:-0}"; }
get() { curl -sS --max-time 60 --unix-socket "$PADDOCK_SOCKET" "http://d/v1$1"; }
model() {
    local version=v1
    [ "$2" = gemini ] && version=v1beta
    jq -n --arg p "$2" --arg u "http://127.0.0.1:$port/$version" '
        {protocol: $p, url: $u, name: "mock", key: {env: "MOCK_KEY"}, parameters: {max_tokens: 2000},
         retries: {count: 2, first_ms: 1, longest_s: 1}, timeouts: {connect_ms: 5000, silence_s: 60},
         prices: {input: 2, cached_input: 1, output: 10}}' >"$place/config/models/$1.json"
}
for protocol in openai anthropic gemini; do model $protocol $protocol; done

# grow COMMAND [MORE-JSON [OPTION...]]: one node by a command; its experiment in $e, its
# version in $v, the agent's status in $status and its words in $said.
grow() {
    jq -n --arg c "command:/usr/bin/python3 $here/outside/agent.py $1" --arg dir "$here/outside" --argjson more "${2:-"{}"}" '
        {model: "openai", coder: $c, coder_mounts: [$dir], coder_limits: {wall_s: 60}, search: "flat", nodes: 1,
         ideator: "none", analyst: false} + $more' >"$place/agent.json"
    said=$("$PADDOCK_BIN/paddock-agent" --task toy-cli:1 --agent model --config "$place/agent.json" "${@:3}" 2>&1)
    status=$?
    newest
}
newest() {
    e=$(get "/experiments/$(get '/experiments?limit=1' | jq -r '.experiments[0].id')")
    v=$(jq '.versions | map(select(.key == "n1"))[0]' <<<"$e")
    echo "$said$e" >>"$place/everything"
}
outcome() { jq -r '.outcome' <<<"$v"; }
words() { jq -r '.note.coder.said' <<<"$v"; }
ended() { jq -r '.note.coder | "\(.ended) \(.exit_code)"' <<<"$v"; }
spent() { jq -r '.spent | "\(.input_tokens) \(.cached_tokens) \(.output_tokens) \(.reasoning_tokens)"' <<<"$e"; }
told() { seen | jq -r '.totals | "\(.input) \(.cached_input) \(.output) \(.reasoning)"'; }
ledger_is_right() { is "$1: the ledger is what the server told" "$(told)" "$(spent)"; }
calls() { get "/experiments/$(jq -r .id <<<"$e")/calls"; }

# ---- each protocol, whole and as a stream ------------------------------------

replies='[{"match": "question 0", "reply": "sleep less", "usage": {"cached_input": 1}}, {"match": ".", "reply": ["try", "0.2"]}]'
for protocol in openai anthropic gemini; do
    for way in whole stream; do
        script "$replies"
        grow "talk 2 $way" "{\"model\": \"$protocol\"}"
        is "$protocol, $way: its version runs" "0 done valid" "$status $(jq -r .state <<<"$e") $(outcome)"
        is "$protocol, $way: it hears the model" "200 sleep less|200 try|0.2" "$(words | head -3 | paste -sd'|')"
        ledger_is_right "$protocol, $way"
        is "$protocol, $way: two calls by name" "n1/outside/1 outside mock end,n1/outside/2 outside mock end" \
            "$(calls | jq -r '[.calls[] | "\(.key) \(.role) \(.echoed) \(.stop)"] | join(",")')"
        is "$protocol, $way: the model is the config's, the headers ours" "mock mock true true" \
            "$(seen 1 | jq -r '[.requests[] | .model] + [all(.requests[]; .authorized), (.requests | length == 2)] | join(" ")')"
    done
done
is "what it changed is the version" "sleep 0.2" "$(get "/versions/$(jq -r .id <<<"$v")/file?path=train.sh" | grep '^sleep')"
is "what it said it did is the hypothesis" "it sleeps as it was told" "$(jq -r .hypothesis <<<"$v")"
has "the call is kept whole" 'question 1' "$(get "/experiments/$(jq -r .id <<<"$e")/calls/2" | jq -c .request)"
script '[{"match": "question 0", "reply": "yes", "fault": {"kind": "status", "status": 429, "retry_after": "0.01"}},
         {"match": "question 1", "reply": "yes", "fault": {"kind": "truncate"}}, {"match": "question 2", "reply": "x", "fault": {"kind": "status", "status": 400, "message": "too clever", "times": -1}}]'
grow "talk 3 stream"
has "what passes is tried again outside" '^200 yes' "$(words)"
is "… a broken stream too" "200 yes" "$(words | sed -n 2p)"
has "an error is passed on" '^400 .*too clever' "$(words | sed -n 3p)"
ledger_is_right "faults"
is "… and is in the ledger" "null null true" "$(calls | jq -r '[.calls[] | .error] | "\(.[0]) \(.[1]) \(.[2] != null)"')"

# ---- what it can see and reach -----------------------------------------------

script '[{"match": "say the key", "reply": "Well.", "fault": {"kind": "echo_key", "times": -1}},
         {"match": "fail with", "reply": "x", "fault": {"kind": "echo_key_error", "times": -1}}]'
grow snoop
is "the key is nowhere in there, the order where it belongs" "key: ['/tmp/planted'] prompt: yes stdin: yes" "$(words | head -1)"
has "the server's words are cleaned of it" 'The key is \[secret\]' "$(words | sed -n 2p)"
has "… its errors too" '400.*your key \[secret\] is odd' "$(words | sed -n 3p)"
python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind("\0" + sys.argv[1]); s.listen(); time.sleep(60)' "paddock-outside-$$" &
abstract=$!
grow "net $port $PADDOCK_SOCKET paddock-outside-$$"
kill $abstract
is "nothing but the proxy is reached" "mock daemon abstract near beside six world names udp connect" "$(words | sed -n 's/ no$//p' | paste -sd' ')"
is "… whatever it tries" 0 "$(words | grep -c REACHED)"
script '[{"match": ".", "reply": "yes"}]'
grow refused
is "what would be more than an answer is refused" "n 403|search 403|url 403" "$(words | grep -E '^(n|search|url) ' | paste -sd'|')"
is "what is no request, too" "protocol 404|responses 404|json 400|large 413" "$(words | grep -E '^(protocol|responses|json|large) ' | paste -sd'|')"
is "it may ask for the model's name" "model mock" "$(words | grep '^model')"
is "what is not known is left out" "unknown (200, 'yes')|max_tokens messages model" \
    "$(words | grep '^unknown')|$(seen 1 | jq -r '[.requests[].body | keys[] | select(. != "stream")] | unique | join(" ")')"

# ---- budgets -----------------------------------------------------------------

script '[{"match": ".", "reply": "yes", "usage": {"input": 50, "output": 50}}]'
grow budget '{"budget": {"tokens": 1000}, "nodes": 3}'
has "over the budget it is told so, and again" '^answers 402 402' "$(words)"
is "what it had done by then counts" "valid" "$(outcome)"
ledger_is_right "a budget of tokens"
is "no token more than there are, and the experiment ends" "true done" "$(jq -r '"\(.spent.input_tokens + .spent.output_tokens | . > 600 and . <= 1000) \(.state)"' <<<"$e")"
has "… and says why" 'budget .* is spent' "$(jq -r .reason <<<"$e")"
grow budget '{"budget": {"cost": 0.005}}'
is "a budget of money" "true" "$(jq -r '.spent.cost > 0 and .spent.cost <= 0.005' <<<"$e")"
script '[{"match": ".", "reply": "yes", "fault": {"kind": "no_usage", "times": -1}}]'
grow budget '{"budget": {"tokens": 9000}}'
is "a server that tells nothing is not free" true "$(seen | jq '.requests | length < 25')"

# ---- what it breaks is its own -----------------------------------------------

script '[{"match": ".", "reply": "yes"}]'
grow quiet
is "one that calls no model and fails counts by what it left" "valid exit 3 0" "$(outcome) $(ended) $(jq -r .spent.calls <<<"$e")"
grow hang '{"coder_limits": {"wall_s": 2}}'
is "one that hangs is ended, and what it did counts" "valid wall-limit" "$(outcome) $(jq -r .note.coder.ended <<<"$v")"
grow fork '{"coder_limits": {"pids": 32}}'
is "one that forks is ended" "abandoned pids-limit" "$(outcome) $(jq -r .note.coder.ended <<<"$v")"
grow fill '{"coder_limits": {"disk_bytes": 8388608}}'
is "one that fills its disk as well" "abandoned disk-limit" "$(outcome) $(jq -r .note.coder.ended <<<"$v")"
grow elsewhere
is "files that are not its own are dropped" "valid secret.txt task.json" "$(outcome) $(jq -r '.note.coder.dropped | sort | join(" ")' <<<"$v")"
is "… the others are there, byte for byte" "notes/plan notes/raw train.sh 40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880" \
    "$(get "/versions/$(jq -r .id <<<"$v")/files" | jq -r '[.files[].path] | join(" ")') $(get "/versions/$(jq -r .id <<<"$v")/file?path=notes/raw" | sha256sum | cut -d' ' -f1)"
grow link
has "a file that became a link is nobody's change" 'changed none of the files' "$(jq -r .reason <<<"$v")"
is "… and is named" "abandoned train.sh" "$(outcome) $(jq -r '.note.coder.dropped | join(" ")' <<<"$v")"
grow links
is "links and pipes beside it do no harm" "valid" "$(outcome)"
grow delete
is "a file that is gone is deleted" "other.sh" "$(get "/versions/$(jq -r .id <<<"$v")/files" | jq -r '[.files[].path] | join(" ")')"
grow many
has "too many files" 'more than 64 files' "$(jq -r .reason <<<"$v")"
grow large
has "too large a file" 'large.sh has become larger' "$(jq -r .reason <<<"$v")"
is "nothing of it is left" "" "$(find "$TMPDIR" -mindepth 1 -maxdepth 1)"

# ---- killed, resumed; configs; the whole way ---------------------------------

script '[{"match": "question 0", "reply": "one"}, {"match": ".", "reply": "two", "fault": {"kind": "slow", "delay_ms": 300}}]'
jq -n --arg c "command:/usr/bin/python3 $here/outside/agent.py talk 2 stream" --arg dir "$here/outside" '
    {model: "openai", coder: $c, coder_mounts: [$dir], search: "flat", nodes: 1, ideator: "none", analyst: false}' >"$place/agent.json"
"$PADDOCK_BIN/paddock-agent" --task toy-cli:1 --agent model --config "$place/agent.json" >"$place/log" 2>&1 &
agent=$!
until [ "$(jq -r '"\(.agent) \(.state) \(.spent.calls)"' <<<"$e")" = "model open 1" ]; do newest; done
kill -9 $agent
wait $agent 2>/dev/null
said=$("$PADDOCK_BIN/paddock-agent" --experiment "$(jq -r .id <<<"$e")" --agent model 2>&1)
status=$?
newest
is "killed in the middle, its node is made anew" "0 done valid" "$status $(jq -r .state <<<"$e") $(outcome)"
is "… and the ledger goes on" "n1/outside/1 n1/outside/2 n1/outside/3" "$(calls | jq -r '[.calls[].key] | join(" ")')"
for _ in $(seq 100); do pgrep -f "paddock-sandbox run $TMPDIR" >/dev/null || break; sleep 0.1; done
is "… and no sandbox is left" "" "$(pgrep -f "paddock-sandbox run $TMPDIR")"

# The example of the how-to, as it stands there.
mkdir "$place/tmp/example" && chmod 755 "$place" "$place/tmp" "$place/tmp/example"
sed -n '/^   ```python$/,/^   ```$/p' "$here/../../docs/how-to/bring-your-own-agent.md" | sed '1d;$d;s/^   //' >"$place/tmp/example/agent.py"
chmod 755 "$place/tmp/example/agent.py"
script "$(jq -n --arg t "$(sed s/0.6/0.1/ "$here/tasks/toy-cli/records/1/train.sh")" '[{match: "Reply with the whole new train.sh", reply: $t}]')"
grow quiet '{}' --coder "command:$place/tmp/example/agent.py" --coder-mount "$place/tmp/example"
is "the how-to's example works" "0 valid as the model said" "$status $(outcome) $(jq -r .hypothesis <<<"$v")"
rm -rf "$place/tmp/example"

while IFS='|' read -r name more pattern; do
    grow quiet "$more"
    has "$name" "$pattern" "$said$(jq -r .reason <<<"$e")"
done <<BAD
a mount of everything|{"coder_mounts": ["/"]}|is all of this machine
a mount of the keys' folder|{"coder_mounts": ["$place"]}|would show
a mount of the state|{"coder_mounts": ["$place/state/snapshots"]}|would show
a mount that is not there|{"coder_mounts": ["/no/such"]}|/no/such
a command of nothing|{"coder": "command:"}|names no command
mounts without a command|{"coder": "blocks"}|are for a coder that is a command
a cassette|{"model": "replay:$place/none.jsonl"}|none.jsonl
BAD
printf '%s' "$MOCK_KEY" >"$here/outside/key" && chmod 600 "$here/outside/key"
jq --arg f "$here/outside/key" '.key = {file: $f}' "$place/config/models/openai.json" >"$place/config/models/filed.json"
grow quiet '{"model": "filed"}'
rm -f "$here/outside/key"
has "a mount that has the key in it" 'would show the key' "$said"

script "$replies"
printf '{"model": "anthropic", "search": "flat", "nodes": 1, "ideator": "none", "analyst": false}' >"$place/agent.json"
run=$("$paddock" run toy-cli:1 --agent "model:$place/agent.json" --coder "command:/usr/bin/python3 $here/outside/agent.py talk 1 whole" \
    --coder-mount "$here/outside" --blocks-min 2 --blocks-max 2 --json 2>"$place/log")
is "paddock run --coder: made, run and measured" "done valid true" \
    "$(jq -r '"\(.experiments[0].state) \(.experiments[0].versions[] | select(.key == "n1") | .outcome) \(.measurement.scores[0].fsr != null)"' <<<"$run")"
is "the key is nowhere else" 0 "$(grep -rlF "$MOCK_KEY" "$place" --exclude-dir=config 2>/dev/null | wc -l)"
exit $bad
