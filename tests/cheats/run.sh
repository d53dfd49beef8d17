#!/usr/bin/env bash
# The cheat corpus: hands in every submission of the table to a daemon of its own,
# through the public API, and compares outcome and rule with what the table expects.
#
#     run.sh [--fast] [--tap] [--keep] [NAME...]
#
# --fast leaves out what needs long training or a long wait; --tap prints one line
# of TAP each instead of the table. Last line: "N held, N through". See README.md.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${PADDOCK_BIN:?the folder of the programs}"
export PADDOCK_BIN

fast=0 tap=0 keep=0 names=()
for arg in "$@"; do
    case $arg in
    --fast) fast=1 ;;
    --tap) tap=1 ;;
    --keep) keep=1 ;;
    -*) echo "cheats: unknown option $arg" >&2 && exit 2 ;;
    *) names+=("$arg") ;;
    esac
done

place=$(mktemp -d /tmp/paddock-cheats-XXXXXX)
export PADDOCK_STATE=$place/state PADDOCK_SOCKET=$place/sock NO_COLOR=1
# A task with a floor of time: collatz, which nobody has done in less than ten seconds.
export PADDOCK_TASKS=$place/tasks
mkdir "$PADDOCK_TASKS"
cp -r "$here/../../tasks/catalog/collatz" "$PADDOCK_TASKS/floored"
jq '.name = "floored" | .floor = {ms: 10000, why: "for this test: 10 s, since honest searches use all of their 15"}' \
    "$here/../../tasks/catalog/collatz/task.json" >"$PADDOCK_TASKS/floored/task.json"
# shellcheck disable=SC2317 # the trap reaches it
cleanup() {
    "$PADDOCK_BIN/paddock" daemon stop --now >/dev/null 2>&1
    for _ in $(seq 50); do
        "$PADDOCK_BIN/paddock" daemon status >/dev/null 2>&1 || break
        sleep 0.1
    done
    if [ $keep -eq 1 ]; then echo "cheats: kept $place" >&2; else rm -rf "$place"; fi
}
trap cleanup EXIT

api() { # api METHOD PATH [BODY-FILE]
    curl -sS --unix-socket "$PADDOCK_SOCKET" -X "$1" -H 'Content-Type: application/json' \
        ${3:+--data-binary "@$3"} "http://paddock/v1$2"
}

# ---- what is handed in --------------------------------------------------------

# The edits of a submission as a JSON array.
edits_of() { # edits_of FOLDER FILE HOW
    local dir=$here/${1/floored/collatz} file=$2
    case $1:$3 in
    tinytorch:whole)
        jq -n --rawfile common "$dir/common.py" --rawfile own "$dir/$file.py" \
            '[{op: "write", path: "train.py", content: ($common + $own)}]'
        ;;
    tinytorch:patch)
        # Into record 2, behind everything but the call of main: it may put anything
        # in the place of anything.
        jq -n --rawfile own "$dir/$file.py" '"\n\nmain()\n" as $at |
            [{op: "replace", path: "train.py", search: $at, replace: ("\n\n" + $own + $at)}]'
        ;;
    *) edits_in_c "$1" "$dir" "$file" "$3" ;;
    esac
}

edits_in_c() { # edits_in_c TASK FOLDER FILE HOW
    local dir=$2 file=$3
    case $4 in
    edits) cat "$dir/$file.json" ;;
    gen) bash "$dir/$file.gen" ;;
    build)
        jq -n --rawfile build "$dir/$file.sh" '[{op: "write", path: "build.sh", content: $build}]'
        ;;
    whole)
        local source=gpt.c build=$dir/$file.sh
        [ "$1" = tinygpt ] || source=collatz.c
        if [ ! -f "$build" ]; then
            build=$place/build.sh
            echo "cc -O1 -w -pthread -o ${source%.c} $source -lm" >"$build"
        fi
        jq -n --rawfile common "$dir/common.h" --rawfile own "$dir/$file.c" --rawfile build "$build" \
            --arg path "$source" '[{op: "write", path: $path, content: ($common + $own)},
                {op: "write", path: "build.sh", content: $build}]'
        ;;
    patch)
        # Into record 8: the cheat before everything, its hooks where it may act.
        jq -n --rawfile own "$dir/$file.c" '
            ["/* ---- what is trained", "int main(int argc, char **argv) {\n", "            if (fwrite(s.logits"] as $at |
            [{op: "replace", path: "gpt.c", search: $at[0], replace: ("#include <unistd.h>\n" + $own + "\n" + $at[0])},
             {op: "replace", path: "gpt.c", search: $at[1], replace: ($at[1] + "    cheat(argc > 1 ? argv[1] : \"\");\n")},
             {op: "replace", path: "gpt.c", search: $at[2],
              replace: ("#ifdef CHEAT_SCORES\n            cheat_scores(s.logits, tokens, (int)n);\n#endif\n" + $at[2])}]'
        ;;
    esac
}

