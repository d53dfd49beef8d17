#!/usr/bin/env bash
# Real programs under the policy train, unchanged: PyTorch in one process with
# workers and threads, the torchrun pattern over the loopback, gcc and OpenMP.
set -uo pipefail
bin=${PADDOCK_BIN:?set PADDOCK_BIN to the folder with paddock}
bin=$(cd "$bin" && pwd)
here=$(dirname "$(readlink -f "$0")")
failed=0
work=$(mktemp -d /tmp/paddock-test-XXXXXX)
trap 'rm -rf "$work"' EXIT
export PADDOCK_LIVE=$work/live PADDOCK_POLICIES=${PADDOCK_POLICIES:-$bin/../policies}
mkdir -m 700 "$work/live"

# prints NAME PATTERN TEXT STATUS: the run must end with 0 and print the pattern.
prints() {
    if [ "$4" = 0 ] && grep -qE "$2" <<<"$3"; then echo "ok - $1"; else
        echo "not ok - $1"
        printf 'status %s\n%s\n' "$4" "$3" | tail -30 | sed 's/^/    # /'
        failed=1
    fi
}
fenced() { "$bin/paddock" exec --mem 4G --wall 300s --pids 256 "$@" 2>&1; }

# Interpreted by the system's Python: what the fence shows is /usr.
python=/usr/bin/python3
missing=$($python -c 'import torch, numpy' 2>&1) && missing=
if [ -n "$missing" ]; then
    reason="no PyTorch here: ${missing##*$'\n'} (package python3-torch)"
    echo "ok - PyTorch with workers and threads # SKIP $reason"
    echo "ok - torchrun with two processes over the loopback # SKIP $reason"
else
    out=$(fenced --policy train -w "$here/pytorch" -- $python single.py)
    prints "PyTorch with workers and threads: the loss goes down" '^loss .* 2 threads$' "$out" $?
    # -r 1 -t 1: torchrun 1.13 under Python 3.11 fails on its own default for both,
    # also outside the fence.
    out=$(fenced --policy train --net loopback -w "$here/pytorch" -- \
        $python -m torch.distributed.run -r 1 -t 1 --nproc_per_node 2 ddp.py)
    status=$?
    prints "torchrun: rank 0 of two over the loopback" 'rank 0 of 2: loss' "$out" $status
    prints "torchrun: rank 1 of two over the loopback" 'rank 1 of 2: loss' "$out" $status
fi

if ! command -v gcc >/dev/null; then
    echo "ok - gcc with OpenMP under build, run under train # SKIP no gcc here"
else
    out=$(fenced --policy build -w "$here/pytorch" --collect sum --out "$work/out" -- gcc -O2 -fopenmp sum.c -o sum)
    prints "gcc compiles OpenMP under build" '' "$out" $?
    # What is collected is its owner's alone; inside, another id reads it.
    chmod -R a+rX "$work/out/artifacts" && chmod a+x "$work" "$work/out"
    out=$(fenced --policy train --ro "$work/out/artifacts:/data" -- sh -c 'cp /data/sum . && chmod 700 sum && exec ./sum')
    prints "… and the program runs under train" '^3 threads, 14.3927$' "$out" $?
fi
exit $failed
