#!/usr/bin/env bash
# ./dev bench beside [ROUNDS=20] [RECORD=5]: what compile jobs in other sandboxes do
# to a timed training run. In every round, in random order: the run alone; with two
# compile jobs beside it and --timed, so that they stand still meanwhile; and, to see
# what that is worth, beside them without. Prints time, CV and the runs that the
# default bound on foreign cpu time (5 %) would void; raw numbers: build/beside.json.
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-20} record=${2:-5}
case $rounds$record in
*[!0-9]*)
    echo "usage: beside.sh [ROUNDS] [RECORD]" >&2
    exit 2
    ;;
esac
bin=${PADDOCK_BIN:-$PWD/build/bin} top=$PWD
work=$(mktemp -d /tmp/paddock-beside.XXXXXX)
hogs=()
still() {
    [ ${#hogs[@]} -eq 0 ] || { kill "${hogs[@]}"; wait "${hogs[@]}"; } 2>/dev/null || true
    hogs=()
}
trap 'still; rm -rf "$work"' EXIT

mkdir "$work/data" "$work/hog"
bible -f gen1:1-rev22:21 >"$work/data/train.txt" 2>/dev/null
cp -r "tasks/catalog/tinygpt/records/$record" "$work/program"
cp "tasks/catalog/tinygpt/records/1/gpt.c" "$work/hog"
fenced() { "$bin/paddock" exec --wall 120s --mem 1G "$@"; }
fenced --policy build -w "$work/program" --out "$work/built" -c gpt -- sh build.sh
gpt=$(find "$work/built" -type f -name gpt | head -1)
mkdir "$work/ready"
cp "$gpt" "$work/ready/gpt"
chmod 755 "$work/ready/gpt"

compile() {
    for _ in 1 2; do
        # Not through a function: the pid is to be that of the program.
        "$bin/paddock" exec --wall 1000s --mem 1G --policy build -w "$work/hog" -- \
            sh -c 'while :; do gcc -O3 -c gpt.c -o gpt.o; done' >/dev/null 2>&1 &
        hogs+=($!)
    done
    sleep 0.7
}
# train ARM [OPTION...]
train() {
    local arm=$1
    shift
    fenced "$@" -w "$work/ready" --ro "$work/data:/data" -e PADDOCK_DATA=/data -e PADDOCK_OUT=/work -e PADDOCK_SEED=7 \
        --json "$work/result.json" -- ./gpt train >/dev/null 2>&1
    jq -c --arg arm "$arm" '{arm: $arm, wall_s: (.wall_ns / 1e9), foreign: (.foreign_cpu_ns / .wall_ns),
        others: .quiet.others, loud: .quiet.loud, ended}' "$work/result.json" >>"$work/runs"
}
for r in $(seq "$rounds"); do
    for arm in $(shuf -e quiet timed untimed); do
        case $arm in
        quiet) train quiet --timed ;;
        timed)
            compile
            train timed --timed
            still
            ;;
        untimed)
            compile
            train untimed
            still
            ;;
        esac
    done
    echo "round $r of $rounds" >&2
done
jq -s '.' "$work/runs" >"$top/build/beside.json"
jq -r '
  def mean: add / length;
  def cv: (mean as $m | (map(. - $m | . * .) | add / (length - 1)) | sqrt) / mean;
  def pct: . * 1000 | round / 10 | "\(.) %";
  def s: . * 1000 | round / 1000;
  def bad: map(select(.ended != "exit")) | length;
  . as $all | ["quiet", "timed", "untimed"][] as $arm | [$all[] | select(.arm == $arm)] as $runs |
  [$runs[] | select(.foreign <= 0.05)] as $kept |
  "| \($arm) | \($runs | length) | \($runs | map(.wall_s) | mean | s) | \($runs | map(.wall_s) | cv | pct) | \(($runs | length) - ($kept | length)) | \(if ($kept | length) > 1 then ($kept | map(.wall_s) | "\(mean | s) | \(cv | pct)") else "- | -" end) | \($runs | bad) |"
' "$top/build/beside.json" | {
    printf '| run | runs | mean s | CV | void (foreign cpu > 5 %%) | mean s of the rest | CV of the rest | failed |\n|---|--:|--:|--:|--:|--:|--:|--:|\n'
    cat
}
