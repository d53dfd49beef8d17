#!/usr/bin/env bash
# The cheats that need no long training, and the table of rules in the reference.
# Needs PADDOCK_BIN: the folder of the programs.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
: "${PADDOCK_BIN:?the folder of the programs}"
bad=0

page=docs/reference/api.md
# shellcheck disable=SC2016 # backticks of Markdown
missing=$(comm -3 <(sed -n 's/^#define RULE_[A-Z_]* *"\(.*\)"$/\1/p' orchestrator/judge/rule.h | sort) \
    <(sed -n '/^## Rules/,/^## /s/^| `\([a-z-]*\)`.*/\1/p' "$page" | sort))
if [ -z "$missing" ]; then
    echo "ok - the reference has every rule and no other"
else
    echo "not ok - the reference has every rule and no other"
    printf '  %s\n' "$missing"
    bad=1
fi

for program in jq curl; do
    command -v $program >/dev/null || {
        echo "ok - the cheats # SKIP $program is not installed"
        exit $bad
    }
done
if ! command -v bible >/dev/null; then
    echo "ok - the cheats # SKIP bible-kjv is not installed"
    exit $bad
fi
bash tests/cheats/run.sh --fast --tap || bad=1
exit $bad
