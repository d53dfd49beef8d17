#!/usr/bin/env bash
# Format, the one-way dependency rule, shell scripts, static analysis.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
bad=0
fail() {
    printf 'check: %s\n' "$*" >&2
    bad=1
}

mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.c' '*.h' | grep -v '^tasks/catalog/')

clang-format --dry-run -Werror "${sources[@]}" 2>&1 | grep -E 'error:' | sed -E 's/:.*//' | sort -u |
    while read -r f; do echo "check: not formatted: $f" >&2; done
clang-format --dry-run -Werror "${sources[@]}" >/dev/null 2>&1 || fail "run clang-format -i on the files above"

# Room X may include only what stands left of it.
declare -A may=(
    [common]="common"
    [policies]="common policies"
    [images]="common images"
    [sandbox]="common policies images sandbox"
    [tasks]="common policies images sandbox tasks"
    [orchestrator]="common policies images sandbox tasks orchestrator"
)
for room in "${!may[@]}"; do
    while IFS=: read -r file line; do
        other=$(printf '%s' "$line" | sed -E 's/.*"([a-z]+)\/.*/\1/')
        case " ${may[$room]} " in
        *" $other "*) ;;
        *) fail "$file: $room may not include $other ($line)" ;;
        esac
    done < <(git ls-files --cached --others --exclude-standard "$room/*.c" "$room/*.h" | grep -v '^tasks/catalog/' |
        xargs -r grep -HE '^#include "[a-z]+/' | sed -E 's/^([^:]*):#include/\1:#include/')
done
# The orchestrator leaves namespaces, mounts and filters to the launcher.
if git ls-files 'orchestrator/*.c' | xargs -r grep -nE '\b(clone3?|unshare|mount|pivot_root|seccomp_[a-z_]+|setns)\(' ; then
    fail "orchestrator/ must not call clone, mount or seccomp"
fi

mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh' dev .ci/run)
shellcheck "${scripts[@]}" || fail "shellcheck"

if [ "${1:-}" != --fast ]; then
    [ -f build/compile_commands.json ] || ./dev build
    mapfile -t units < <(printf '%s\n' "${sources[@]}" | grep '\.c$')
    printf '%s\n' "${units[@]}" | xargs -P "$(nproc)" -n 8 clang-tidy -p build --quiet 2>/dev/null |
        grep -E 'warning:|error:' | sort -u | head -50 >build/tidy.log
    [ ! -s build/tidy.log ] || { cat build/tidy.log; fail "clang-tidy"; }
fi
[ $bad -eq 0 ] && echo "check: all clean"
exit $bad
