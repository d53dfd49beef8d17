#!/bin/bash
# Runs in the test machine as its only program: sets up the control groups and
# the users, then runs the suites asked for. Speaks TAP; ends with the status.
# The environment is the kernel's command line: TREE, HIERARCHY, SUITES, WHO.
# shellcheck disable=SC2154 # the users are in guest_setup.bash
set -uo pipefail
export PATH=/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8 PADDOCK_BIN=$TREE/build/bin
top=/sys/fs/cgroup
here=$TREE/tests/vm
failed=0 ran=0 jobs=2
# shellcheck source=tests/vm/guest_setup.bash disable=SC1091
. "$here/guest_setup.bash"

# Enters a group, then becomes a user, then runs a command.
# as_user GROUP USER COMMAND...
as_user() {
    local group=$1 user=$2
    shift 2
    bash -c 'echo $$ >"$0/cgroup.procs" && exec setpriv --reuid "$1" --regid "$1" --clear-groups -- env HOME=/tmp "${@:2}"' \
        "$group" "$user" "$@"
}

# as WHO COMMAND...
as() {
    local who=$1
    shift
    case $who in
    root | v1 | hybrid) FENCE_MODE=root "$@" ;;
    busy) bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$top/busy" env FENCE_MODE=root "$@" ;;
    nested) in_namespace env FENCE_MODE=root "$@" ;;
    delegated) as_user "$top/user.slice/with-ids/shell" "$subid_uid" \
        env FENCE_MODE=subid PADDOCK_CGROUP=/user.slice/with-ids/runs "$@" ;;
    own) as_user "$top/user.slice/no-ids/shell" "$plain_uid" \
        env FENCE_MODE=plain PADDOCK_CGROUP=/user.slice/no-ids/runs "$@" ;;
    plain) as_user "$top/stranger" "$plain_uid" env FENCE_MODE=plain "$@" ;;
    *) echo "not ok - no such user: $who" ;;
    esac
}

# suite WHO WHAT
suite() {
    local who=$1 what=$2 name log begin=$SECONDS status p f s
    local command=("$TREE/$what")
    name=$(basename "$what" .sh)
    log=/run/log-$name-$who
    case $what in *.sh) command=(bash "$TREE/$what") ;; esac
    as "$who" env CMOCKA_MESSAGE_OUTPUT=TAP ESCAPE_ARGS=--tap VM_WHO="$who" timeout -k 10 "${SUITE_SECONDS:-900}" "${command[@]}" >"$log" 2>&1 </dev/null
    status=$?
    s=$(grep -cE '^(not )?ok .*# SKIP' "$log")
    p=$(grep -E '^ok ' "$log" | grep -cvF '# SKIP')
    f=$(grep -E '^not ok ' "$log" | grep -cvF '# SKIP')
    # A cmocka test says why it skips in the line before.
    awk -v name="$name/$who" '
        /^skip - / { why = substr($0, 8); next }
        /^(not )?ok / {
            result = $1 == "ok" ? "ok" : "not ok"
            text = $0
            sub(/^(not )?ok *[0-9]* *(- )?/, "", text)
            if (sub(/^# SKIP */, "", text)) { text = text " # SKIP " why; result = "ok" }
            print result " - " name ": " text
            next
        }
        { print "    # " $0 }' "$log" >"$log.tap"
    {
        if [ "$f" -gt 0 ] || [ "$status" -ne 0 ]; then cat "$log.tap"; else grep -E '^(not )?ok ' "$log.tap"; fi
        if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
            echo "not ok - $name/$who: ended with status $status"
            f=1
        elif [ $((p + s + f)) -eq 0 ]; then
            echo "not ok - $name/$who: no test ran"
            f=1
        fi
        printf '# %-24s %-10s %3d passed %3d failed %3d skipped %4d s\n' "$name" "$who" "$p" "$f" "$s" $((SECONDS - begin))
    } >"$log.all"
    [ "$f" -eq 0 ] || : >/run/failed
    exec 8>/run/lock/console
    flock 8
    cat "$log.all"
}

# Whether a line of the list is asked for: by the suite's name, or all.
wanted() {
    local who=$1 name=$2 one
    case $who in
    v1 | hybrid) [ "$HIERARCHY" = "$who" ] || return 1 ;;
    *) [ "$HIERARCHY" = v2 ] || return 1 ;;
    esac
    [ -n "${SUITES:-}" ] || return 0
    for one in ${SUITES//,/ }; do
        case $name/$who in "$one" | "$one"/* | */"$one") return 0 ;; esac
    done
    return 1
}

set_up
read -r up _ </proc/uptime
echo "# kernel $(uname -r), $(nproc) cpus, control groups $HIERARCHY, ready $up s after power-on"
if [ -n "${SHELL_WANTED:-}" ]; then
    exec setsid -c bash -i
fi
while read -r who what condition <&3; do
    case $who in '' | '#'*) continue ;; esac
    wanted "$who" "$(basename "$what" .sh)" || continue
    if [ -e "$TREE/$what" ]; then
        # Two at a time: they sleep a lot, and the machine has two cpus.
        while [ "$(jobs -rp | wc -l)" -ge $jobs ]; do wait -n; done
        suite "$who" "$what" 3<&- &
        ran=$((ran + 1))
    elif [ "$condition" = if-built ]; then
        echo "ok - $(basename "$what")/$who # SKIP $what is not built"
    else
        echo "not ok - $(basename "$what")/$who: $what is missing"
        failed=1
    fi
done 3<"$here/suites"
wait
[ ! -e /run/failed ] || failed=1
read -r up _ </proc/uptime
echo "# $ran suites, done $up s after power-on"
exit "$failed"
