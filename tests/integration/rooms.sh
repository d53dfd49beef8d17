#!/usr/bin/env bash
# The one-way dependency rule of docs/architecture.md: a room includes headers
# only of the rooms left of it, and only the launcher's room touches namespaces.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
bad=0

declare -A may=(
    [common]="common"
    [policies]="common policies"
    [images]="common images"
    [sandbox]="common policies images sandbox"
    [tasks]="common policies images sandbox tasks"
    [orchestrator]="common policies images sandbox tasks orchestrator"
)

# violations ROOT ROOM: prints "file: header" for each forbidden include.
violations() {
    local root=$1 room=$2 file header other
    while IFS=$'\t' read -r file header; do
        other=${header%%/*}
        case " ${may[$room]} " in
        *" $other "*) ;;
        *) echo "$file: $room may not include $header" ;;
        esac
    done < <(find "$root/$room" -path "$root/tasks/catalog" -prune -o -name '*.[ch]' -print0 |
        xargs -0 -r grep -HoE '^#include "[^"]+"' |
        sed -E 's/^([^:]*):#include "([^"]+)"/\1\t\2/')
}

for room in "${!may[@]}"; do
    found=$(violations . "$room")
    if [ -z "$found" ]; then
        echo "ok - $room includes only what stands left of it"
    else
        echo "not ok - $room includes only what stands left of it"
        printf '  %s\n' "$found"
        bad=1
    fi
done

forbidden='(^|[^a-z_>.])(clone3?|unshare|setns|mount|umount2?|pivot_root|move_mount|open_tree|seccomp_[a-z_]+) *\('
found=$(find orchestrator -name '*.c' -print0 | xargs -0 -r grep -nE "$forbidden" |
    grep -vE ':[0-9]+: *(\*|/\*|//)')
if [ -z "$found" ]; then
    echo "ok - orchestrator/ leaves namespaces, mounts and filters to the launcher"
else
    echo "not ok - orchestrator/ leaves namespaces, mounts and filters to the launcher"
    printf '  %s\n' "$found"
    bad=1
fi

# Within orchestrator/: what talks to models knows no task, version or store.
found=$(grep -HoE '^#include "[^"]+"' orchestrator/model/*.[ch] |
    grep -vE '"(common|orchestrator/(paths|model))/')
if [ -z "$found" ]; then
    echo "ok - orchestrator/model knows common/ and paths/ alone"
else
    echo "not ok - orchestrator/model knows common/ and paths/ alone"
    printf '  %s\n' "$found"
    bad=1
fi

# … and a report knows nothing but its struct.
found=$(grep -HoE '^#include "[^"]+"' orchestrator/report/*.[ch] |
    grep -vE '"(common|orchestrator/report)/')
if [ -z "$found" ]; then
    echo "ok - orchestrator/report knows common/ alone"
else
    echo "not ok - orchestrator/report knows common/ alone"
    printf '  %s\n' "$found"
    bad=1
fi

# … a proxy only what it passes on.
found=$(grep -HoE '^#include "[^"]+"' orchestrator/proxy/*.[ch] |
    grep -vE '"(common|orchestrator/(model|proxy))/')
if [ -z "$found" ]; then
    echo "ok - orchestrator/proxy knows common/ and model/ alone"
else
    echo "not ok - orchestrator/proxy knows common/ and model/ alone"
    printf '  %s\n' "$found"
    bad=1
fi

# The rule itself must be able to fail.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/common"
echo '#include "sandbox/spec.h"' >"$scratch/common/x.c"
if [ -n "$(violations "$scratch" common)" ]; then
    echo "ok - a forbidden include is noticed"
else
    echo "not ok - a forbidden include is noticed"
    bad=1
fi
exit $bad
