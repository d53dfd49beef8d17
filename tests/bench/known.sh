#!/usr/bin/env bash
# ./dev bench known [N=20] [TASK:STEP=tinygpt:4]: candidates whose answer is known,
# by the full procedure. N versions that change nothing and N that are the next
# record are each run once by a search; then pair by pair measured, each pair in a
# measurement of its own with fresh seeds, so that no two intervals share a run. At
# last the noop that was the fastest in the search is measured once more: what
# best-of-N makes of luck, and what measuring again makes of that.
# Prints a table; the raw numbers of every run go to build/known.json.
set -euo pipefail
cd "$(dirname "$0")/../.."
n=${1:-20} task=${2:-tinygpt:4}
case $n in
'' | *[!0-9]* | 0)
    echo "usage: known.sh [N] [TASK:STEP]" >&2
    exit 2
    ;;
esac
bin=${PADDOCK_BIN:-$PWD/build/bin}
work=$(mktemp -d /tmp/paddock-known.XXXXXX)
export PADDOCK_STATE=$work/state PADDOCK_SOCKET=$work/paddockd.sock
trap '"$bin/paddock" daemon stop --now >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
paddock() { "$bin/paddock" "$@"; }

# explore AGENT: N experiments of it; the ids of their only versions.
explore() {
    for _ in $(seq "$n"); do
        paddock run "$task" --agent "$1" --no-score --quiet --json |
            jq -r '.experiments[0].versions[] | select(.outcome == "valid").id'
    done
}
echo "searching: $n x noop, $n x reference on $task" >&2
mapfile -t noops < <(explore noop)
mapfile -t references < <(explore reference)
if [ "${#noops[@]}" -ne "$n" ] || [ "${#references[@]}" -ne "$n" ]; then
    echo "known: not every version was valid: see the daemon's log" >&2
    exit 1
fi

for i in $(seq 0 $((n - 1))); do
    paddock score "${noops[i]}" "${references[i]}" --quiet --json >"$work/m$i.json"
    jq -r --arg i "$((i + 1))" '.measurement // . | "\($i): " + ([.scores[] | "\(.version) \(.outcome) \(.fsr) [\(.low), \(.high)]"] | join("  "))' "$work/m$i.json" >&2
done

# The luckiest of the search, measured with fresh runs.
best=$(for v in "${noops[@]}"; do paddock show "$v" --json | jq -r '"\(.seconds) \(.id)"'; done | sort -g | head -1 | cut -d' ' -f2)
paddock score "$best" --quiet --json >"$work/best.json"

jq -n --arg task "$task" --arg best "$best" --slurpfile pairs <(for i in $(seq 0 $((n - 1))); do cat "$work/m$i.json"; done) \
    --slurpfile again "$work/best.json" '
  def m: .measurement // .;
  {task: $task, fingerprint: ($pairs[0] | m | .fingerprint),
   pairs: [$pairs[] | m | {id, blocks, voids: (.voids | length), blocks_left_out, scores,
     runs: [.slots[] | {block, position, arm, seed, wall_s, metric, state}]}],
   best: ($again[0] | m | {id, version: $best, blocks, scores, runs: [.slots[] | {block, arm, wall_s, state}]})}' \
    >"$PWD/build/known.json"
jq -r '
  def fixed: if . == null then "-" else . * 1000 | round / 1000 | tostring end;
  def row($want): "| \(.i) | \(.s.outcome) | \(.s.fsr | fixed) | [\(.s.low | fixed), \(.s.high | fixed)] | \(if .s.low == null or .s.high == null then "unbounded" elif .s.low <= $want and $want <= .s.high then "yes" else "NO" end) | \(.b) | \(.v) |";
  def rows($at): [.pairs | to_entries[] | {i: (.key + 1), s: .value.scores[$at], b: .value.blocks, v: .value.voids}];
  "\(.task)\n",
  "| noop | outcome | FSR | interval | covers 0 | blocks | void runs |\n|--:|---|--:|---|---|--:|--:|", (rows(0)[] | row(0)),
  "\n| reference | outcome | FSR | interval | covers 1 | blocks | void runs |\n|--:|---|--:|---|---|--:|--:|", (rows(1)[] | row(1)),
  "\nbest of \(.pairs | length) by the search: single run \(.best.scores[0].search.single_run_fsr | fixed), luck alone \(.best.scores[0].search.luck_fsr | fixed); measured again \(.best.scores[0].fsr | fixed) [\(.best.scores[0].low | fixed), \(.best.scores[0].high | fixed)]"
' build/known.json
