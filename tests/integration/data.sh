#!/usr/bin/env bash
# The data store: add, list, show, verify and remove, and what must not work.
set -uo pipefail
: "${PADDOCK_BIN:?the folder of the programs}"
export PADDOCK_BIN
paddock=$PADDOCK_BIN/paddock
place=$(mktemp -d /tmp/paddock-data-XXXXXX)
trap 'rm -rf "$place"' EXIT
export PADDOCK_STATE=$place/state PADDOCK_SOCKET=$place/sock NO_COLOR=1
mkdir -p "$place/in/sub"
printf one >"$place/in/a.bin"
printf three >"$place/in/sub/b.bin"
bad=0
# is TEXT PATTERN GOT
is() {
    # shellcheck disable=SC2053 # a pattern is meant
    if [[ $3 == $2 ]]; then echo "ok - $1"; else
        echo "not ok - $1"
        printf '    # wanted: %s\n    # got: %s\n' "$2" "$3"
        bad=1
    fi
}
data() { "$paddock" data "$@" 2>&1; }
left() { find "$PADDOCK_STATE/datasets" -mindepth 1 -maxdepth 1 -printf '%f '; }

is "no data sets yet" '{"data":[]}' "$(data list --json | jq -c .)"
is "a folder is added" "corpus 2 8" "$(data add corpus "$place/in" --json | jq -r '"\(.name) \(.files) \(.bytes)"')"
is "its listing names path, bytes and digest" "a.bin 3 $(printf one | sha256sum | cut -c-64)" \
    "$(data show corpus | jq -r '.listing[0] | "\(.path) \(.bytes) \(.sha256)"')"
is "what is stored is a copy, read-only" "444 1" "$(stat -c '%a %h' "$PADDOCK_STATE/datasets/corpus/files/a.bin")"
is "files are added by their last names" "a.bin b.bin" \
    "$(data add flat "$place/in/a.bin" "$place/in/sub/b.bin" >/dev/null && data show flat | jq -r '[.listing[].path] | join(" ")')"
is "--link makes hard links" 2 "$(data add linked "$place/in" --link >/dev/null && stat -c %h "$PADDOCK_STATE/datasets/linked/files/a.bin")"
is "the same files have the same digest" 1 "$(data list --json | jq '[.data[] | select(.name != "flat") | .digest] | unique | length')"
is "a name that is taken" "*there is one of this name; --force*" "$(data add corpus "$place/in")"
is "a bad name" "*cannot name a data set*" "$(data add ../x "$place/in")"
is "what is not there" "*No such file*" "$(data add none "$place/missing")"
is "an empty folder" "*no file in it*" "$(mkdir "$place/empty" && data add none "$place/empty")"
ln -s /etc/passwd "$place/evil"
is "a link instead of a file" "*none*evil*" "$(data add none "$place/evil")"
mkfifo "$place/fifo"
is "a FIFO, without waiting for it" "*is no plain file*" "$(data add none "$place/fifo")"
is "an unknown one, and what to do" "*paddock data add none FOLDER*" "$(data show none)"
is "nothing is left of what failed" "corpus flat linked" "$(left | tr ' ' '\n' | sort | xargs)"
is "verify finds all as it was" "corpus: verified" "$(data verify corpus)"
chmod 644 "$PADDOCK_STATE/datasets/corpus/files/a.bin"
printf two >"$PADDOCK_STATE/datasets/corpus/files/a.bin"
is "verify finds what has changed" "*corpus has changed*" "$(data verify corpus)"
is "--force replaces it" "corpus: verified" "$(data add corpus "$place/in" --force >/dev/null && data verify corpus)"
is "rm removes it" "flat linked" "$(data rm corpus >/dev/null && left | tr ' ' '\n' | sort | xargs)"

# A small file system of its own, mounted in a namespace of its own, that is full
# before the copy is.
mkdir "$place/small"
head -c 4M /dev/zero >"$place/big"
# shellcheck disable=SC2016 # the inner shell expands it
full='mount -t tmpfs -o size=1m none "$1/small" 2>/dev/null || exit 77
PADDOCK_STATE=$1/small/state "$2" data add big "$1/big" 2>&1
find "$1/small" -path "*datasets/*" | wc -l'
got=$(unshare -m sh -c "$full" sh "$place" "$paddock" 2>/dev/null)
if [ -z "$got" ]; then
    echo "ok - a full disk # SKIP no right to mount a small file system"
else
    is "a full disk is said, and nothing is left" "*No space left*0" "$got"
fi

# A task that names a data set: missing, another one, the right one.
here=$(cd "$(dirname "$0")" && pwd)
export PADDOCK_TASKS=$place/tasks
# shellcheck disable=SC2317 # the trap reaches it
cleanup() {
    "$paddock" daemon stop --now >/dev/null 2>&1
    for _ in $(seq 50); do
        "$paddock" daemon status >/dev/null 2>&1 || break
        sleep 0.1
    done
    rm -rf "$place"
}
trap cleanup EXIT
mkdir "$place/tasks"
cp -r "$here/tasks/toy" "$place/tasks/stored"
digest=$(data add numbers "$place/in" --json | jq -r .digest)
# task DIGEST EXAMINER: writes task.json.
task() {
    jq --arg d "$1" '.name = "stored" | .data = {store: "numbers", digest: $d, target: "/work/data/in"}
        | .phases.train.argv = ["sh", "-c", "cat data/in/sub/b.bin; (: > data/in/a.bin) 2>/dev/null || echo .ro; echo 1 > out/lines"]
        | .phases.examine.argv = ["sh", "-c", "test -r data/in/a.bin && echo {\\\"metric\\\": 1}"]' \
        "$here/tasks/toy/task.json" >"$place/tasks/stored/task.json"
}
run() { "$paddock" run stored --agent noop --no-score 2>&1; }
task "$(printf other | sha256sum | cut -c-64)"
is "a data set of another digest is refused" "*data set numbers has the digest*data add numbers FOLDER --force*" "$(run)"
task "$digest"
data rm numbers >/dev/null
is "a missing one is refused, and what to do is said" "*there is no data set numbers: paddock data add numbers FOLDER*" "$(run)"
data add numbers "$place/in" >/dev/null
run >"$place/log"
"$paddock" run stored --agent reference --no-score >"$place/log" 2>&1
train=$(grep -l '"phase": "train"' "$PADDOCK_STATE"/runs/*/spec.json | head -1)
is "train reads it, and cannot write to it" "three.ro" "$(tr -d '\n' <"$(dirname "$train")/stdout")"
exam=$(cat "$PADDOCK_STATE"/runs/*/exam.json | jq -r .kind | head -1)
is "examine reads it too" "program" "$exam"
jq '.phases.examine = {kind: "audit", pattern: "(x)", tolerance: 1}' "$place/tasks/stored/task.json" >"$place/t"
mv "$place/t" "$place/tasks/stored/task.json"
is "no audit has a data set" "*goes with an examiner program only*" "$("$paddock" task check "$place/tasks/stored" 2>&1)"
exit $bad
