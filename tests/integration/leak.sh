#!/usr/bin/env bash
# A small version of ./dev bench leak: 200 launches and a few versions of a
# daemon leave nothing. $PADDOCK_BIN: the programs.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
if ! command -v jq >/dev/null; then
    echo "ok - leaks # SKIP jq is not installed"
    exit 0
fi
LEAK_TAP=1 exec bash tests/bench/leak.sh 200
