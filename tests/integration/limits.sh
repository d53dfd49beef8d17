#!/usr/bin/env bash
# Exceeds each limit with a small program: the run must end for that reason, and
# leave nothing behind.
# What fence_lib.bash sets is not seen by shellcheck.
# shellcheck disable=SC2154,SC2016,SC2216
set -uo pipefail
self=$(readlink -f "$0")
# shellcheck source=tests/integration/fence_lib.bash disable=SC1091
. "$(dirname "$self")/fence_lib.bash"
fan_out "$self"
make_work

# exceeds NAME ENDED ARGV [FILTER]
exceeds() {
    launch "$3" "${4:-.}"
    local got
    got=$(field .ended)
    if [ "$got" = "$2" ]; then ok "$1 ends as $2"; else
        not_ok "$1 ends as $2" "got: $got: $(field .error) $(cat "$run/errors")
$(head -c 500 "$run/stderr" 2>/dev/null)"
    fi
    is "$1 leaves nothing" "" "$(leftovers)"
}

launch '["true"]'
is "an honest program exits" "exit 0" "$(field '"\(.ended) \(.exit_code)"')"
launch '["sh", "-c", "exit 42"]'
is "its status is kept" "exit 42" "$(field '"\(.ended) \(.exit_code)"')"
launch '["sh", "-c", "kill -SEGV $$"]'
is "its signal is kept" "signal 11" "$(field '"\(.ended) \(.signal)"')"
launch '["no-such-program"]'
is "a missing program is 127" "exit 127" "$(field '"\(.ended) \(.exit_code)"')"
launch '["/etc/passwd"]'
is "a file that is no program is 126" "exit 126" "$(field '"\(.ended) \(.exit_code)"')"

exceeds "sleeping beyond the wall limit" wall-limit '["sleep", "30"]' '.limits.wall_ms = 300'
exceeds "ignoring SIGTERM at the wall limit" wall-limit \
    "$(shell_argv 'trap "" TERM; while :; do sleep 1; done')" '.limits.wall_ms = 300 | .limits.grace_ms = 200'
launch "$(shell_argv 'trap "echo bye; exit 3" TERM; echo ready; while :; do sleep 0.05; done')" \
    '.limits.wall_ms = 1000 | .limits.grace_ms = 5000'
is "the grace lets a program say goodbye" "ready bye" "$(tr '\n' ' ' <"$run/stdout" | sed 's/ $//')"
exceeds "an orphan in a session of its own" exit \
    "$(shell_argv 'setsid sleep 300 >/dev/null 2>&1 </dev/null & exit 0')"
exceeds "burning cpu" cpu-limit "$(python_argv 'while True: pass')" '.limits.cpu_ms = 300'
exceeds "burning cpu in many short children" cpu-limit \
    "$(shell_argv 'while :; do sh -c "i=0; while [ \$i -lt 20000 ]; do i=\$((i+1)); done"; done')" '.limits.cpu_ms = 500'
exceeds "a memory bomb" memory-limit \
    "$(python_argv 'x = [bytearray(1 << 20) for i in range(4000)]')" '.limits.memory_bytes = 67108864'
exceeds "memory in /dev/shm and /tmp" "$([ "$mode" = root ] && echo memory-limit || echo memory-limit)" \
    "$(python_argv '
import time
for d in "/dev/shm", "/tmp":
    f = open(d + "/x", "wb")
    for i in range(190): f.write(bytes(1 << 20))
time.sleep(5)')" '.limits.memory_bytes = 67108864 | .limits.tmp_bytes = 209715200'
exceeds "a fork bomb" pids-limit \
    "$(python_argv 'import os
while True:
    try: os.fork()
    except OSError: pass')" '.limits.pids = 20'
exceeds "a thread bomb" pids-limit \
    "$(python_argv 'import threading, time
while True:
    try: threading.Thread(target=time.sleep, args=(60,)).start()
    except RuntimeError: pass')" '.limits.pids = 20'
exceeds "a flood of output" output-limit '["yes"]' '.limits.output_bytes = 100000'
is "the cap is exact" "100000 true" "$(stat -c %s "$run/stdout") $(field .output_truncated)"
exceeds "a flood without newlines on stderr" output-limit \
    "$(shell_argv 'tr "\\0" x </dev/zero >&2')" '.limits.output_bytes = 5000'
