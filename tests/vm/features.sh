#!/usr/bin/env bash
# What the kernel's control groups are to do for a sandbox, feature by feature,
# seen from outside while it runs. Run by guest.sh as each of its users; what a
# user or a hierarchy cannot have must be reported so, and refused if required.
# What fence_lib.bash sets is not seen by shellcheck.
# shellcheck disable=SC2154,SC2016,SC2317
set -uo pipefail
self=$(readlink -f "$0")
# shellcheck source=tests/integration/fence_lib.bash disable=SC1091
. "$(dirname "$self")/../integration/fence_lib.bash"
fan_out "$self"
make_work
who=${VM_WHO:?run by guest.sh}
case $who in
v1) controls=v1 unified='' ;;
hybrid) controls=v1 unified=1 ;;
plain) controls='' unified='' ;;
*) controls=v2 unified=1 ;;
esac

# limit NAME: who enforces it, as the result says.
limit() { field ".limits[] | select(.name == \"$1\") | .by"; }
detail() { field ".limits[] | select(.name == \"$1\") | .detail"; }
group_of() { find /sys/fs/cgroup -type d -name "$1" 2>/dev/null; }
# Of the running sandbox: the words of a file in (or, with ../, above) its group.
# in_group FILE
in_group() {
    local g
    for g in $(group_of "$id"); do [ ! -f "$g/$1" ] || tr '\n' ' ' <"$g/$1" | sed 's/ $//'; done
}
# start ARGV [FILTER]: like launch, but does not wait. The program says "ready".
start() {
    prepare "$@"
    "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" 2>"$run/errors" &
    launcher=$!
    local i
    for ((i = 0; i < 600; i++)); do
        [ ! -s "$run/stdout" ] || return 0
        kill -0 $launcher 2>/dev/null || return 0
        sleep 0.05
    done
}
stop() {
    kill -TERM $launcher 2>/dev/null
    wait $launcher
}
# becomes TEXT WANTED COMMAND...: what the command prints, within a minute.
becomes() {
    local text=$1 wanted=$2 i got=
    shift 2
    for ((i = 0; i < 600; i++)); do
        got=$("$@")
        [ "$got" != "$wanted" ] || break
        sleep 0.1
    done
    is "$text" "$wanted" "$got"
}
ready='echo ready; exec sleep 60'
everything='.limits.cpu_percent = 50 | .limits.memory_high_bytes = 134217728 |
    .limits.io = [{path: "/disk", read_bps: 1048576, write_bps: 1048576, read_iops: 500, write_iops: 500}]'

# ---- what the files say ----
start "$(shell_argv "$ready")" "$everything"
case $controls in
v2)
    is "memory.max" 268435456 "$(in_group memory.max)"
    is "memory.high" 134217728 "$(in_group memory.high)"
    is "memory.swap.max" 0 "$(in_group memory.swap.max)"
    is "memory.oom.group" 1 "$(in_group memory.oom.group)"
    is "pids.max, the program's processes alone" 64 "$(in_group pids.max)"
    is "cpu.max" "50000 100000" "$(in_group cpu.max)"
    is "io.max" "$(stat -c %Hr:%Lr /dev/vdc) rbps=1048576 wbps=1048576 riops=500 wiops=500" "$(in_group io.max)"
    is "one group" 1 "$(group_of "$id" | wc -l)"
    ;;
v1)
    is "memory.limit_in_bytes" 268435456 "$(in_group memory.limit_in_bytes)"
    is "pids.max, the program's processes alone" 64 "$(in_group pids.max)"
    is "cpu.cfs_quota_us" 50000 "$(in_group cpu.cfs_quota_us)"
    is "blkio.throttle.write_bps_device" "$(stat -c %Hr:%Lr /dev/vdc) 1048576" \
        "$(in_group blkio.throttle.write_bps_device)"
    is "blkio.throttle.read_iops_device" "$(stat -c %Hr:%Lr /dev/vdc) 500" \
        "$(in_group blkio.throttle.read_iops_device)"
    ;;
