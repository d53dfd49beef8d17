#!/usr/bin/env bash
# The clocks that are not "process": a gated program gets its data at GO and is over
# at DONE; lines of output bound another. Programs here try to gain time by each.
# What fence_lib.bash sets is not seen by shellcheck.
# shellcheck disable=SC2154,SC2016
set -uo pipefail
self=$(readlink -f "$0")
# shellcheck source=tests/integration/fence_lib.bash disable=SC1091
. "$(dirname "$self")/fence_lib.bash"
fan_out "$self"
make_work

data=$work/data
mkdir -p "$data/deeper"
echo secret >"$data/text"
echo more >"$data/deeper/text"
chmod -R a+rX "$work"

gated() { # [FILTER]
    printf '%s' '.clock = {kind: "gated", init_wall_ms: 10000, data: [{source: "'"$data"'", target: "/data"}]}
        | .collect = [{path: "out"}] | '"${1:-.}"
}
# What every program here begins with.
speak='
import os, sys, time, threading
fd = int(os.environ["PADDOCK_CONTROL"])
def ready(): os.write(fd, b"READY\n")
def go():
    got = b""
    while not got.endswith(b"\n"):
        piece = os.read(fd, 16)
        if not piece: sys.exit("the clock hung up")
        got += piece
    assert got == b"GO\n", got
def done(): os.write(fd, b"DONE\n")
def put(name, text):
    os.makedirs("out", exist_ok=True)
    with open("out/" + name, "w") as f: f.write(text)
'

# ---- an honest program ----

launch "$(python_argv "$speak"'
before = os.listdir("/data")
time.sleep(0.3)
ready(); go()
put("before", repr(before))
put("text", open("/data/text").read() + open("/data/deeper/text").read())
time.sleep(0.2)
done()
time.sleep(0.2)
put("late", "late")
time.sleep(30)')" "$(gated)"
is "an honest gated program is done" "done 0 0 null" "$(field '"\(.ended) \(.exit_code) \(.signal) \(.error)"')"
is "before GO there are no data" "[]" "$(cat "$run/artifacts/out/before" 2>&1)"
is "after GO there are" "secret more" "$(tr '\n' ' ' <"$run/artifacts/out/text" | sed 's/ $//')"
is "nothing is written after DONE" "before text" "$(cd "$run/artifacts/out" && echo *)"
is "the time is from GO to DONE" "true" \
    "$(field '.wall_ns == .t_clock_stop - .t_clock_start and .wall_ns >= 200000000')"
is "INIT is not in it" "true" \
    "$(field '.t_clock_start - .t_release >= 300000000 and .init_wall_ns >= 300000000 and .t_clock_start >= .t_release + .init_wall_ns')"
# Without groups, cpu time is a sum of ticks seen at the last look.
is "what it used in INIT is told" "true" "$(field ".init_cpu_ns $([ "$mode" = root ] && echo '>' || echo '>=') 0")"
is "nothing is left" "" "$(leftovers)"

launch "$(python_argv "$speak"'
ready(); go(); put("x", "x"); done(); time.sleep(30)')" "$(gated '.clock.data = []')"
is "a gated program without data" "done" "$(field .ended)"

# ---- the data ----

launch "$(python_argv "$speak"'
def attempt(what):
    try: what(); return "did"
    except OSError as e: return e.strerror
found = [os.path.join(d, f) for top in ("/data", "/work", "/tmp", "/run", "/dev/shm") for d, _, fs in os.walk(top) for f in fs]
mounts = [l for l in open("/proc/self/mountinfo") if " /data " in l]
moved = attempt(lambda: os.rename("/data", "/data2")) + ", " + attempt(lambda: os.rmdir("/data"))
ready(); go()
put("found", repr(found)); put("mounts", str(len(mounts))); put("moved", moved)
put("write", attempt(lambda: open("/data/new", "w")) + ", " + attempt(lambda: os.unlink("/data/text")))
done(); time.sleep(30)')" "$(gated)"
is "no data anywhere before GO" "[] 0" "$(cat "$run/artifacts/out/found") $(cat "$run/artifacts/out/mounts")"
is "their place cannot be taken away" "Read-only file system, Read-only file system" "$(cat "$run/artifacts/out/moved")"
is "they are read-only" "Read-only file system, Read-only file system" "$(cat "$run/artifacts/out/write")"

