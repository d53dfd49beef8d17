#!/usr/bin/env bash
# The fence seen from inside and from outside: what must not be crossed is tried,
# what must work is used, in each amount of privilege.
# What fence_lib.bash sets is not seen by shellcheck.
# shellcheck disable=SC2154,SC2016,SC2216
set -uo pipefail
self=$(readlink -f "$0")
here=$(dirname "$self")
# shellcheck source=tests/integration/fence_lib.bash disable=SC1091
. "$here/fence_lib.bash"
fan_out "$self"
make_work
chmod 755 "$work"

# ---- from inside ----
mkdir "$work/probe"
cp "$here/fence_probe.py" "$work/probe/"
exec 47</etc/hostname # a descriptor that must not be seen inside
launch '["python3", "fence_probe.py"]' ".workspace.source = \"$work/probe\" | .limits.wall_ms = 60000"
exec 47<&-
is "no probe crosses the fence" "done" "$(grep -v '^info' "$run/stdout")$(cat "$run/stderr" "$run/errors" | tail -n 3)"
[ "$mode" = user ] || is "the mode is what it should be" "$mode" "$(field .privilege)"
is "no layer is off but those the mode lacks" "" \
    "$(field '[.fence[] | select(.state == "off" and .name != "cgroup" and .name != "landlock") | .name] | join(" ")')"
is "nothing is left" "" "$(leftovers)"

# The layers below the filter hold by themselves: the same probes under a policy
# that lets the privileged calls through. Only a user namespace of one's own can
# then be made, which is what the filter is for.
jq '["mount", "umount2", "pivot_root", "chroot", "fsopen", "open_tree", "move_mount", "unshare", "setns", "bpf",
     "init_module", "reboot", "sethostname", "settimeofday", "open_by_handle_at", "ptrace", "mknod", "mknodat",
     "setuid", "setgroups", "setpriority", "clone"] as $open |
    .name = "open" | .rules |= map(.calls -= $open | select(.calls | length > 0)) |
    .rules += [{name: "open", action: "allow", reason: "the layers below are tried", calls: $open}]' \
    "$policy_dir/train.json" >"$work/open.json"
launch '["python3", "fence_probe.py", "open"]' \
    ".workspace.source = \"$work/probe\" | .limits.wall_ms = 60000 | .policy = \"$work/open.json\""
is "without the filter the other layers hold" "done" \
    "$(grep -vE '^info|system call unshare 10000000' "$run/stdout")$(field '.error // empty')"

# The launch moves its processes about; the program may use every cpu we may.
for _ in $(seq 20); do
    launch '["grep", "Cpus_allowed_list", "/proc/self/status"]'
    cat "$run/stdout"
done >"$work/cpus"
is "the program has all the cpus" "$(grep Cpus_allowed_list /proc/self/status)" "$(sort -u "$work/cpus")"

# Where all are busy the launch stays on one of them, but the program does not.
hogs=()
for _ in $(seq "$(nproc)"); do
    while :; do :; done &
    hogs+=($!)
done
for _ in $(seq 5); do
    launch '["grep", "Cpus_allowed_list", "/proc/self/status"]'
    cat "$run/stdout"
done >"$work/cpus"
kill "${hogs[@]}"
wait "${hogs[@]}" 2>/dev/null
is "also when all of them are busy" "$(grep Cpus_allowed_list /proc/self/status)" "$(sort -u "$work/cpus")"

# Where no control groups are mounted the fence stands, and says what it lacks.
if [ "$(id -u)" = 0 ]; then
    without_groups() { # COMMAND...: before the launcher's
        unshare -m sh -c 'awk "\$3 ~ /^cgroup/ { print \$2 }" /proc/mounts | sort -r | xargs -r umount -l &&
            exec "$@"' sh "$@" "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" 2>"$run/errors"
    }
    prepare '["sh", "-c", "echo here"]'
    without_groups
    is "root without control groups" "exit here" "$(field '.ended + (.error // "")') $(cat "$run/stdout")"
    # The watchers see the program in its own procfs, which hides it from others.
    for policy in strict train; do
        prepare '["sh", "-c", "while :; do :; done"]' \
            ".limits.cpu_ms = 200 | .limits.wall_ms = 60000 | .policy = \"$policy_dir/$policy.json\""
        without_groups
        is "… is watched ($policy)" "cpu-limit" "$(field '.ended + (.error // "")')"
        without_groups setpriv --inh-caps=-sys_ptrace --bounding-set=-sys_ptrace
        is "… also when root may not trace ($policy)" "cpu-limit" "$(field '.ended + (.error // "")')"
    done
