#!/usr/bin/env bash
# Compares what the demo measured with what is known: tests/demo_check.sh
# MEASUREMENT.json EXPERIMENT.json...; prints a line each, fails on a surprise.
set -uo pipefail
bad=0
check() { # check TEXT CONDITION(0 or 1)
    if [ "$2" = 1 ]; then
        echo "ok - $1"
    else
        echo "not ok - $1"
        bad=1
    fi
}

measurement=$1
shift
# The version of each experiment by agent, and the outcome of each of its versions.
version_of() { jq -r --arg a "$1" 'select(.agent == $a) | .versions[-1].id' "${@:2}"; }

for pair in reference:1.0 noop:0.0; do
    agent=${pair%:*} truth=${pair#*:}
    id=$(version_of "$agent" "$@")
    score=$(jq -c --arg v "$id" '.scores[] | select(.version == $v)' "$measurement")
    text=$(jq -r '"\(.fsr*1000|round/1000) in [\(.low*1000|round/1000), \(.high*1000|round/1000)]"' <<<"$score")
    check "$agent: FSR $text covers $truth" \
        "$(jq --argjson t "$truth" 'if .bounded and .low <= $t and $t <= .high then 1 else 0 end' <<<"$score")"
    check "$agent: the interval is within ±0.25" \
        "$(jq 'if .bounded and (.high - .low) / 2 <= 0.25 then 1 else 0 end' <<<"$score")"
done

replay=()
for e in "$@"; do
    [ "$(jq -r '.agent | startswith("replay")' "$e")" = true ] && replay+=("$e")
done
expected=(build-failed valid crash timeout invalid-loss invalid-loss)
mapfile -t got < <(jq -r '.versions[1:][] | .outcome' "${replay[@]}")
what=("does not compile" "is the repaired child" "crashes" "never ends" "trains too little" "prints a fabricated result")
for i in "${!expected[@]}"; do
    check "the version that ${what[i]}: ${got[i]:-nothing}" \
        "$([ "${got[i]:-}" = "${expected[i]}" ] && echo 1 || echo 0)"
done
exit $bad