launch '["true"]' "$(gated '.clock.data[0].source = "/nowhere/at/all"')"
is "a missing source" "setup-error true" "$(field '"\(.ended) \(.error | contains("/nowhere/at/all"))"')"
launch '["true"]' "$(gated '.clock.data[0].source += "/text"')"
is "a source that is no folder" "setup-error true" "$(field '"\(.ended) \(.error | contains("not a folder"))"')"
ln -s /etc/passwd "$data/link"
mkfifo "$data/pipe"
launch "$(python_argv "$speak"'
ready(); go(); put("x", "x"); done(); time.sleep(30)')" "$(gated)"
is "links and pipes among the data hold nobody up" "done" "$(field .ended)"
rm "$data/link" "$data/pipe"

# ---- who breaks the protocol ----

# breaks TEXT WANTED PROGRAM [FILTER]
breaks() {
    launch "$(python_argv "$speak$3")" "$(gated "${4:-.}")"
    is "$1" "$2" "$(field '"\(.ended) \(.wall_ns) \(.error)"')"
    is "$1: nothing is left" "" "$(leftovers)"
}
breaks "DONE before READY" 'clock 0 said "DONE" to the clock, which waited for READY' 'done(); time.sleep(30)'
breaks "another word" 'clock 0 said "HELLO" to the clock, which waited for READY' 'os.write(fd, b"HELLO\n"); time.sleep(30)'
breaks "a word without end" 'clock 0 said "xxxxxxx" to the clock, which waited for READY' 'os.write(fd, b"x" * 5000); time.sleep(30)'
breaks "bytes that are no text" 'clock 0 said "\x1b[2J" to the clock, which waited for READY' 'os.write(fd, b"\x1b[2J\n"); time.sleep(30)'
breaks "never READY" 'wall-limit 0 not READY after 400 ms of INIT' 'time.sleep(30)' '.clock.init_wall_ms = 400'
breaks "much work in INIT" 'cpu-limit 0 INIT used more than 200 ms of cpu time' '
while True: pass' '.clock.init_cpu_ms = 200'
breaks "much work in INIT by a child" 'cpu-limit 0 INIT used more than 200 ms of cpu time' '
if os.fork() == 0:
    while True: pass
time.sleep(30)' '.clock.init_cpu_ms = 200'
breaks "leaving in INIT" 'exit 0 null' 'sys.exit(0)'
launch "$(python_argv "$speak"'ready(); go(); os.close(fd); time.sleep(0.1)')" "$(gated)"
is "leaving without DONE" "exit true" "$(field '"\(.ended) \(.wall_ns >= 100000000)"')"
launch "$(python_argv "$speak"'ready(); ready(); time.sleep(30)')" "$(gated)"
is "READY twice" "clock" "$(field .ended)"
launch "$(python_argv "$speak"'ready(); go(); time.sleep(30)')" "$(gated '.limits.wall_ms = 300')"
is "the wall limit runs from GO" "wall-limit true" "$(field '"\(.ended) \(.wall_ns >= 300000000)"')"
launch "$(python_argv "$speak"'time.sleep(0.6); ready(); go(); put("x", "x"); done(); time.sleep(30)')" \
    "$(gated '.limits.wall_ms = 500')"
is "… and not in INIT" "done" "$(field .ended)"

# ---- work where none is timed ----

# Threads, and a child in a session of its own, note the time for as long as they
# run: their clock is the launcher's but for whole seconds (the time namespace).
launch "$(python_argv "$speak"'
def note(name):
    f = os.open("out/" + name, os.O_CREAT | os.O_WRONLY)
    while True: os.pwrite(f, b"%020d" % time.monotonic_ns(), 0)
put("x", "x")
if os.fork() == 0:
    os.setsid()
    os.close(fd)
    note("child")
ready(); go()
put("began", str(time.monotonic_ns()))
threading.Thread(target=note, args=("thread",), daemon=True).start()
time.sleep(0.1)
done()
note("main")')" "$(gated)"
is "a program that goes on after DONE is over" "done" "$(field .ended)"
began=$(field .t_clock_start) stopped=$(field .t_clock_stop)
shift_ns=$(((began - $(cat "$run/artifacts/out/began") + 500000000) / 1000000000 * 1000000000))
for who in child thread main; do
    [ -s "$run/artifacts/out/$who" ] || continue
    last=$((10#$(cat "$run/artifacts/out/$who") + shift_ns))
    is "nothing runs beyond the clock: $who" true \
        "$([ "$last" -le "$stopped" ] && [ "$last" -ge "$began" ] && echo true || echo "$last, stopped $stopped")"
done
is "the program's end is after the clock's" "true" "$(field '.t_empty >= .t_clock_stop and .t_clock_stop > .t_clock_start')"
frozen=$(field '.limits[] | select(.name == "gate-freeze").by')
case $mode in
root) is "the tree is frozen at READY and DONE" kernel "$frozen" ;;
*) is "whether it was frozen is told" 1 "$(grep -cxE 'kernel|none' <<<"$frozen")" ;;
esac

