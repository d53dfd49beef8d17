# Shared by fence.sh and limits.sh: runs the launcher on specs made here, in each
# of the three amounts of privilege that this machine and user allow.
#
# As root the script runs itself three times: as it is, as a user with
# subordinate ids and as a user without. The users exist only in a mount
# namespace of the test's own, so that nothing on the machine changes.
# shellcheck shell=bash

bin=${PADDOCK_BIN:?set PADDOCK_BIN to the folder with paddock-sandbox}
bin=$(cd "$bin" && pwd)
failed=0
plain_uid=54321
subid_uid=54322

ok() { printf 'ok - %s: %s\n' "$mode" "$1"; }
not_ok() {
    printf 'not ok - %s: %s\n' "$mode" "$1"
    [ -z "${2:-}" ] || printf '%s\n' "$2" | sed 's/^/    # /'
    failed=1
}
skip() { printf 'ok - %s: %s # SKIP %s\n' "$mode" "$1" "$2"; }
# check TEXT COMMAND...
check() {
    local text=$1 out
    shift
    if out=$("$@" 2>&1); then ok "$text"; else not_ok "$text" "$out"; fi
}
# is TEXT WANTED GOT
is() {
    if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "wanted: $2
got: $3"; fi
}

# Runs a command as a user that has, or has not, ranges in /etc/subuid.
as_subid() {
    unshare -m --propagation private bash -c '
        dir=$(mktemp -d) && mount -t tmpfs none "$dir" && chmod 755 "$dir"
        for f in passwd group subuid subgid; do
            touch "/etc/$f" 2>/dev/null
            cp "/etc/$f" "$dir/$f"
        done
        echo "paddock-test:x:$0:$0::/tmp:/bin/sh" >>"$dir/passwd"
        echo "paddock-test:x:$0:" >>"$dir/group"
        echo "paddock-test:300000:65536" >>"$dir/subuid"
        echo "paddock-test:300000:65536" >>"$dir/subgid"
        for f in passwd group subuid subgid; do mount --bind "$dir/$f" "/etc/$f" || exit 1; done
        exec setpriv --reuid "$0" --regid "$0" --clear-groups "$@"
    ' "$subid_uid" "$@"
}
as_plain() { setpriv --reuid "$plain_uid" --regid "$plain_uid" --clear-groups "$@"; }

# Decides the mode, or fans out as root and exits.
fan_out() {
    local self=$1 policies=$bin/../policies status=0
    policy_dir=${PADDOCK_POLICIES:-$policies}
    if [ -n "${FENCE_MODE:-}" ]; then
        mode=$FENCE_MODE
        return
    fi
    if [ "$(id -u)" -ne 0 ]; then
        mode=user
        return
    fi
    FENCE_MODE=root bash "$self" || status=1
    mode=subid
    if ! command -v newuidmap >/dev/null; then skip "all" "newuidmap is not installed (package uidmap)"
    elif ! as_subid true 2>/dev/null; then skip "all" "cannot make a user with subordinate ids here"
    else FENCE_MODE=subid as_subid bash "$self" || status=1; fi
    mode=plain
    if ! as_plain test -x "$bin/paddock-sandbox"; then skip "all" "another user cannot reach $bin"
    else FENCE_MODE=plain as_plain bash "$self" || status=1; fi
    exit $status
}

work=
make_work() {
    work=$(mktemp -d /tmp/paddock-test-XXXXXX)
    export PADDOCK_LIVE=$work/live
    mkdir -m 700 "$work/live"
    trap 'rm -rf "$work"' EXIT
}

serial=0
# launch ARGV_JSON [JQ_FILTER]: runs a spec; its files are in $run, $id its name.
prepare() {
    serial=$((serial + 1))
    id=t$$-$serial
    run=$work/run-$serial
    mkdir "$run"
    jq -n --arg id "$id" --arg policy "$policy_dir/train.json" --argjson argv "$1" '{
        id: $id, argv: $argv, env: ["PATH=/usr/bin:/bin", "HOME=/tmp/home"], policy: $policy,
        limits: {wall_ms: 20000, memory_bytes: 268435456, pids: 64, output_bytes: 1048576,
                 disk_bytes: 33554432, disk_inodes: 2000, tmp_bytes: 16777216}
    }' | jq "${2:-.}" >"$run/spec.json"
}
launch() {
    prepare "$@"
    "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" 2>"$run/errors"
}
field() { jq -r "$1" "$run/result.json" 2>/dev/null; }
shell_argv() { jq -cn --arg s "$1" '["sh", "-c", $s]'; }
python_argv() { jq -cn --arg s "$1" '["python3", "-c", $s]'; }

# Nothing of the last run may be left: process, group, registry entry, mount. The
# launcher's janitor may still be about to remove the groups.
leftovers() {
    local left
    for _ in $(seq 40); do
        left=$(look_for_leftovers)
        [ -n "$left" ] || return 0
        sleep 0.05
    done
    printf '%s\n' "$left"
}
look_for_leftovers() {
    pgrep -f -- "$id" | while read -r p; do [ "$p" != $$ ] && [ "$p" != "$BASHPID" ] && echo "process $p"; done
    find /sys/fs/cgroup -maxdepth 6 -type d -name "$id" 2>/dev/null | sed 's/^/group /'
    find "$PADDOCK_LIVE" -name "$id" | sed 's/^/entry /'
    grep -F "$run" /proc/self/mountinfo
    true
}
