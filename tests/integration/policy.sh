#!/usr/bin/env bash
# Violations are named and end the whole run, whatever a program does about it;
# a learned policy runs what it was learned from, and nothing else.
# What fence_lib.bash sets is not seen by shellcheck.
# shellcheck disable=SC2154,SC2016,SC2329
set -uo pipefail
self=$(readlink -f "$0")
# shellcheck source=tests/integration/fence_lib.bash disable=SC1091
. "$(dirname "$self")/fence_lib.bash"
fan_out "$self"
make_work
chmod 755 "$work"
export PADDOCK_POLICIES=$policy_dir TMPDIR=$work

reboot='import ctypes, os, signal, threading, time
c = ctypes.CDLL(None, use_errno=True)
def forbidden(): # LINUX_REBOOT_CMD_CAD_OFF, with a magic that the kernel would refuse
    return c.syscall(169, 0x12345678, 672274793, 0, 0)
'
[ "$(uname -m)" = x86_64 ] || { skip "all" "the calls are written for x86-64" && exit 0; }

ended() { field '"\(.ended) \(.signal)"'; }
named() { field '.violation | "\(.call) \(.number) \(.arch) \(.args[0]) \(.rule)"'; }
wanted='reboot 169 x86_64 0x12345678 administration-kills'

# ---- what is said ----

launch "$(python_argv "$reboot
print('before', flush=True)
forbidden()
print('after')")"
is "a forbidden call ends the run" "policy-violation 31" "$(ended)"
is "it is named with arguments and rule" "$wanted" "$(named)"
is "its registers are all there" "6" "$(field '.violation.args | length')"
is "the process is named" "python3" "$(field .violation.process)"
is "the reason is the rule's" \
    "$(jq -r '.rules[] | select(.name == "administration-kills").reason' "$policy_dir/train.json")" "$(field .violation.reason)"
check "the error is a sentence" grep -qF \
    'reboot(0x12345678, 0x28121969, 0, 0) is forbidden by rule administration-kills of policy train: ' <<<"$(field .error)"
is "what came before is kept, nothing came after" "before" "$(cat "$run/stdout")"
check "the report says that calls are named" grep -q 'a forbidden call is named' <<<"$(field '.fence[] | select(.name == "seccomp").detail')"
is "… and nothing is left" "" "$(leftovers)"
launch '["true"]'
is "an honest run has no violation" "exit null" "$(field '"\(.ended) \(.violation)"')"

launch "$(shell_argv "python3 -c '$(tr '\n' ';' <<<"${reboot//def forbidden/FORBIDDEN}" | sed "s/;FORBIDDEN.*//");c.syscall(169,0x12345678,0,0,0)'; echo survived")"
is "a child's violation ends the whole run" "policy-violation 31 " "$(ended) $(cat "$run/stdout")"
is "… named as well" "$wanted" "$(named)"
launch "$(python_argv "$reboot
t = threading.Thread(target=forbidden)
t.start()
while True: pass")"
is "a thread's violation ends the others" "policy-violation 31" "$(ended)"

jq '.default = {"action": "kill"} | .name = "killer"' "$policy_dir/train.json" >"$work/killer.json"
launch "$(python_argv 'import ctypes; ctypes.CDLL(None).syscall(1000, 7)')" ".policy = \"$work/killer.json\""
is "a default that kills is named" "policy-violation call-1000 null" "$(field '"\(.ended) \(.violation.call) \(.violation.rule)"')"
check "… in a sentence" grep -qF 'call-1000(0x7' <<<"$(field .error)"