'') is "no group" 0 "$(group_of "$id" | wc -l)" ;;
esac
case $who in
busy | root) is "it lies at the top" "/sys/fs/cgroup/paddock/$id" "$(group_of "$id")" ;;
nested) is "it lies below the namespace's top" "/sys/fs/cgroup/paddock/$id" "$(group_of "$id")" ;;
delegated) is "it lies in the delegated subtree" "/sys/fs/cgroup/user.slice/with-ids/runs/paddock/$id" "$(group_of "$id")" ;;
own) is "it lies in the delegated subtree" "/sys/fs/cgroup/user.slice/no-ids/runs/paddock/$id" "$(group_of "$id")" ;;
esac
stop
is "nothing is left" "" "$(leftovers)"
kernel_where=$([ -n "$controls" ] && echo kernel || echo none)
for name in cpu-percent io; do is "$name is enforced by" "$kernel_where" "$(limit $name)"; done
is "memory-high is enforced by" "$([ "$controls" = v2 ] && echo kernel || echo none)" "$(limit memory-high)"
launch '["true"]' "$everything | .require = [\"cpu-percent\", \"io\"]"
is "what is required of it is $([ -n "$controls" ] && echo accepted || echo refused)" \
    "$([ -n "$controls" ] && echo exit || echo setup-error)" "$(field .ended)"
launch '["true"]' "$everything | .require = [\"memory-high\"]"
is "memory-high required is $([ "$controls" = v2 ] && echo accepted || echo refused)" \
    "$([ "$controls" = v2 ] && echo exit || echo setup-error)" "$(field .ended)"
launch '["true"]' '.limits.io = [{path: "/tmp", read_bps: 1}] | .require = ["io"]'
is "a rate for what is no disk is refused when required" "setup-error" "$(field .ended)"
launch '["true"]' '.limits.io = [{device: "9999:1", read_bps: 1}]'
is "… and else reported as not enforced" "exit none" "$(field .ended) $(limit io)"

if [ -z "$controls" ]; then
    is "memory is watched instead" "watcher" "$(limit memory)"
    exit "$failed"
fi

# ---- what they do ----
launch "$(python_argv 'import time
end = time.monotonic() + 3
while time.monotonic() < end: pass')" '.limits.cpu_percent = 20'
share=$(field '(.cpu_user_ns + .cpu_system_ns) * 100 / .wall_ns | floor')
check "a share of the cpu is kept (20 % asked for, $share % used)" test "$share" -le 30

if [ "$controls" = v2 ]; then
    start "$(python_argv 'print("ready", flush=True)
x = [bytearray(1 << 20) for i in range(96)]
while True: pass')" '.limits.memory_high_bytes = 33554432'
    slowed() { in_group memory.events | grep -cE '(^| )high [1-9]'; }
    becomes "beyond memory.high the kernel steps in" 1 slowed
    is "… without killing" "oom_kill 0" "$(in_group memory.events | grep -oE 'oom_kill [0-9]+')"
    stop
    is "… and it can be ended" "cancelled" "$(field .ended)"
fi

# A tree of which one member takes too much: all of it goes, and at once.
launch "$(python_argv 'import os, time
for i in range(3):
    if os.fork() == 0: time.sleep(60)
x = [bytearray(1 << 20) for i in range(400)]')" '.limits.memory_bytes = 67108864'
is "out of memory, the whole tree ends" "memory-limit" "$(field .ended)"
is "nothing is left" "" "$(leftovers)"