exceeds "filling the workspace" disk-limit "$(shell_argv 'cat /dev/zero >fill; sleep 5')" '.limits.disk_bytes = 4194304'
exceeds "filling the workspace and leaving" disk-limit "$(shell_argv 'cat /dev/zero >fill')" '.limits.disk_bytes = 4194304'
exceeds "filling /tmp" disk-limit "$(shell_argv 'cat /dev/zero >/tmp/fill; sleep 5')" '.limits.tmp_bytes = 4194304'
exceeds "using up the inodes" disk-limit \
    "$(python_argv 'i = 0
while True:
    open("f%d" % i, "w").close()
    i += 1')" '.limits.disk_inodes = 200'
launch "$(python_argv 'import os
fds = []
try:
    while True: fds.append(os.open("/dev/null", 0))
except OSError as e: print(len(fds) + 3, e.errno)')" '.limits.open_files = 40'
is "open files end at the limit" "40 24" "$(cat "$run/stdout")"
exceeds "a file beyond file_bytes" signal "$(shell_argv 'exec head -c 2000000 /dev/zero >big')" '.limits.file_bytes = 1000000'

# A forbidden call, where the policy kills for it.
jq '.default = {"action": "kill"} | .name = "killer"' "$policy_dir/train.json" >"$work/killer.json"
launch "$(python_argv 'import ctypes; ctypes.CDLL(None).syscall(1000)')" ".policy = \"$work/killer.json\""
is "a killing policy is a policy-violation" "policy-violation 31" "$(field '"\(.ended) \(.signal)"')"

# Being told to stop.
prepare '["sleep", "30"]'
"$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" &
launcher=$!
sleep 0.7
kill -TERM $launcher
wait $launcher
is "SIGTERM to the launcher cancels" "cancelled" "$(field .ended)"
is "… and leaves nothing" "" "$(leftovers)"

# Through paddock exec, with a signal that would end it and leave the launcher.
"$bin/paddock" exec --policy "$policy_dir/train.json" -- sh -c "sleep 30; echo quit-$$" 2>/dev/null &
launcher=$!
sleep 0.7
kill -QUIT $launcher
wait $launcher
is "SIGQUIT to paddock exec cancels the run" "143" "$?"
is "… and leaves no launcher" "" "$(pgrep -f "echo quit-$$")"

# SIGKILL to the launcher: the program dies with it, the next launcher sweeps.
prepare "$(jq -cn --arg m "marker-$$" '["sh", "-c", "trap \"\" TERM; setsid sleep 301 & sleep 302", $m]')"
"$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" 2>/dev/null &
launcher=$!
sleep 0.7
check "the program runs" pgrep -f "marker-$$"
kill -KILL $launcher
wait $launcher 2>/dev/null
for _ in $(seq 50); do
    pgrep -f "marker-$$" >/dev/null || break
    sleep 0.1
done
is "the program dies with a killed launcher" "" "$(pgrep -f "marker-$$")"
is "… which leaves no result" "no" "$([ -e "$run/result.json" ] && echo yes || echo no)"
"$bin/paddock-sandbox" sweep >/dev/null
is "a sweep removes what it left" "" "$(leftovers)"

# Too little for the fence itself: said so, where a group can tell.
launch '["true"]' '.limits.memory_bytes = 4096'
if [ "$mode" = root ]; then
    is "memory too small to start is named" "setup-error true" \
        "$(field '"\(.ended) \(.error | contains("limits.memory_bytes is too small"))"')"
fi
is "… and leaves nothing" "" "$(leftovers)"

# What is required and not there is refused.
launch '["true"]' '.require = ["memory", "seccomp", "cpu"]'
is "an unset limit that is required is refused" "setup-error" "$(field .ended)"
launch '["true"]' '.require = ["no-such-layer"]'
is "an unknown name that is required is refused" "setup-error" "$(field .ended)"
if [ "$mode" = plain ]; then
    launch '["true"]' '.require = ["user-namespace"]'
    is "a weaker layer that is required is refused" "setup-error" "$(field .ended)"
fi
launch '["true"]' '.require = ["wall", "memory", "pids", "output", "disk", "inodes", "tmp", "seccomp", "landlock", "capabilities"]'
is "what is enforced is accepted" "exit" "$(field .ended)"
exit "$failed"