fi

# ---- the workspace ----
mkdir -p "$work/source/sub" && chmod 700 "$work/source" "$work/source/sub"
echo secret >"$work/source/sub/private" && chmod 600 "$work/source/sub/private"
ln -s sub/private "$work/source/link"
printf '#!/bin/sh\necho ran\n' >"$work/source/tool" && chmod 755 "$work/source/tool"
launch "$(shell_argv 'cat link; ./tool; echo changed >sub/private; stat -c %u:%g sub/private; mkdir out; echo result >out/file; ln -s /etc/passwd out/escape')" \
    ".workspace.source = \"$work/source\" | .collect = [{path: \"out\"}, {path: \"missing\", required: true}]"
is "the workspace is a private copy the program owns" "secret ran 1000:1000" "$(tr '\n' ' ' <"$run/stdout" | sed 's/ $//')"
is "… and the source is untouched" "secret" "$(cat "$work/source/sub/private")"
is "what is named is collected" "result" "$(cat "$run/artifacts/out/file" 2>&1)"
check "… without the link in it" test ! -e "$run/artifacts/out/escape"
is "… and the report says so" "true 1 1 false" "$(field '"\(.collected[0].present) \(.collected[0].files) \(.collected[0].skipped) \(.collected[1].present)"')"

launch '["true"]' ".workspace.source = \"$work/source\" | .limits.disk_bytes = 4096"
is "a workspace that does not fit is a setup-error" "setup-error" "$(field .ended)"

# ---- mounts ----
mkdir "$work/data" "$work/shared"
chmod 755 "$work/data" && chmod 777 "$work/shared"
echo numbers >"$work/data/file" && chmod 644 "$work/data/file"
printf '#!/bin/sh\necho ran\n' >"$work/data/tool" && chmod 755 "$work/data/tool"
mounts=".mounts = [{source: \"$work/data\", target: \"/data\"}, {source: \"$work/data/file\", target: \"/opt/one/file\"},
    {source: \"$work/shared\", target: \"/work/shared\", writable: true}, {source: \"$work/data\", target: \"/tools\", exec: true}]"
launch "$(shell_argv 'cat /data/file /opt/one/file; echo x 2>/dev/null >/data/new && echo hole; rm -f /data/file 2>/dev/null && echo hole
    /data/tool 2>/dev/null && echo hole; /tools/tool; echo written >/work/shared/new')" "$mounts"
is "data are read-only and not executable unless asked" "numbers numbers ran" "$(tr '\n' ' ' <"$run/stdout" | sed 's/ $//')"
is "a writable mount is written" "written" "$(cat "$work/shared/new" 2>&1)"
mkdir -p "$work/seeded/shared/deep" "$work/closed" && chmod 755 "$work/closed"
echo planted >"$work/seeded/shared/planted" && echo beside >"$work/seeded/beside"
launch '["cat", "beside"]' ".workspace.source = \"$work/seeded\" | .mounts = [{source: \"$work/closed\", target: \"/work/shared\", writable: true}]"
is "what a workspace has under a mount point is not copied to the mount" "beside " "$(cat "$run/stdout") $(ls "$work/closed")"
launch '["true"]' ".mounts = [{source: \"$work/nowhere\", target: \"/data\"}]"
is "a missing source is a setup-error that names it" "setup-error true" "$(field "\"\(.ended) \(.error | contains(\"$work/nowhere\"))\"")"
for target in /proc/x /dev ../x /a/../b /; do
    prepare '["true"]' ".mounts = [{source: \"$work/data\", target: \"$target\"}]"
    if "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" 2>/dev/null; then
        not_ok "target $target is refused"
    else ok "target $target is refused"; fi
done

# ---- images ----
if [ "$mode" = root ]; then
    prepare "$(shell_argv 'ls /usr/local/share/paddock /usr/local/share')"
    unshare -m --propagation private sh -c 'mount -t tmpfs none /usr/local && mkdir -p /usr/local/share/paddock/tasks && exec "$@"' \
        sh "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run"
    is "what Paddock installed in /usr does not show" "/usr/local/share: paddock /usr/local/share/paddock:" \
        "$(tr -s '\n' ' ' <"$run/stdout" | sed 's/ $//')"