mkdir -p "/disk/$who"
chmod 777 "/disk/$who"
on_disk=".mounts = [{source: \"/disk/$who\", target: \"/data\", writable: true}] | .limits.wall_ms = 120000"
writer='import mmap, os, time
page = mmap.mmap(-1, 1 << 19)
fd = os.open("/data/file", os.O_RDWR | os.O_CREAT | os.O_DIRECT)
begin = time.monotonic()
for i in range(8): os.pwritev(fd, [page], i << 19)
print(int((time.monotonic() - begin) * 1000))
begin = time.monotonic()
for i in range(8): os.preadv(fd, [page], i << 19)
print(int((time.monotonic() - begin) * 1000))'
launch "$(python_argv "$writer")" "$on_disk | .limits.io = [{path: \"/disk\", read_bps: 2097152, write_bps: 1048576}]"
# 4 MiB at 1 and at 2 MiB/s, less what may be ahead: only too fast can fail.
{ read -r wrote && read -r was_read; } <"$run/stdout"
check "writing 4 MiB at 1 MiB/s takes over 3 s (${wrote:-?} ms)" test "${wrote:-0}" -ge 3000
check "reading 4 MiB at 2 MiB/s takes over 1.5 s (${was_read:-?} ms)" test "${was_read:-0}" -ge 1500
is "… and is counted" "true" "$(field '.io_write_bytes >= 4194304 and .io_read_bytes >= 4194304')"

# Cpus of its own; one suite at a time, since there is one to give away.
exec 9</run/lock/cpus
flock 9
others() { cat /sys/fs/cgroup/cpuset.cpus.effective; }
start "$(shell_argv "$ready")" '.cpus = "1" | .limits.cpus_exclusive = true'
case $who in
root | busy)
    is "cpus-exclusive is enforced by" root "$(cat "/sys/fs/cgroup/paddock-$id/cpuset.cpus.partition" 2>&1)"
    is "nobody else has the cpu" 0 "$(others)"
    first=$launcher first_run=$run
    launch '["true"]' '.cpus = "1" | .limits.cpus_exclusive = true'
    is "a second one does not get it" "exit none" "$(field .ended) $(limit cpus-exclusive)"
    launch '["true"]' '.cpus = "1" | .limits.cpus_exclusive = true | .require = ["cpus-exclusive"]'
    is "… and is refused when it must" "setup-error" "$(field .ended)"
    launch '["true"]'
    is "one without cpus still runs" "exit 0" "$(field '"\(.ended) \(.exit_code)"')"
    launcher=$first run=$first_run
    stop
    is "… as the first one's result says" kernel "$(limit cpus-exclusive)"
    is "the cpu is given back" 0-1 "$(others)"
    start "$(shell_argv "$ready")" '.cpus = "1" | .limits.cpus_exclusive = true'
    kill -KILL $launcher
    wait $launcher 2>/dev/null
    "$bin/paddock-sandbox" sweep >/dev/null
    is "a sweep gives back what a killed launcher had" 0-1 "$(others)"
    is "… and leaves nothing" "" "$(leftovers)$(ls -d /sys/fs/cgroup/paddock-* 2>/dev/null)"
    ;;
*)
    stop
    is "cpus-exclusive cannot be had here, and the report says so" none "$(limit cpus-exclusive)"
    is "nobody lost a cpu" 0-1 "$(if [ "$controls" = v2 ]; then others; else cat /sys/fs/cgroup/cpuset/cpuset.effective_cpus; fi)"
    printf '# %s\n' "$(detail cpus-exclusive)"
    launch '["true"]' '.cpus = "1" | .limits.cpus_exclusive = true | .require = ["cpus-exclusive"]'
    is "… and required it is refused" "setup-error" "$(field .ended)"
    ;;
esac
launch '["python3", "-c", "import os; print(os.sched_getaffinity(0))"]' '.cpus = "1"'
is "cpus are kept to" "{1}" "$(cat "$run/stdout")"

exec 9<&-

# Pressure, and being born in the group.
if [ -n "$unified" ]; then
    launch '["true"]'
    is "pressure is recorded" "true" "$(field '.pressure_cpu_ns >= 0 and .pressure_memory_ns >= 0 and .pressure_io_ns >= 0')"
    doctor=$("$bin/paddock" doctor --json)
    for name in CLONE_INTO_CGROUP cgroup.kill; do
        is "$name works" yes "$(jq -r ".machine.checks[] | select(.name == \"$name\") | .state" <<<"$doctor")"
    done
fi
exit "$failed"
