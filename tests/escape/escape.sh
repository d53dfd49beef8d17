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

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
export ESCAPE_OPEN_POLICY=$folder/open.json ESCAPE_MODE=$mode PADDOCK_BIN=$bin
jq -f "$here/open_policy.jq" "$policy_dir/train.json" >"$ESCAPE_OPEN_POLICY" || exit 1
# shellcheck disable=SC2086
"$bin/../tests/escape_runner" ${ESCAPE_ARGS:-}
