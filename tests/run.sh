#!/usr/bin/env bash
# Runs the suite: unit tests, the same under sanitizers, then integration tests.
# Every test speaks TAP ("ok", "not ok", "# SKIP"); a program that dies without
# having said "not ok" counts as one failure of its own.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

passed=0 failed=0 skipped=0
failures=()
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

log_of() { printf '%s/%s.log' "$logs" "$(printf '%s' "$1" | tr '/ ' '__')"; }

# tap NAME COMMAND...: runs it; what it said and how it ended lie beside each other.
tap() {
    local log begin=$SECONDS
    log=$(log_of "$1")
    "${@:2}" >"$log" 2>&1
    printf '%d %d\n' $? $((SECONDS - begin)) >"$log.end"
}

# count NAME: takes the report of a tap into the sums.
count() {
    local name=$1 log status seconds p f s
    log=$(log_of "$name")
    read -r status seconds <"$log.end"
    s=$(grep -cE '^(not )?ok .*# SKIP' "$log")
    p=$(grep -E '^ok ' "$log" | grep -cvF '# SKIP')
    f=$(grep -E '^not ok ' "$log" | grep -cvF '# SKIP')
    if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
        f=1
        failures+=("$name: ended with status $status")
    fi
    # A shell test that skips in another form would hide it from the count.
    if grep -qE '^skip - ' "$log" && [ "$s" -eq 0 ]; then
        f=$((f + 1))
        failures+=("$name: a skip that TAP does not show")
    fi
    if [ "$status" -eq 0 ] && [ $((p + s + f)) -eq 0 ]; then
        f=1
        failures+=("$name: no test ran")
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '%-36s %3d passed %3d failed %3d skipped %4d s\n' "$name" "$p" "$f" "$s" "$seconds"
    # The reason is in the line itself, or what a cmocka test printed before it.
    grep -E '^skip - |^(not )?ok .*# SKIP' "$log" |
        grep -vE '^(not )?ok [0-9]+ # SKIP' | sed 's/^/    /'
    if [ "$f" -gt 0 ]; then
        while IFS= read -r line; do failures+=("$name: $line"); done < <(grep -E '^not ok ' "$log" | grep -vF '# SKIP')
        sed 's/^/    | /' "$log" | tail -60
    fi
}

# run_tap NAME COMMAND...
run_tap() {
    tap "$@"
    count "$1"
}

# Two at a time: they are many, each is small, and none of them times anything.
unit_tests() {
    local dir=$1 label=$2 t names=()
    for t in "$dir"/tests/test_*; do
        [ -x "$t" ] || continue
        names+=("$label/${t##*/}")
        while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
        tap "$label/${t##*/}" env CMOCKA_MESSAGE_OUTPUT=TAP PADDOCK_BIN="$PWD/$dir/bin" timeout 300 "$t" &
    done
    wait
    for t in "${names[@]}"; do count "$t"; done
}

unit_tests build unit
if [ "${PADDOCK_SANITIZE:-1}" = 1 ]; then
    export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
    unit_tests build-sanitize sanitize
fi

# The programs themselves under sanitizers as well, where PADDOCK_BIN says so.
integration() {
    local bin=$1 label=$2 t
    shift 2
    for t in "$@"; do
        run_tap "$label/$(basename "$t" .sh)" env PADDOCK_BIN="$PWD/$bin" timeout 900 bash "$t"
    done
}
integration build/bin integration tests/integration/*.sh
run_tap escape/corpus env PADDOCK_BIN="$PWD/build/bin" timeout 900 bash tests/escape/escape.sh --tap
if [ "${PADDOCK_SANITIZE:-1}" = 1 ] && [ "${PADDOCK_QUICK:-0}" = 0 ]; then
    integration build-sanitize/bin sanitize tests/integration/{limits,daemon,cli}.sh
fi
run_tap fuzz/short timeout 900 tests/fuzz/short.sh

# In a machine with the unified hierarchy. Emulated in software all of it takes
# longer than the rest of the suite.
case ${PADDOCK_VM:-none} in
all)
    run_tap vm tests/vm/run.sh
    run_tap vm/v1 tests/vm/run.sh --hierarchy v1
    run_tap vm/hybrid tests/vm/run.sh --hierarchy hybrid
    ;;
some) run_tap vm tests/vm/run.sh --some ;;
esac

if [ ${#failures[@]} -gt 0 ]; then
    printf '\nfailures:\n'
    printf '  %s\n' "${failures[@]}"
fi
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
