#!/usr/bin/env bash
# The fuzzing of ./dev test, in TAP: the seeds, and every input that ever failed,
# through each target in the builds there are; then, where there is libFuzzer, a short
# run with a fixed seed and a fixed number of executions (addresses and random names still
# differ from one to the next, so that two runs are alike, not the same).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
here=$PWD/tests/fuzz
log=$(mktemp)
scratch=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/paddock-fuzz-short-XXXXXX")
trap 'rm -rf "$log" "$scratch"' EXIT
export TMPDIR=$scratch
bad=0

# say NAME COMMAND...: one line of TAP; what it printed only when it failed.
say() {
    local name=$1
    shift
    if "$@" >"$log" 2>&1; then
        echo "ok - $name"
    else
        echo "not ok - $name"
        tail -40 "$log" | sed 's/^/# /'
        bad=1
    fi
}

targets=()
for file in "$here"/target_*.c; do
    name=${file##*/target_}
    targets+=("${name%.c}")
done

build="build"
[ ! -d build-sanitize/tests/fuzz ] || [ "${PADDOCK_SANITIZE:-1}" != 1 ] || build="build-sanitize"
for target in "${targets[@]}"; do
    inputs=("$here/corpus/$target")
    [ ! -d "$here/regressions/$target" ] || inputs+=("$here/regressions/$target")
    say "seeds and regressions of $target ($build)" timeout 120 "$build/tests/fuzz/replay_$target" "${inputs[@]}"
done

# Executions by target: a second or two of each.
declare -A runs=([archive]=4000 [cdi]=8000 [collect]=1000 [documents]=12000 [edits]=8000 [formats]=8000 [gpu]=12000 [ldcache]=12000
    [http]=800 [import]=12000 [lines]=12000 [lockstep]=12000 [model]=8000 [policy]=12000 [relay]=12000 [replies]=8000 [task]=4000 [texts]=8000)

for target in "${targets[@]}"; do
    name="a short run of $target"
    if [ -n "${PADDOCK_FUZZ_SKIP:-}" ]; then
        echo "ok - $name # SKIP $PADDOCK_FUZZ_SKIP"
        continue
    fi
    options=(-seed=1 -runs="${runs[$target]:-2000}" -timeout=300 -rss_limit_mb=2048
        -artifact_prefix="$scratch/crash-$target-")
    [ ! -f "$here/dict/$target.dict" ] || options+=(-dict="$here/dict/$target.dict")
    mkdir "$scratch/$target"
    say "$name" build-fuzz/tests/fuzz/fuzz_"$target" "${options[@]}" "$scratch/$target" "$here/corpus/$target"
    # An input that fails must outlive this script: it is the report.
    for input in "$scratch"/crash-"$target"-*; do
        [ -f "$input" ] || continue
        mkdir -p build-fuzz/fuzz/crashes
        mv "$input" build-fuzz/fuzz/crashes/
        echo "# input: build-fuzz/fuzz/crashes/${input##*/}"
    done
done
exit $bad