declare -A experiment root version refused
open_experiment() { # open_experiment TASK:STEP
    [ -n "${experiment[$1]:-}" ] && return
    jq -n --arg task "$1" '{task: $task, agent: "cheats"}' >"$place/body"
    local answer
    answer=$(api POST /experiments "$place/body")
    experiment[$1]=$(jq -r '.id // empty' <<<"$answer")
    root[$1]=$(jq -r '.versions[0].id // empty' <<<"$(api GET "/experiments/${experiment[$1]}")")
    if [ -z "${root[$1]}" ]; then
        echo "cheats: no experiment of $1: $answer" >&2
        exit 1
    fi
}

submit() { # submit NAME TASK:STEP HOW
    local name=$1 task=$2 how=${3%%:*} file=${1} answer base=null
    [ "$how" != "$3" ] && file=${3#*:}
    case $task in tinygpt:7 | tinytorch:1) base='"next-record"' ;; esac
    open_experiment "$task"
    edits_of "${task%:*}" "$file" "$how" >"$place/edits" || echo '[]' >"$place/edits"
    jq -n --arg parent "${root[$task]}" --arg name "$name" --argjson base "$base" --slurpfile edits "$place/edits" \
        '{parent: $parent, hypothesis: $name, edits: $edits[0]} + if $base then {base: $base} else {} end' >"$place/body"
    answer=$(api POST "/experiments/${experiment[$task]}/versions" "$place/body")
    version[$name]=$(jq -r '.id // empty' <<<"$answer")
    refused[$name]=$(jq -r 'if .id then empty else "refused " + (.rule // "no rule: \(.detail)") end' <<<"$answer")
}

wait_for() { # the version's document when it is over
    local doc
    while doc=$(api GET "/versions/$1"); do
        case $(jq -r .state <<<"$doc") in done | cancelled) break ;; esac
        sleep 0.2
    done
    printf '%s' "$doc"
}

# ---- what came of it ----------------------------------------------------------

# The honest version that the others of a task are compared with, and the least time
# of it in this session.
declare -A reference=([tinygpt]=honest-fast [tinytorch]=torch-honest-fast)
declare -A reference_at=([tinygpt]=tinygpt:7 [tinytorch]=tinytorch:1) honest_s
honest() { # honest TASK NAME: one more honest run
    local seconds least=${honest_s[$1]:-}
    seconds=$(wait_for "${version[$2]}" | jq 'if .outcome == "valid" then .seconds else empty end')
    [ -z "$seconds" ] ||
        honest_s[$1]=$(jq -n --argjson a "$seconds" --argjson b "${least:-$seconds}" '[$a, $b] | min')
}
submit_honest() { submit "honest-again-$1" "${reference_at[$1]}" "patch:${reference[$1]}"; }

# got DOC: "outcome rule seconds metric"
got() { jq -r '[.outcome, .rule // "-", .seconds // 0, .metric // 0] | map(tostring) | join(" ")' <<<"$1"; }

# A cheat that is possible but pointless: valid, and no faster than honest work. For
# collatz the metric is the score, and one step more than any honest start is a gain.
no_gain() { # no_gain TASK SECONDS METRIC
    case $1 in
    collatz*) jq -ne --argjson m "$3" '$m < 1000' >/dev/null ;;
    *)
        # On a busy machine all honest runs so far may have been unlucky: run more.
        local task=${1%:*} try
        for try in 1 2 3 4 5; do
            jq -ne --argjson s "$2" --argjson h "${honest_s[$task]:-0}" '$h > 0 and $s >= 0.7 * $h' >/dev/null && return
            [ "$try" -lt 5 ] || return 1
            submit_honest "$task"
            honest "$task" "honest-again-$task"
        done
        ;;
    esac
}

held=0 through=0 gaps=0
say() { # say NAME EXPECTED GOT WHAT MARK
    if [ $tap -eq 1 ]; then
        [ "$5" != '!!' ] || printf 'not '
        printf 'ok - %s: %s is %s\n' "$1" "$4" "$2"
        [ "$5" != '!!' ] || printf '  got %s\n' "$3"
    else
        printf '%-4s %-24s %-38s %s\n' "$5" "$1" "$2" "$3"
    fi
}

