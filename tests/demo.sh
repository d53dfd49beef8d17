#!/usr/bin/env bash
# ./dev demo: the main job end to end, on the embedded defaults.
#
# State lives in build/demo, so that a second run reuses the prepared data and
# the built records, and nothing of the user's own installation is touched.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/build/bin
export PADDOCK_STATE=${PADDOCK_DEMO_STATE:-$PWD/build/demo}
export PADDOCK_SOCKET=$PADDOCK_STATE/paddockd.sock
mkdir -p "$PADDOCK_STATE"
trap '"$bin/paddock" daemon stop >/dev/null 2>&1 || true' EXIT

say() { printf '\n== %s\n' "$*"; }

say 'What this machine can enforce'
"$bin/paddock" doctor || true

say 'The fence, seen from inside'
"$bin/paddock" exec --wall 10s --mem 256M -- sh -c 'id; ls /dev; cat /proc/net/dev | tail -n +3; ls /proc | grep -c "^[0-9]"'

say 'tinygpt, record 1 to 2: five candidates that must not score, and one that is repaired'
"$bin/paddock" run tinygpt:1 --agent replay:tests/replays/tinygpt-bad --no-score

say 'The two whose score we know: reference must get 1, noop 0'
"$bin/paddock" run tinygpt:1 --agent reference --agent noop \
    --blocks-min 3 --blocks-max 6 --half-width 0.2 "$@"

say 'The history of the replay, from failures to the success'
files=$(mktemp -d)
trap 'rm -rf "$files"; "$bin/paddock" daemon stop >/dev/null 2>&1 || true' EXIT
mapfile -t experiments < <("$bin/paddock" ls -n 3 --json | jq -r '.experiments[].id')
for e in "${experiments[@]}"; do "$bin/paddock" show "$e" --json >"$files/$e.json"; done
replay=$(jq -r 'select(.agent | startswith("replay")) | .id' "$files"/e*.json)
"$bin/paddock" tree "$replay"

say 'One version as a tarball, and what it changed'
version=$(jq -r '[.versions[] | select(.outcome == "valid")][-1].id' "$files/$replay.json")
"$bin/paddock" export "$version" -o "$PADDOCK_STATE/$version.tar.zst"
tar --zstd -tvf "$PADDOCK_STATE/$version.tar.zst"
"$bin/paddock" diff "$version"

say 'What was known before, and what was found'
measurement=$("$bin/paddock" ls --measurements -n 1 --json | jq -r '.measurements[0].id')
"$bin/paddock" show "$measurement" --json >"$files/measurement.json"
tests/demo_check.sh "$files/measurement.json" "$files"/e*.json
