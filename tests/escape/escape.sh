#!/usr/bin/env bash
# The escape corpus in each of the three amounts of privilege. Options are those
# of the runner (escape.c); --tap for tests/run.sh. Needs PADDOCK_BIN.
# shellcheck disable=SC2154
set -uo pipefail
self=$(readlink -f "$0")
here=$(dirname "$self")
[ $# -eq 0 ] || export ESCAPE_ARGS="$*"
# shellcheck source=tests/integration/fence_lib.bash disable=SC1091
. "$here/../integration/fence_lib.bash"
fan_out "$self"

# Left out alone, and together with what covers for it.
layers='user-namespace mount-namespace mount-namespace,landlock pid-namespace pid-namespace,cgroup
    network-namespace network-namespace,landlock ipc-namespace uts-namespace cgroup-namespace time-namespace
    read-only read-only,landlock mount-flags mount-flags,no-new-privs no-new-privs mount-sizes proc-masks devices
    descriptors descriptors,landlock capabilities seccomp landlock cgroup rlimits keyring id-range kill kill,janitor sweep sweep,janitor
    collection watchers'

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
export ESCAPE_OPEN_POLICY=$folder/open.json ESCAPE_MODE=$mode PADDOCK_BIN=$bin
jq -f "$here/open_policy.jq" "$policy_dir/train.json" >"$ESCAPE_OPEN_POLICY" || exit 1
if [ "${ESCAPE_ARGS:-}" = --layers ]; then
    for layer in $layers; do
        # Only root can do without a user namespace, and has ids to share.
        case $mode-$layer in plain-user-namespace | subid-user-namespace | *-id-range)
            [ "$mode" = root ] || continue ;;
        esac
        printf '%s | %s | %s\n' "$mode" "$layer" "$("$bin/../tests/escape_runner" --without "$layer" --through \
            --only corpus 2>/dev/null)"
    done
    exit
fi
# shellcheck disable=SC2086
"$bin/../tests/escape_runner" ${ESCAPE_ARGS:-}
