#!/usr/bin/env bash
# docs/reference/policy-rules.md and policies/*.json say the same.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
page=docs/reference/policy-rules.md
failed=0
say() { if [ -z "$2" ]; then echo "ok - $1"; else
    echo "not ok - $1"
    printf '%s\n' "$2" | sed 's/^/    # /'
    failed=1
fi; }
section() { awk -v head="## \`$1\`" '/^## /{on = $0 == head} on' "$page"; }
for file in policies/*.json; do
    policy=$(basename "$file" .json)
    missing=
    while IFS=$'\t' read -r rule answer reason calls; do
        text=$(section "$rule")
        line=$(grep -E "^\\* \\*\\*([a-z, -]*, )?$policy(, [a-z, -]*)?\\*\\*: " <<<"$text")
        [ -n "$line" ] || missing+="$rule: no line for $policy"$'\n'
        grep -qF ": $answer" <<<"$line" || missing+="$rule: not $answer"$'\n'
        grep -qF "Because: $reason." <<<"$line" || missing+="$rule: lacks the reason"$'\n'
        for call in $calls; do
            grep -E "^(Calls|Only in ([a-z -]* )?${policy}( [a-z -]*)?):" <<<"$text" | grep -qF "\`$call\`" || missing+="$rule: lacks $call"$'\n'
        done
    done < <(jq -r '.rules[] | [.name, (if .action == "allow" then "allowed" elif .action == "kill" then "ends the run" else .errno end), .reason, (.calls | join(" "))] | @tsv' "$file")
    say "every rule of $policy is documented with answer, reason and calls" "$missing"
done
say "no other rule is documented" "$(comm -23 <(sed -n 's/^## `\(.*\)`$/\1/p' "$page" | sort -u) <(jq -r '.rules[].name' policies/*.json | sort -u))"
# The calls documented are those of some policy.
say "no other call is documented" "$(comm -23 <(grep -E '^(Calls|Only in)' "$page" | grep -oE '`[^`]+`' | tr -d '`' | sort -u) <(jq -r '.rules[].calls[]' policies/*.json | sort -u))"
exit "$failed"