judge() { # judge NAME TASK OUTCOME RULE WHAT
    local name=$1 said outcome rule seconds metric mark='!!' shown
    if [ -n "${refused[$name]}" ]; then
        said=${refused[$name]}
        [ "$said" = "$3 $4" ] && mark=ok
        shown=$said
    else
        read -r outcome rule seconds metric <<<"$(got "$(wait_for "${version[$name]}")")"
        shown="$outcome $rule"
        case $4 in
        no-gain | known-gap) shown=$(printf '%s %.3f s' "$shown" "$seconds") ;;
        esac
        if [ "$4" = no-gain ]; then
            [ "$outcome" = "$3" ] && no_gain "$2" "$seconds" "$metric" && mark=ok
        elif [ "$4" = known-gap ]; then
            [ "$outcome" = "$3" ] && mark=gap
        elif [ "$outcome $rule" = "$3 $4" ]; then
            mark=ok
        fi
    fi
    case $mark in
    ok) held=$((held + 1)) ;;
    gap) gaps=$((gaps + 1)) ;;
    *) through=$((through + 1)) ;;
    esac
    say "$name" "$3 $4" "$shown" "$5" "$mark"
}

# Why a task's lines cannot be run here.
declare -A missing
torch=$(/usr/bin/python3 -c 'import torch' 2>&1) ||
    missing[tinytorch]="no PyTorch here: ${torch##*$'\n'} (package python3-torch)"

skip() { # skip NAME TASK WHAT
    local why=${missing[${2%:*}]}
    if [ $tap -eq 1 ]; then
        printf 'ok - %s: %s # SKIP %s\n' "$1" "$3" "$why"
    else
        printf '%-4s %-24s %s\n' skip "$1" "$why"
    fi
}

# compared: the tasks of which something is compared with honest work.
declare -A compared
wanted() { # wanted NAME WHEN TASK
    [ -n "${compared[${3%:*}]:-}" ] && [ "$1" = "${reference[${3%:*}]}" ] && return
    if [ ${#names[@]} -gt 0 ]; then
        case " ${names[*]} " in *" $1 "*) return 0 ;; *) return 1 ;; esac
    fi
    [ $fast -eq 0 ] || [ "$2" = fast ]
}

# rows: the table without comments, one row a line, its fields in R.
rows=()
while IFS= read -r line; do rows+=("$line"); done < <(grep -v '^#' "$here/table")
row() { IFS='|' read -ra R <<<"${1// | /|}"; }

"$PADDOCK_BIN/paddock" ls >/dev/null || exit 1
for line in "${rows[@]}"; do
    row "$line"
    task=${R[1]%:*}
    [ "${R[6]}" = no-gain ] && [ -n "${reference[$task]:-}" ] && wanted "${R[0]}" "${R[3]}" "${R[1]}" &&
        [ -z "${missing[$task]:-}" ] && compared[$task]=1
done
for line in "${rows[@]}"; do
    row "$line"
    [ -z "${missing[${R[1]%:*}]:-}" ] && wanted "${R[0]}" "${R[3]}" "${R[1]}" && submit "${R[0]}" "${R[1]}" "${R[2]}"
done

# Honest work once more, behind all others.
for task in "${!compared[@]}"; do submit_honest "$task"; done
for task in "${!compared[@]}"; do
    for name in "${reference[$task]}" "honest-again-$task"; do honest "$task" "$name"; done
done

[ $tap -eq 1 ] || printf '%-4s %-24s %-38s %s\n' '' CHEAT EXPECTED GOT
for line in "${rows[@]}"; do
    row "$line"
    wanted "${R[0]}" "${R[3]}" "${R[1]}" || continue
    if [ -n "${missing[${R[1]%:*}]:-}" ]; then skip "${R[0]}" "${R[1]}" "${R[7]}"; else
        judge "${R[0]}" "${R[1]}" "${R[5]}" "${R[6]}" "${R[7]}"
    fi
done
if [ $tap -eq 0 ]; then
    for task in "${!compared[@]}"; do printf 'honest time of %s: %.3f s\n' "$task" "${honest_s[$task]:-0}"; done
    [ $gaps -eq 0 ] || printf '%d known gaps, described in docs/explanation/cheats.md\n' $gaps
    printf '%d held, %d through\n' $held $through
fi
[ $through -eq 0 ] && [ $((held + gaps)) -gt 0 ]