# Each call that the policies kill for.
for call in kexec_load:246 kexec_file_load:320 init_module:175 finit_module:313 delete_module:176 create_module:174 \
    swapon:167 swapoff:168 iopl:172 ioperm:173; do
    launch "$(python_argv "import ctypes; ctypes.CDLL(None).syscall(${call#*:}, 0, 0, 0, 0, 0)")" \
        ".policy = \"$policy_dir/strict.json\""
    is "${call%:*} ends the run" "policy-violation ${call%:*}" "$(field '"\(.ended) \(.violation.call)"')"
done

# ---- other ABIs, and SIGSYS of one's own ----

launch "$(python_argv 'import ctypes; ctypes.CDLL(None).syscall(0x40000000 | 39)')"
is "an x32 call kills at once" "policy-violation 31 null native-calls" "$(field '"\(.ended) \(.signal) \(.violation.call) \(.violation.rule)"')"
launch '["sh", "-c", "kill -SYS $$"]'
is "so does a SIGSYS of its own look" "policy-violation native-calls" "$(field '"\(.ended) \(.violation.rule)"')"

# ---- policies under which nothing can be handed over ----

jq '.name = "mute" | .rules |= map(.calls -= ["sendmsg", "sendmmsg"])' "$policy_dir/train.json" >"$work/mute.json"
launch "$(python_argv "$reboot
forbidden()")" ".policy = \"$work/mute.json\""
is "a policy without sendmsg names it all the same" "policy-violation $wanted" "$(field .ended) $(named)"
launch "$(python_argv "$reboot
print(len(os.listdir('/proc/self/task')), sorted(os.listdir('/proc/self/fd'))[:-1])")" ".policy = \"$work/mute.json\""
is "… and leaves neither thread nor descriptor" "1 ['0', '1', '2']" "$(cat "$run/stdout")"
launch '["true"]' ".policy = \"$work/mute.json\" | .limits.pids = 1"
is "… and takes no process from a limit of 1" "exit 0" "$(field '"\(.ended) \(.exit_code)"')"
launch '["sh", "-c", "exec python3 -c \"import ctypes; ctypes.CDLL(None).syscall(169, 1, 2, 3, 4)\""]' ".policy = \"$work/mute.json\" | .limits.pids = 1"
is "… where the kernel kills by itself" "policy-violation 31 null" "$(field '"\(.ended) \(.signal) \(.violation.call)"')"

# An outer filter with a listener of its own leaves none for us.
cat >"$work/outer.py" <<'PY'
import ctypes, os, struct, sys
c = ctypes.CDLL(None, use_errno=True)
allow = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7fff0000))
prog = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 1, ctypes.addressof(allow)))
c.prctl(38, 1, 0, 0, 0)
fd = c.syscall(317, 1, 8, prog)
if fd < 0: sys.exit(77)
os.set_inheritable(fd, True)
os.execv(sys.argv[1], sys.argv[1:])
PY
prepare "$(python_argv "$reboot
forbidden()")"
if [ "$(jq -r .privilege "$work"/run-1/result.json)" = subid ]; then
    skip "under an outer listener the kernel kills" "no_new_privs leaves newuidmap without its capability"
else
    /usr/bin/python3 "$work/outer.py" "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" 2>"$run/errors"
    status=$?
    if [ $status = 77 ]; then skip "under an outer listener the kernel kills" "no filter can be installed here"
    else is "under an outer listener the kernel kills" "policy-violation 31 null" "$(field '"\(.ended) \(.signal) \(.violation.call)"')"
        check "… and the report says why" grep -q 'kills unnamed: an outer filter' <<<"$(field '.fence[] | select(.name == "seccomp").detail')"
        is "… and the digest is that of the filter that kills" "true" "$(jq --arg d "$(jq -r .filter_sha256 "$work"/run-1/result.json)" '.filter_sha256 != $d and (.filter_sha256 | length) == 64' "$run/result.json")"
    fi
fi

# ---- a program that works against it ----

launch "$(python_argv 'import os
for fd in range(64):
    try: print(fd, os.readlink("/proc/self/fd/%d" % fd))
    except OSError: pass')"
is "the program holds no listener" "0 1 2" "$(cut -d" " -f1 "$run/stdout" | tr "\n" " " | sed "s/ $//")"
launch "$(python_argv "$reboot
signal.signal(signal.SIGALRM, lambda *a: None)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
for i in range(1000000):
    if forbidden() == 0: print('passed', flush=True)")"
is "signals during the call do not save it" "policy-violation " "$(field .ended) $(cat "$run/stdout")"
launch "$(python_argv "$reboot
for i in range(24):
    if os.fork() == 0:
        while True:
            if forbidden() == 0: print('passed', flush=True)
time.sleep(10)")"
is "a flood of violations is one" "policy-violation " "$(field .ended) $(cat "$run/stdout")"
is "… and leaves nothing" "" "$(leftovers)"
launch "$(python_argv "$reboot
for i in range(50):
    pid = os.fork()
    if pid == 0:
        forbidden(); os._exit(0)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
print('over')")"
check "dying in the call hangs nobody" grep -qE '^(exit|policy-violation)$' <<<"$(field .ended)"
launch "$(python_argv "$reboot
signal.signal(signal.SIGTERM, lambda *a: forbidden())
time.sleep(30)")" '.limits.wall_ms = 500 | .limits.grace_ms = 10000'
is "a violation ends the grace" "wall-limit true" "$(field '"\(.ended) \((.t_clock_stop - .t_clock_start) < 9000000000)"')"

# A launcher that is not there to answer: the call waits, and dies with it.
prepare "$(python_argv "$reboot
time.sleep(1)
r = forbidden()
open('/work/passed', 'w').write(str(r))
time.sleep(60) # marker-$$")"
"$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" 2>/dev/null &
launcher=$!
sleep 0.6
kill -STOP $launcher
sleep 1.2
check "the call waits for a launcher that is stopped" pgrep -f "marker-$$"
kill -KILL $launcher
wait $launcher 2>/dev/null
for _ in $(seq 100); do
    pgrep -f "marker-$$" >/dev/null || break
    sleep 0.1
done
is "… and dies with it" "" "$(pgrep -f "marker-$$")"

# ---- learning ----

cat >"$work/talk.py" <<'PY'
import socket, subprocess, threading
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 0)); s.listen()
def serve():
    c, _ = s.accept(); c.sendall(c.recv(10).upper()); c.close()
