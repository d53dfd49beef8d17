#!/usr/bin/env bash
# ./dev fuzz MINUTES [TARGET...]: the long run. Each target gets that many minutes,
# PADDOCK_FUZZ_JOBS (2) targets at a time, at the lowest priority the kernel has. What
# was found stays in build-fuzz/fuzz/: corpus/<target>, crashes/, <target>.json.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
here=tests/fuzz
out=$PWD/build-fuzz/fuzz
# The fuzzers that run, one process id a line, so that who needs a quiet machine
# can stop them for a while (SIGSTOP, SIGCONT).
pids=${PADDOCK_FUZZ_PIDS:-$out/pids}

# value NAME LOG: a number of the last status line, or 0.
value() {
    grep -oE "\b$1: [0-9]+" "$2" | tail -1 | grep -oE '[0-9]+' || echo 0
}

cpu_ticks() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # shellcheck disable=SC2086 # fields behind the name
    set -- ${stat##*) }
    echo "$1 $((${12} + ${13}))"
}

# watch PID: waits for its end; prints the seconds it was stopped and its cpu ticks.
watch() {
    local stopped=0 ticks=0 state now
    while read -r state now < <(cpu_ticks "$1"); do
        [ "$state" = Z ] && break
        ticks=$now
        [ "$state" != T ] || stopped=$((stopped + 1))
        sleep 1
    done
    echo "$stopped $ticks"
}

# fuzz TARGET SECONDS LOG: one process; prints what watch says.
fuzz() {
    local target=$1 seconds=$2 log=$3 pid said status
    local folders=("$out/corpus/$target" "$here/corpus/$target")
    [ ! -d "$here/regressions/$target" ] || folders+=("$here/regressions/$target")
    local options=(-max_total_time="$seconds" -artifact_prefix="$out/crashes/$target-"
        -print_final_stats=1 -rss_limit_mb=2048
        # Of wall time, of which an idle process gets what is left.
        -timeout=300 -report_slow_units=100)
    [ ! -f "$here/dict/$target.dict" ] || options+=(-dict="$here/dict/$target.dict")
    nice -n 19 chrt -i 0 "build-fuzz/tests/fuzz/fuzz_$target" "${options[@]}" "${folders[@]}" >>"$log" 2>&1 &
    pid=$!
    (flock 9 && echo "$pid" >&9) 9>>"$pids"
    said=$(watch "$pid")
    wait "$pid"
    status=$?
    (flock 9 && sed -i "/^$pid\$/d" "$pids") 9>>"$pids.lock"
    echo "$said $status"
}

# one TARGET SECONDS: fuzzes, makes up for the time it was stopped, reports.
one() {
    local target=$1 wanted=$2 log=$out/$1.log left runs=0 cpu=0 wall=0 begin stopped ticks status=0 n
    local scratch
    scratch=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/paddock-fuzz-run-XXXXXX")
    export TMPDIR=$scratch
    mkdir -p "$out/corpus/$target"
    : >"$log"
    left=$wanted
    while [ "$left" -gt 0 ] && [ "$status" -eq 0 ]; do
        begin=$SECONDS
        read -r stopped ticks status < <(fuzz "$target" "$left" "$log")
        wall=$((wall + SECONDS - begin - stopped))
        cpu=$((cpu + ticks))
        left=$((wanted - wall))
        [ "$left" -gt 5 ] || left=0
    done
    while read -r n; do runs=$((runs + n)); done < <(grep -oE 'number_of_executed_units: [0-9]+' "$log" | grep -oE '[0-9]+$')
    rm -rf "$scratch"
    jq -n --arg target "$target" --argjson runs "$runs" --argjson wall "$wall" \
        --argjson cpu "$((cpu / $(getconf CLK_TCK)))" --argjson edges "$(value cov "$log")" \
        --argjson features "$(value ft "$log")" --argjson corpus "$(value corp "$log")" \
        --argjson crashes "$(find "$out/crashes" -name "$target-*" ! -name '*-slow-unit-*' | wc -l)" --argjson status "$status" \
        '{target: $target, executions: $runs, wall_s: $wall, cpu_s: $cpu, edges: $edges,
          features: $features, corpus: $corpus, crashes: $crashes, status: $status}' >"$out/$target.json"
    row "$out/$target.json"
}

row() {
    jq -r '[.target, .executions, (.executions / ([.wall_s, 1] | max) | floor), .wall_s, .cpu_s,
            "\(.edges)/\(.features)", .corpus, .crashes] | @tsv' "$1" |
        while IFS=$'\t' read -r t e s w c f n x; do
            printf '%-12s %12s %8s %7s %7s %14s %7s %7s\n' "$t" "$e" "$s" "$w" "$c" "$f" "$n" "$x"
        done
}

if [ "${1:-}" = --one ]; then
    one "$3" "$2"
    exit
fi

minutes=${1:-}
shift || true
[[ $minutes =~ ^[0-9]+$ ]] || {
    echo "usage: ./dev fuzz MINUTES [TARGET...]" >&2
    exit 2
}
targets=("$@")
if [ $# -eq 0 ]; then
    for file in "$here"/target_*.c; do
        name=${file##*/target_}
        targets+=("${name%.c}")
    done
fi
mkdir -p "$out/crashes"
printf '%-12s %12s %8s %7s %7s %14s %7s %7s\n' target executions exec/s wall_s cpu_s edges/features corpus crashes
printf '%s\n' "${targets[@]}" | xargs -P "${PADDOCK_FUZZ_JOBS:-2}" -n 1 "$0" --one $((minutes * 60))
for target in "${targets[@]}"; do cat "$out/$target.json"; done | jq -s . >"$out/report.json"
echo "report: $out/report.json; inputs that crash: $out/crashes/"
jq -e 'all(.crashes == 0 and .status == 0)' "$out/report.json" >/dev/null
