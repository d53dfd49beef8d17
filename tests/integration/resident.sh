#!/usr/bin/env bash
# The resident launcher: runs asked of it are like any other, nothing is used
# twice, and its death or its caller's ends what it should and no more. And the
# janitor, which cleans up after a launcher that left or was killed.
# What fence_lib.bash sets is not seen by shellcheck.
# shellcheck disable=SC2154,SC2016
set -uo pipefail
self=$(readlink -f "$0")
# shellcheck source=tests/integration/fence_lib.bash disable=SC1091
. "$(dirname "$self")/fence_lib.bash"
fan_out "$self"
make_work
socket=$work/resident.sock

# until COMMAND...: for at most five seconds
until_true() {
    for _ in $(seq 100); do
        if "$@"; then return 0; fi
        sleep 0.05
    done
    return 1
}
# shellcheck disable=SC2317 # called through eval
entries() { find "$PADDOCK_LIVE" -maxdepth 2 -name "$1" | wc -l; }
start_server() {
    "$bin/paddock-sandbox" serve "$socket" --ready 2 >"$work/server.log" 2>&1 &
    server=$!
    until_true test -S "$socket" && until_true eval '[ "$(entries "ready-$server-*")" -ge 2 ]'
}
ask() {
    prepare "$@"
    "$bin/paddock-sandbox" ask "$socket" "$run/spec.json" --dir "$run" 2>"$run/errors"
}

if start_server; then ok "two launchers are kept ready"; else not_ok "two launchers are kept ready" "$(cat "$work/server.log")"; fi
ask '["sh", "-c", "id -u; pwd; echo hello; exit 3"]'
is "a run asked for ends like any other" "exit 3 1000,/work,hello" \
    "$(field '"\(.ended) \(.exit_code)"') $(paste -sd, "$run/stdout")"
is "its fence has all layers" "" \
    "$(field '[.fence[] | select(.state == "off" and .name != "cgroup" and .name != "landlock") | .name] | join(" ")')"
is "nothing of it is left" "" "$(leftovers)"
prepare '["cat"]' '.stdin = "inherit" | .stdout = "inherit"'
is "stdin and stdout are the caller's" "through" \
    "$(echo through | "$bin/paddock-sandbox" ask "$socket" "$run/spec.json" --dir "$run")"

# One after the other, and side by side: nothing is used twice.
for _ in 1 2 3 4 5 6; do
    ask '["sh", "-c", "ls /tmp /dev/shm /work | grep -c left; touch /tmp/left /dev/shm/left /work/left"]'
    cat "$run/stdout" >>"$work/seen"
done
is "nothing is used twice" "0 0 0 0 0 0" "$(paste -sd' ' "$work/seen")"
for i in 1 2 3 4; do
    prepare '["sh", "-c", "sleep 0.3; echo done"]'
    "$bin/paddock-sandbox" ask "$socket" "$run/spec.json" --dir "$run" &
    pids[i]=$!
    runs[i]=$run
done
wait "${pids[@]}"
is "more runs at once than launchers are ready" "done done done done" \
    "$(cat "${runs[@]/%//stdout}" | paste -sd' ')"

# What was not made ahead is made then.
ask '["nproc"]' '.cpus = "0"'
is "a run on one cpu" "exit" "$(field .ended)"
mkdir -p "$work/image" && chmod 755 "$work/image"
ask '["/host/usr/bin/ls", "/"]' ".image = \"$work/image\" | .mounts = [
    {source: \"/usr\", target: \"/host/usr\", exec: true},
    {source: \"$(readlink -f /lib64)\", target: \"/lib64\", exec: true},
    {source: \"$(readlink -f /lib)\", target: \"/lib\", exec: true}]"
is "a run on an image of its own sees nothing of the host's" "dev host lib lib64 proc run tmp work" \
    "$(paste -sd' ' "$run/stdout")"
ask '["true"]' '.limits.memory_bytes = 67108864 | .require = ["seccomp", "wall"]'
is "what is required is checked" "exit" "$(field .ended)"
ask "$(python_argv 'import os
while True:
    try: os.fork()
    except OSError: pass')" '.limits.pids = 20'
is "limits are set in groups that were made ahead" "pids-limit" "$(field .ended)"
ask '["true"]' '.unknown = 1'
is "a bad spec is said to be one" "125 yes" "$? $(grep -q unknown "$run/errors" && echo yes)"

# Who asks, goes: the run is cancelled.
prepare '["sleep", "30"]'
"$bin/paddock-sandbox" ask "$socket" "$run/spec.json" --dir "$run" &
asker=$!
sleep 0.7
kill -KILL $asker
wait $asker 2>/dev/null
check "a caller that dies ends its run" until_true test -e "$run/result.json"
is "… as cancelled" "cancelled" "$(field .ended)"
is "… and leaves nothing" "" "$(leftovers)"

# Somebody else's socket is not answered, nor asked.
if [ "$mode" = root ]; then
    chmod 755 "$work" && chmod 666 "$socket"
    prepare '["true"]'
    chmod 777 "$run" && chmod 644 "$run/spec.json"
    as_plain "$bin/paddock-sandbox" ask "$socket" "$run/spec.json" --dir "$run" 2>"$run/errors"
    is "another user is refused" "125 no" "$? $([ -e "$run/result.json" ] && echo yes || echo no)"
fi

# The server goes; a run under way stays.
prepare '["sh", "-c", "sleep 1.2; echo stayed"]'
"$bin/paddock-sandbox" ask "$socket" "$run/spec.json" --dir "$run" &
asker=$!
sleep 0.6
kill -TERM $server
wait $server
wait $asker
is "a run outlives the server" "0 stayed" "$? $(cat "$run/stdout")"
check "what was ready is gone with it" until_true eval '[ "$(entries "ready-*")" = 0 ]'
if start_server; then ok "a server starts again in its place"; else not_ok "a server starts again in its place" "$(cat "$work/server.log")"; fi
kill -KILL $server
wait $server 2>/dev/null
check "launchers do not outlive a killed server" until_true eval '! pgrep -f "serve $socket" >/dev/null'
"$bin/paddock-sandbox" sweep >/dev/null
check "… nor do their groups and entries" until_true eval '[ "$(entries "ready-*")" = 0 ]'

# A launcher that is killed is cleaned up after at once, where there is a janitor.
prepare "$(jq -cn --arg m "marker-$$" '["sh", "-c", "trap \"\" TERM; setsid sleep 301 & sleep 302", $m]')"
"$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" 2>/dev/null &
launcher=$!
until_true pgrep -f "marker-$$" >/dev/null
sleep 0.3
if [ "$(pgrep -cf "paddock-sandbox run $run/spec.json")" -ge 3 ]; then
    kill -KILL $launcher
    wait $launcher 2>/dev/null
    is "a killed launcher leaves nothing, without a sweep" "" "$(leftovers)"
else
    kill -TERM $launcher
    wait $launcher
    skip "a killed launcher leaves nothing, without a sweep" "this build has no janitor (sanitizers)"
fi
exit "$failed"