t = threading.Thread(target=serve); t.start()
c = socket.create_connection(s.getsockname()); c.sendall(b"hello")
print(c.recv(10).decode(), subprocess.run(["echo", "child"], capture_output=True).stdout.decode().strip())
t.join()
PY
printf '#include <stdio.h>\nint main(void) { puts("built"); return 0; }\n' >"$work/a.c"
chmod a+r "$work"/*
paddock=$bin/paddock
# learns NAME WANTED BASE OPTIONS... -- COMMAND...: learned, then run under what was learned
learns() {
    local name=$1 wanted=$2 base=$3 out
    shift 3
    out=$("$paddock" policy learn --base "$base" -o "$work/$name.json" "$@" 2>"$work/$name.log")
    is "$name is learned" "0 $wanted" "$? $out"
    chmod a+r "$work/$name.json" 2>/dev/null
    out=$("$paddock" exec --policy "$work/$name.json" "$@" 2>&1)
    is "… and runs unchanged under its policy" "0 $wanted" "$? $out"
    check "… which has no faults" "$paddock" policy check "$work/$name.json"
}
learns true "" train -- /bin/true
learns talk "HELLO child" train --net loopback --ro "$work/talk.py:/data/talk.py" -- /usr/bin/python3 /data/talk.py
if command -v gcc >/dev/null; then
    learns compile "built" build --ro "$work/a.c:/data/a.c" -- sh -c 'gcc -O1 -o a /data/a.c && ./a'
else skip "compile is learned" "no gcc here"; fi

under() { "$paddock" exec --policy "$work/$1.json" -- /usr/bin/python3 -c "$2" 2>&1; }
calls='import ctypes, sys
c = ctypes.CDLL(None, use_errno=True)
print(c.syscall(*map(int, sys.argv[1:])) if False else "", end="")
'
"$paddock" policy learn -o "$work/py.json" -- /usr/bin/python3 -c "$calls" 2>/dev/null >&2
chmod a+r "$work/py.json"
is "a call outside it is refused" "-1 38" "$(under py "$calls
print(c.syscall(41, 1, 1, 0) if False else c.syscall(83, b'/work/x', 0o700), ctypes.get_errno())")"
is "… and a socket as the base refuses odd ones" "-1 97" "$(under py "$calls
print(c.syscall(41, 2, 1, 0), ctypes.get_errno())")"
check "… and what kills is still named" grep -q 'reboot(0x1, 0x2, 0x3, 0x4) is forbidden by rule administration-kills of policy learned' <<<"$(under py "$calls
c.syscall(169, 1, 2, 3, 4)")"

out=$("$paddock" policy learn --json --base strict -- /usr/bin/python3 -c "$calls
import socket
socket.socket(); c.syscall(321, 0, 0, 0); print('through', c.syscall(165, b'/', b'/', 0, 4096, 0), ctypes.get_errno(), file=sys.stderr)" 2>"$work/refused.log")
is "what goes beyond the base is said" "socket(AF_INET, SOCK_STREAM, IPPROTO_IP)" "$(jq -r '.beyond[] | select(startswith("socket"))' <<<"$out")"
is "what is never learned is refused and said" "bpf mount" "$(jq -r '[.refused[] | select(. == "bpf" or . == "mount")] | sort | join(" ")' <<<"$out")"
check "… with the base's answer" grep -q 'through -1 1' "$work/refused.log"
check "a proposal on stdout is the policy alone" bash -c '"$1" policy learn -- echo noise 2>/dev/null | jq -es "length == 1 and .[0].name == \"learned\""' _ "$paddock"
"$paddock" policy learn -o "$work/fails.json" -- sh -c 'exit 3' 2>"$work/fails.log"
is "a program that fails is learned from and said" "1 status 3" "$? $(grep -o 'status 3' "$work/fails.log")"
"$paddock" policy learn -o "$work/none.json" -- /no/such/program 2>/dev/null
is "one that is not there fails as well" "1" "$?"

# ---- words ----

check "explain decides with arguments" grep -qF '=> socket(AF_PACKET, SOCK_RAW, IPPROTO_IP) is refused with EAFNOSUPPORT' <<<"$("$paddock" policy explain train socket AF_PACKET SOCK_RAW)"
is "explain goes over all policies" "build coder compile strict train train-gpu" "$("$paddock" policy explain clone --json CLONE_NEWUSER | jq -r '[.policies[] | select(.decided.rule == "no-namespaces").policy] | join(" ")')"
check "show prints a rule in full" grep -qF 'family is AF_NETLINK and type & 0xf is one of SOCK_RAW, SOCK_DGRAM and protocol is NETLINK_ROUTE' <<<"$("$paddock" policy show train interface-list)"
check "exec says what was broken" grep -qF 'paddock: policy-violation: reboot(' <<<"$("$paddock" exec -- /usr/bin/python3 -c "$calls
c.syscall(169, 1, 2, 3, 4)" 2>&1)"
exit "$failed"