# ---- told to stop ----

# stopped TEXT PROGRAM: SIGTERM to the launcher once the program has said so.
stopped() {
    prepare "$(python_argv "$speak$2")" "$(gated '.limits.grace_ms = 100')"
    "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" 2>"$run/errors" &
    local pid=$!
    for _ in $(seq 200); do
        [ -s "$run/stdout" ] && break
        sleep 0.05
    done
    kill -TERM "$pid"
    wait "$pid"
    is "$1" cancelled "$(field .ended)"
    is "$1: nothing is left" "" "$(leftovers)"
}
stopped "told to stop in INIT" 'print("here", flush=True); time.sleep(30)'
stopped "told to stop behind GO" 'ready(); go(); print("here", flush=True); time.sleep(30)'

# ---- lines ----

lines() { # OUTSIDE_MS [FILTER]
    printf '%s' '.clock = {kind: "lines", start: "^begin [0-9]+$", stop: "^end$", outside_ms: '"$1"'} | '"${2:-.}"
}
# arrived STREAM BYTE: when the launcher read this byte, in ns since the release.
arrived() { awk -v tag="$1" -v at="$2" '$2 == tag && $3 <= at && at < $3 + $4 { print $1 }' "$run/stamps"; }
# by_lines TEXT OUTSIDE_MS PROGRAM START STOP: which byte ends the line, as "o 7"; "-":
# the release, or the program's end.
by_lines() {
    local start=0 stop
    launch "$(python_argv 'import sys, time
def say(s): sys.stdout.write(s); sys.stdout.flush()
'"$3")" "$(lines "$2")"
    # shellcheck disable=SC2086 # two words each
    [ "$4" = - ] || start=$(arrived $4)
    # shellcheck disable=SC2086
    [ "$5" = - ] || stop=$(arrived $5)
    is "$1" "exit $start ${stop:-true} true true" "$(field '.t_release as $zero | (.t_clock_stop - $zero) as $stop
        | "\(.ended) \(.t_clock_start - $zero) '"$([ "$5" = - ] && echo '\(.t_clock_stop >= .t_clock_start)' || echo '\($stop)')"'"
        + " \(.wall_ns == .t_clock_stop - .t_clock_start + ([.outside_ns - '"$2"'000000, 0] | max))"
        + " \(.outside_ns >= .t_clock_start - $zero)"')"
}
by_lines "the time between two lines" 60000 '
time.sleep(0.1); say("begin 1\n"); time.sleep(0.1); say("end\n"); time.sleep(0.1)' "o 7" "o 11"
by_lines "what is outside beyond its cap counts" 100 '
time.sleep(0.2); say("begin 1\n"); time.sleep(0.05); say("end\n"); time.sleep(0.2)' "o 7" "o 11"
is "… and so both sleeps are in it, but for the cap" true "$(field '.wall_ns >= 300000000')"
by_lines "both in one piece: held back, so the start is none" 60000 'time.sleep(0.1); say("begin 1\nend\n")' - "o 11"
by_lines "a start that never comes" 0 'time.sleep(0.1); say("end\n")' - -
by_lines "an end that never comes" 60000 'say("begin 1\n"); time.sleep(0.1)' "o 7" -
by_lines "the end before the start is none" 60000 'say("end\nbegin 1\n"); time.sleep(0.1); say("end\n")' "o 11" "o 15"
by_lines "a line in pieces, on stderr too" 60000 '
say("beg"); time.sleep(0.1); say("in 12\n"); time.sleep(0.1); sys.stderr.write("end\n"); time.sleep(0.1)' "o 8" "e 3"
by_lines "lines without end, and NULs" 60000 '
say("x" * 5000 + "\nbegin 1\n"); time.sleep(0.1); say("end\0\n" + "y" * 5000 + "end\n"); time.sleep(0.1); say("end\n")' \
    "o 5008" "o 10021"
by_lines "the first of each counts" 60000 '
say("begin 1\n"); time.sleep(0.1); say("begin 2\nend\n"); time.sleep(0.1); say("end\n")' "o 7" "o 19"
exit "$failed"
