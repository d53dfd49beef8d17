#!/usr/bin/env bash
# Format, the one-way dependency rule, shell scripts, static analysis.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
bad=0
fail() {
    printf 'check: %s\n' "$*" >&2
    bad=1
}

mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.c' '*.h' '*.cc' '*.cu' | grep -v '^tasks/catalog/')

clang-format --dry-run -Werror "${sources[@]}" 2>&1 | grep -E 'error:' | sed -E 's/:.*//' | sort -u |
    while read -r f; do echo "check: not formatted: $f" >&2; done
clang-format --dry-run -Werror "${sources[@]}" >/dev/null 2>&1 || fail "run clang-format -i on the files above"

bash tests/integration/rooms.sh | grep -v '^ok' && fail "the one-way dependency rule"

# Task packages and cheats hold what runs in the fence: sh -eu scripts without a shebang.
mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh' dev .ci/run |
    grep -vE '^tasks/catalog/|^tests/integration/tasks/|^tests/cheats/[^/]+/')
shellcheck -e SC2016 "${scripts[@]}" || fail "shellcheck"

if [ "${1:-}" != --fast ]; then
    [ -f build/compile_commands.json ] || ./dev build
    mapfile -t units < <(printf '%s\n' "${sources[@]}" | grep '\.c$' |
        grep -v '^tests/unit/') # the analyzer does not know that assertions end a test
    # Not the second build of the launch path: clang does not know musl's specs. One
    # file at a time: the analyzer takes what it saw of a va_list on to the next.
    mkdir -p build/tidy
    jq 'map(select(.command | contains("-specs=") | not))' build/compile_commands.json \
        >build/tidy/compile_commands.json
    printf '%s\n' "${units[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy -p build/tidy --quiet 2>/dev/null |
        grep -E 'warning:|error:' | sort -u | head -50 >build/tidy.log
    [ ! -s build/tidy.log ] || { cat build/tidy.log; fail "clang-tidy"; }
fi
[ $bad -eq 0 ] && echo "check: all clean"
exit $bad
