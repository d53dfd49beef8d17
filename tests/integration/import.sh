#!/usr/bin/env bash
# `paddock task import`: small clones of our own making in the layout of each project,
# and clones that mean harm. Nothing of a clone is ever run or checked out.
# $PADDOCK_BIN: the programs.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
: "${PADDOCK_BIN:=$PWD/build/bin}"
paddock=$PADDOCK_BIN/paddock
[ -x "$paddock" ] || paddock=$PADDOCK_BIN/paddock-cli
for tool in git jq; do
    command -v "$tool" >/dev/null || { echo "ok - import # SKIP $tool is not installed"; exit 0; }
done

place=$(mktemp -d /tmp/paddock-import-XXXXXX)
trap 'rm -rf "$place"' EXIT
export PADDOCK_BIN NO_COLOR=1 XDG_CONFIG_HOME=$place/config HOME=$place/home
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@localhost GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@localhost
into=$place/tasks

bad=0
ok() { echo "ok - $1"; }
not_ok() {
    echo "not ok - $1"
    shift
    [ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^/# /'
    bad=1
}
# says NAME STATUS PATTERN COMMAND...: its status, and what it prints.
says() {
    local name=$1 status=$2 pattern=$3 said got
    shift 3
    said=$("$@" 2>&1)
    got=$?
    if [ "$got" -eq "$status" ] && grep -qE -- "$pattern" <<<"$said"; then ok "$name"; else
        not_ok "$name" "status $got, wanted $status and /$pattern/" "$said"
    fi
}
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "wanted: $2" "got: $3"; fi; }
import() { "$paddock" task import --into "$into" "$@"; }

rule=$(printf '=%.0s' {1..100})
bar=$(printf -- '-%.0s' {1..40})
head='| # | Record time | Description | Date | Log | Contributors |
| - | - | - | - | - | - |'
program() { printf 'import os\nprint("val_loss:%s")\n' "$1"; }
put() { # FILE: stdin
    mkdir -p "$(dirname "$1")"
    cat >"$1"
}
begin() { # a fresh clone to fill
    repo=$place/$1
    rm -rf "$repo"
    git init -q -b main "$repo"
}
commit() { git -C "$repo" add -A && git -C "$repo" commit -qm x; }

# ---- the speedrun: every form of a record, and every fault ----