fi
image=$work/image
mkdir -p "$image/etc" "$image/opt/deep" && chmod -R 755 "$image"
for d in usr bin lib lib64; do [ -e "/$d" ] && ln -s "/host/$d" "$image/$d"; done
rm -f "$image/usr" && mkdir "$image/usr"
ln -s /etc "$image/trap"
ln -s /tmp "$image/proc" && ln -s /work "$image/dev"
launch '["/host/usr/bin/ls", "/"]' ".image = \"$image\" | .mounts = [{source: \"/usr\", target: \"/host/usr\", exec: true}, {source: \"$(readlink -f /lib64)\", target: \"/host/lib64\", exec: true}, {source: \"$(readlink -f /lib)\", target: \"/host/lib\", exec: true}]"
is "an image's own /proc and /dev count for nothing" "exit 0" "$(field '"\(.ended) \(.exit_code)"')"
launch '["true"]' ".image = \"$image\" | .mounts = [{source: \"$work/data\", target: \"/trap/x\"}]"
is "a target through an image's link is refused" "setup-error" "$(field .ended)"
check "… and nothing was made on the host" test ! -e /etc/x
launch '["true"]' ".image = \"$image\" | .mounts = [{source: \"$work/data\", target: \"/opt/deep/er\"}]"
is "a mount point missing in the image is named" "true" "$(field '.error | contains("/opt/deep/er is missing in the image")')"

# ---- network ----
loop='import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
c = socket.create_connection(s.getsockname(), 2); print("connected")'
launch "$(python_argv "$loop")" '.network = "loopback"'
is "loopback works where asked for" "connected" "$(cat "$run/stdout")"
launch "$(python_argv "$loop")"
is "… and not otherwise" "1" "$(field .exit_code)"
launch '["true"]' ".network = \"loopback\" | .policy = \"$policy_dir/strict.json\""
is "a policy without loopback refuses it" "setup-error" "$(field .ended)"

# ---- output and clock ----
launch "$(shell_argv 'echo one; sleep 0.05; echo two >&2; echo three >/dev/stdout')"
is "both streams are kept" "one three/two" "$(tr '\n' ' ' <"$run/stdout" | sed 's/ $//')/$(cat "$run/stderr")"
is "chunks are stamped in order" "o 0 4,e 0 4,o 4 6" "$(cut -d' ' -f2- "$run/stamps" | paste -sd,)"
is "the clock covers the program" "true" "$(field '.wall_ns > 50000000 and .t_clock_stop > .t_first_output and .t_first_output > .t_clock_start')"
prepare '["cat"]' '.stdin = "inherit" | .stdout = "tee" | .stderr = "inherit"'
is "stdin and a copied stdout" "hello" "$(echo hello | "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run")"
is "… which is kept as well" "hello" "$(cat "$run/stdout")"
prepare "$(shell_argv 'head -c 900000 /dev/zero; echo end >&2')" '.stdout = "tee"'
is "a slow reader loses nothing" "900000" \
    "$("$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" | (sleep 0.5; wc -c | tr -d ' '))"
prepare '["yes"]' '.stdout = "tee" | .limits.wall_ms = 500'
"$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" | sleep 2
is "a reader that never reads does not stop the clock" "wall-limit" "$(field .ended)"
prepare '["cat"]' '.stdin = "inherit"'
"$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" </usr
is "a folder is not handed in" "setup-error true" "$(field '"\(.ended) \(.error | contains("folder"))"')"

# ---- what a caller leaves ----
prepare '["grep", "SigIgn", "/proc/self/status"]'
python3 -c 'import ctypes, os, sys
ignore = (ctypes.c_ulong * 4)(1, 0x04000000, 0, 0)
for s in (1, 15, 32, 33, 64): ctypes.CDLL(None).syscall(13, s, ignore, None, 8)
os.execv(sys.argv[1], sys.argv[1:])' "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run"
is "no signal is ignored because a caller ignores it" "SigIgn: 0000000000000000" "$(tr '\t' ' ' <"$run/stdout")"
for files in 5 6 7 8 9 10 12 14 16 20 24 28 32 36 40 44 48; do
    prepare '["true"]'
    (ulimit -n "$files" && exec "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run") 2>"$run/errors"
    is "a launcher with $files descriptors leaves nothing" "" "$(leftovers)"
done

# ---- the spec ----
for filter in '.unknown = 1' '.id = "../x"' '.argv = []' '.env = ["novalue"]' '.limits.wall_ms = -1' '.policy = "train.json"'; do
    prepare '["true"]' "$filter"
    "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" 2>"$run/errors"
    is "a spec with $filter is refused" "125" "$?"
done
launch '["true"]' '.cwd = "/proc/self/fd/4"'
is "a cwd through a descriptor is refused" "setup-error" "$(field .ended)"
exit "$failed"