records=records/track
begin speedrun
put "$repo/README.md" <<END
# A race
$head
1 | 9 minutes | [No source](http://localhost/a) | 01/01/24 | [log]($records/old/main.log) | @a
2 | 8 minutes | No log at all | 01/02/24 | none | @a
3 | 7 minutes | [Source](http://localhost/b) first | 01/03/24 | [log]($records/first/a.txt) | @b, @c
4 | 6.5 minutes | Opened by a rule | 01/04/24 | [log]($records/opened/a.txt),[PR](http://localhost) | @b
4 | 6.6 minutes | Timed again | 01/05/24 | [log]($records/opened/b.txt) | not a new record
5 | 6 minutes | A folder with a program | 01/06/24 | [log]($records/folder) | @d
6 | 5 minutes | A folder of logs | 01/07/24 | [log]($records/logs/) | @d
7 | 4 minutes | Its module in the log | 01/08/24 | [log]($records/module/a.txt) | @e
8 | 3 minutes | Its module beside the log | 01/09/24 | [log]($records/beside/a.txt) | @e
9 | 2 minutes | Its module at the top | 01/10/24 | [log]($records/top/a.txt) | @e
10 | 1 minutes | Its module nowhere | 01/11/24 | [log]($records/nowhere/a.txt) | @e
11 | 0.9 minutes | Out of the records | 01/12/24 | [log](../../../etc/passwd) | @f
12 | 0.8 minutes | A link | 01/13/24 | [log]($records/link.txt) | @f
13 | 0.7 minutes | Not there | 01/14/24 | [log]($records/missing.txt) | @f
14 | 0.6 minutes | Too large | 01/15/24 | [log]($records/huge.txt) | @f
15 | 0.5 minutes | No text | 01/16/24 | [log]($records/binary.txt) | @f
16 | 0.4 minutes | A submodule | 01/17/24 | [log]($records/sub) | @f
17 | 0.3 minutes | Below a link | 01/18/24 | [log]($records/dirlink/a.txt) | @f
18 | 0.2 minutes | too | few
19 | soon | No time | 01/19/24 | [log]($records/first/a.txt) | @g

$head
1 | 9 hours | Another track | 01/01/24 | [log]($records/first/a.txt) | @a
END
printf 's:0 tel:11\ns:1 trl:10\n' | put "$repo/$records/old/main.log"
{ program 1; echo "$rule"; echo 'step:1/1 val_loss:3.2'; } | put "$repo/$records/first/a.txt"
{ echo "$rule"; program 2; echo "$rule"; } | put "$repo/$records/opened/a.txt"
{ echo "$rule"; program 3; echo "$rule"; } | put "$repo/$records/opened/b.txt"
program 4 | put "$repo/$records/folder/train_gpt2.py"
{ program no; echo "$rule"; } | put "$repo/$records/folder/a.txt"
{ program 5; echo "$rule"; } | put "$repo/$records/logs/deep/b.txt"
echo 'What it does, at length.' | put "$repo/$records/logs/deep/README.md"
{ program 6; printf 'import kern\n\n\n%s\n# kern.py\n%s\n\nx = 1\n%s\n' "$bar" "$bar" "$rule"; } | put "$repo/$records/module/a.txt"
{ program 7; printf 'import kern\n%s\n' "$rule"; } | put "$repo/$records/beside/a.txt"
echo 'x = 2' | put "$repo/$records/beside/kern.py"
{ program 8; printf 'from topkern import x\n%s\n' "$rule"; } | put "$repo/$records/top/a.txt"
echo 'x = 3' | put "$repo/topkern.py"
{ program 9; printf 'import gone\nopen("gone.py")\nimport torch\n%s\n' "$rule"; } | put "$repo/$records/nowhere/a.txt"
ln -s /etc/passwd "$repo/$records/link.txt"
ln -s first "$repo/$records/dirlink"
head -c 5000000 /dev/zero | tr '\0' '\n' >"$repo/$records/huge.txt"
{ program 10; printf 'x = "\xff\0"\n%s\n' "$rule"; } | put "$repo/$records/binary.txt"
mkdir "$repo/$records/odd"
printf x >"$repo/$records/odd/"$'a\nb.txt'
git -C "$repo" add -A
git -C "$repo" update-index --add --cacheinfo "160000,$(printf '1%.0s' {1..40}),$records/sub"
# What would run if anything of the clone ever did, and what would change what is read.
printf '* filter=evil\n' >"$repo/.gitattributes"
git -C "$repo" add .gitattributes
git -C "$repo" commit -qm x
for hook in post-checkout post-index-change reference-transaction pre-auto-gc; do
    printf '#!/bin/sh\ntouch %s\n' "$place/ran" >"$repo/.git/hooks/$hook"
    chmod +x "$repo/.git/hooks/$hook"
done
git -C "$repo" config filter.evil.smudge "touch $place/ran"
git -C "$repo" config core.fsmonitor "touch $place/ran"
git -C "$repo" config core.sshCommand "touch $place/ran"
find "$repo" -path "$repo/.git" -prune -o -type f -print0 | sort -z | xargs -0 sha256sum >"$place/before"

# The working tree is not what is read.
echo changed >"$repo/README.md"
cp "$repo/README.md" "$place/changed"
import nanogpt-speedrun "$repo" --json >"$place/report.json" 2>"$place/log" || not_ok 'it is imported' "$(cat "$place/log")"
task=$into/nanogpt-speedrun
get() { jq -r "$1" "$place/report.json"; }
row() { get ".records[] | select(.key | startswith(\"row $1 \")) | .$2"; }
is 'what can be raced is imported' 9 "$(get .imported)"
is 'the rest is counted' 11 "$(get .left_out)"
is 'the commit is named' "$(git -C "$repo" rev-parse HEAD)" "$(get .commit)"
says 'the task has no faults' 0 'no faults' "$paddock" task check "$task"
says 'it can be shown' 0 'Opened by a rule' "$paddock" task show "$task:1"
is 'the report is the provenance' "$(jq -Sc . "$task/import.json")" "$(jq -Sc 'del(.dir)' "$place/report.json")"

reason() { # ROW PATTERN
    if grep -qE -- "$2" <<<"$(row "$1" reason)" && [ "$(row "$1" record)" = null ]; then ok "row $1 is left out: $2"; else
        not_ok "row $1 is left out: $2" "$(row "$1" reason)"
    fi
}
reason 1 'does not begin with the source'
reason 2 'has no log'
reason 11 'needs its module gone.py'
reason 12 'no path below records'
reason 13 'is a symbolic link'
reason 14 'is not in the commit'
reason 15 '5000000 bytes, at most'
reason 16 'is no text|does not begin'
reason 17 'is a submodule'
reason 18 'is not in the commit'
is 'a row without its columns is told' 'has 4 columns instead of 6' "$(row 19 reason)"

is 'the source before the rule' "$(program 1)" "$(cat "$task/records/1/train_gpt.py")"
is 'the source behind a first rule' "$(program 2)" "$(cat "$task/records/2/train_gpt.py")"
is 'a number that was had is a record of its own' "$(program 3)" "$(cat "$task/records/3/train_gpt.py")"
is 'and is told from a new one' 'its number is that of row 4: timed again, no new record' "$(row 5 note)"
is 'the program of a folder' "$(program 4)" "$(cat "$task/records/4/train_gpt.py")"
is 'the log of a folder' "$(program 5)" "$(cat "$task/records/5/train_gpt.py")"
is 'a module out of the log' 'x = 1' "$(sed -n '/./p' "$task/records/6/kern.py")"
is 'a module beside the log' 'x = 2' "$(cat "$task/records/7/kern.py")"
is 'a module of the top' 'x = 3' "$(cat "$task/records/8/topkern.py")"
is 'which is not of its time' "topkern.py is the commit's, not the one of its time" "$(row 10 note)"
is 'the step over what was left out is told' true "$(row 20 note | grep -q 'leads over 9 left out' && echo true)"
is 'a module that is installed is not asked for' null "$(row 3 reason)"
is 'digests are those of the files' '' "$(jq -r '.records[] | select(.record) | .record as $r | .files[] | "\(.sha256)  records/\($r)/\(.name)"' "$task/import.json" | (cd "$task" && sha256sum --quiet -c 2>&1))"
is 'title without its links' 'Source first' "$(jq -r '.records[0].title' "$task/task.json")"
is 'time, date and people' '7 minutes, 01/03/24, @b, @c' "$(jq -r '.records[0].description' "$task/task.json")"
is 'a longer text becomes a hint' 'What it does, at length.' "$(cat "$task/hints/4/3-paper.md")"
is 'eight GPUs' '8 --nproc_per_node=8' "$(jq -r '.phases.train | "\(.gpus) \(.argv[3])"' "$task/task.json")"
is 'nothing of the clone has run' no "$([ -e "$place/ran" ] && echo yes || echo no)"
is 'nothing of it has changed' "$(sha256sum <"$place/changed")" "$(sha256sum <"$repo/README.md")"
is 'no link came along' '' "$(find "$task" -type l)"
is 'no draft is left' '' "$(find "$into" -mindepth 1 -maxdepth 1 -name '.*')"

# The patterns of the clock fit lines as they are printed.
matches() { grep -qE -- "$(jq -r ".phases.train.clock.$1" "$2/task.json")" <<<"$3" && echo yes || echo no; }
is 'the clock starts with the first step' yes "$(matches start "$task" 'step:1/1390 train_time:243ms step_avg:nanms')"
is 'or its older form' yes "$(matches start "$task" 'step:1/6200 train_loss:10.9 train_time:216ms step_avg:nanms')"
is 'not with the validation before it' no "$(matches start "$task" 'step:0/1390 val_loss:10.8258 train_time:0ms step_avg:nanms')"
is 'and stops behind the last one' yes "$(matches stop "$task" 'peak memory allocated: 1 MiB reserved: 2 MiB')"
is 'not at one between' no "$(matches stop "$task" 'step:125/1390 val_loss:4.0 train_time:1ms')"

# ---- where it goes ----

says 'what is there stays' 1 'is there already \(--force' import nanogpt-speedrun "$repo"
says 'unless it is said' 0 '9 records from commit' import nanogpt-speedrun "$repo" --force --gpus 2
is 'with other GPUs' '2 --nproc_per_node=2' "$(jq -r '.phases.train | "\(.gpus) \(.argv[3])"' "$task/task.json")"
rm "$task/import.json"
says 'what no import made is never replaced' 1 'no import made it' import nanogpt-speedrun "$repo" --force
is 'and is as it was' yes "$([ -f "$task/task.json" ] && echo yes)"
says 'your own catalogue otherwise' 0 '9 records' "$paddock" task import nanogpt-speedrun "$repo"
says 'where tasks are found' 0 'nanogpt-speedrun +time-to-target +9' "$paddock" task list
says 'GPUs are bounded' 2 'gpus' import nanogpt-speedrun "$repo" --gpus 17
is 'the policy for GPUs where there is one' "$("$paddock" policy show train-gpu >/dev/null 2>&1 && echo train-gpu || echo train)" "$(jq -r .phases.train.policy "$task/task.json")"
says 'a policy that is none' 1 'policy' import nanogpt-speedrun "$repo" --force --policy no-such --into "$place/other"
is 'leaves nothing behind' '' "$(ls -A "$place/other" 2>/dev/null)"
says 'a project that is none' 1 'must be nanogpt-speedrun' import else "$repo"

# ---- clones that are none ----

says 'no folder' 1 'No such file' import nanogpt-speedrun "$place/none"
mkdir "$place/plain"
says 'no repository' 1 'plain' import nanogpt-speedrun "$place/plain"
begin empty
says 'no commit' 1 'HEAD' import nanogpt-speedrun "$repo"
echo x >"$repo/README.md"
commit
says 'no table' 1 'there is no table' import nanogpt-speedrun "$repo"
printf '%s\n1 | 9 minutes | a | d | none | @a\n' "$head" >"$repo/README.md"
commit
says 'no record' 1 '0 of 1 records can be imported' import nanogpt-speedrun "$repo"
ln -sf /etc/passwd "$repo/README.md"
commit
says 'a link for the table' 1 'README.md: is a symbolic link' import nanogpt-speedrun "$repo"
mkdir "$place/tree"
echo "gitdir: $place/speedrun/.git" >"$place/tree/.git"
says 'a worktree' 1 'name the clone itself' import nanogpt-speedrun "$place/tree"
ln -s "$place/speedrun/.git" "$place/plain/.git"
says 'a link for .git' 1 'name the clone itself' import nanogpt-speedrun "$place/plain"

git clone -q --bare "$place/speedrun" "$place/bare.git" 2>/dev/null
says 'a bare clone' 0 '9 records' import nanogpt-speedrun "$place/bare.git" --into "$place/from-bare"
chown -R 4321:4321 "$place/bare.git" 2>/dev/null
says "another's clone" 0 '9 records' import nanogpt-speedrun "$place/bare.git" --into "$place/from-bare" --force
# The object of two records, loose in the clone where it was made.
oid=$(git -C "$place/speedrun" rev-parse "HEAD:$records/first/a.txt")
rm -f "$place/speedrun/.git/objects/${oid:0:2}/${oid:2}"
says 'a missing object is a reason, not an end' 0 '7 records' import nanogpt-speedrun "$place/speedrun" --into "$place/from-bare" --force
git -C "$place/speedrun" hash-object -w --stdin <<<x >/dev/null
git -C "$place/speedrun" checkout -q --detach 2>/dev/null
mkfifo "$place/speedrun/.git/objects/${oid:0:2}/${oid:2}"
says 'an object that would never end' 0 'a.txt: its object is no file' import nanogpt-speedrun "$place/speedrun" --into "$place/from-bare" --force
says 'a HEAD without a branch' 0 '7 records' import nanogpt-speedrun "$place/speedrun" --into "$place/from-bare" --force
# A configuration that includes what would never end.
mkfifo "$place/fifo"
printf '[include]\n\tpath = %s\n' "$place/fifo" >>"$place/speedrun/.git/config"
says 'configuration leads nowhere' 0 '7 records' timeout 20 "$paddock" task import nanogpt-speedrun "$place/speedrun" --into "$place/from-bare" --force

echo "$place/bare.git/objects" >"$place/speedrun/.git/objects/info/alternates"
says 'objects of another clone' 1 'borrows objects' import nanogpt-speedrun "$place/speedrun" --into "$place/from-bare" --force
rm "$place/speedrun/.git/objects/info/alternates"
mkdir -p "$place/speedrun/.git/objects/pack"
mkfifo "$place/speedrun/.git/objects/pack/pack-x.idx"
says 'a pack that would never end' 1 'is no file' import nanogpt-speedrun "$place/speedrun" --into "$place/from-bare" --force
rm "$place/speedrun/.git/objects/pack/pack-x.idx"
echo 'ref: refs/../../../etc/passwd' >"$place/speedrun/.git/HEAD"
says 'a HEAD that leads out' 1 'HEAD: names no commit' import nanogpt-speedrun "$place/speedrun" --into "$place/from-bare" --force
echo 'ref: refs/heads/loop' | tee "$place/speedrun/.git/HEAD" >"$place/speedrun/.git/refs/heads/loop"
says 'a HEAD that leads nowhere' 1 'HEAD: names no commit' import nanogpt-speedrun "$place/speedrun" --into "$place/from-bare" --force
rm "$place/speedrun/.git/HEAD"
mkfifo "$place/speedrun/.git/HEAD"
says 'a HEAD that would never end' 1 'HEAD: is no file' import nanogpt-speedrun "$place/speedrun" --into "$place/from-bare" --force

# ---- the speedrunner ----

begin runner
templates=workspace_templates/nanogpt_speedrun
knowledge=data/nanogpt_speedrun_knowledge_in_levels
for i in 1 2 3 10; do
    program "$i" | put "$repo/$templates/record_$i/train_gpt2.py"
    echo '{"metrics": {"val_loss": 3.25, "train_time": 120000}}' | put "$repo/$templates/record_$i/results.json"
    echo "pseudo $i" | put "$repo/$knowledge/record_$i/level_1_pseudo.txt"
    echo "description $i" | put "$repo/$knowledge/record_$i/level_2_description.txt"
    echo "paper $i" | put "$repo/$knowledge/record_$i/level_3_paper.txt"
    echo "not this" | put "$repo/$knowledge/record_$i/level_9_more.txt"
done
echo 'no JSON' >"$repo/$templates/record_2/results.json"
: >"$repo/$knowledge/record_2/level_3_paper.txt"
ln -sf /etc/passwd "$repo/$templates/record_3/train_gpt2.py"
echo x | put "$repo/$templates/record_x/train_gpt2.py"
commit
says 'records and hints of levels' 0 '3 records.*7 left out' import llm-speedrunner "$repo"
runner=$into/llm-speedrunner
says 'without faults' 0 'no faults' "$paddock" task check "$runner"
is 'in order of their numbers' "$(program 10)" "$(cat "$runner/records/3/train_gpt2.py")"
is 'the hint of a step is that of where it starts' 'pseudo 1' "$(cat "$runner/hints/1/1-pseudocode.md")"
is 'its papers too' 'paper 1' "$(cat "$runner/hints/1/3-paper.md")"
is 'results are told' 'Loss 3.2500 after 2.00 minutes by its own count.' "$(jq -r '.records[0].description' "$runner/task.json")"
is 'bad ones are not' 'No results of its own.' "$(jq -r '.records[1].description' "$runner/task.json")"
is 'the clock starts with a step of the old form' yes "$(matches start "$runner" 'step    1/24576 | train loss 10.9 | norm 1.0 | lr 1e-3 | (1.00 ms | 2 tok/s)')"
is 'not with a validation' no "$(matches start "$runner" 'step:0/24576 val_loss:10.9 train_time:0ms')"

# ---- autoresearch ----

begin auto
printf 'import prepare\n' >"$repo/train.py"
printf 'x = 1\n' >"$repo/prepare.py"
echo x >"$repo/README.md"
commit
says 'one record' 0 '1 records' import autoresearch "$repo"
says 'without faults' 0 'no faults' "$paddock" task check "$into/autoresearch"
is 'one file may be changed' '["train.py"]' "$(jq -c .editable "$into/autoresearch/task.json")"
is 'the others are there' 'prepare.py train.py' "$(cd "$into/autoresearch/records/1" && echo *)"
git -C "$repo" rm -q prepare.py && git -C "$repo" commit -qm x
says 'but not without what it imports' 1 'prepare.py: is no file' import autoresearch "$repo" --force

says 'help has an example' 0 'paddock task import nanogpt-speedrun' "$paddock" task import --help
exit $bad
