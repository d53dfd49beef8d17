#!/usr/bin/env bash
# The CUDA programs of the catalog without a GPU: each is translated to C++ (tests/cuda),
# made small, and runs in the fence, a block's threads as fibers.
#
# What is compared: loss and answers with those of tinygpt's plain loops, which the CUDA
# ladder has its mathematics from (records 1 to 5 with its record 1, record 6 with its
# record 7); and the model, to the bit, when threads and blocks run in other orders.
# shellcheck disable=SC2046,SC2086,SC2317 # functions are called by eval; these words have no blanks
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
bin=${PADDOCK_BIN:?set PADDOCK_BIN to the folder with paddock}
bin=$(cd "$bin" && pwd)
work=$(mktemp -d /tmp/paddock-cuda-XXXXXX)
trap 'rm -rf "$work"' EXIT
export PADDOCK_LIVE=$work/live PADDOCK_POLICIES=${PADDOCK_POLICIES:-$bin/../policies}
mkdir -m 700 "$work/live"
bad=0
ok() { echo "ok - $1"; }
not_ok() {
    echo "not ok - $1"
    tail -20 <<<"${2:-}" | sed 's/^/    # /'
    bad=1
}

for tool in g++ gcc python3; do
    command -v $tool >/dev/null && continue
    echo "ok - CUDA programs, emulated # SKIP no $tool here"
    exit 0
done

plain=tasks/catalog/tinygpt/records ladder=tasks/catalog/tinygpt-cuda/records
small='CTX=64 DIM=128 LAYERS=2 HEADS=2 BATCH=2 BETA1=0.8f'
streams=2 tokens=70 # more than the small programs' CTX: the window slides
python3 tests/cuda/ask.py write $streams $tokens "$work/asked"
python3 - >"$work/train.txt" <<'END'
# A text with something to learn: words of a small language, drawn from a fixed seed.
state, words = 1, "the and of his unto lord that shall he in him said for a king they all".split()
out = []
while len(out) < 20000:
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    out.append(words[(state >> 40) % len(words) * ((state >> 33) % 4 > 0)])
print(" ".join(out))
END

# What the gauge is asked; one line of out/said for each.
mkdir "$work/gauge"
cat >"$work/gauge/asks.sh" <<'END'
g=GPU-00000000-0000-0000-0000-00000000000
export CUDA_EMULATE_DEVICES=2 CUDA_EMULATE_MEMORY=8388608
{
    ./gpt measure ${g}1
    ./gpt scrub ${g}0
    CUDA_EMULATE_DEVICES=0 ./gpt measure ${g}0 || echo "exit $?"
    ./gpt measure ${g}7 || echo "exit $?"
    ./wrong measure ${g}0 || echo "exit $?"
    ./gpt scrub 'GPU-"' || echo "exit $?"
} >out/said
END

settings() { # RECORD STEPS: the constants of a small program
    local s="$small STEPS=$2"
    [ "$1" -eq 1 ] || s="$s PARTS=4"
    [ "$1" -gt 4 ] || s="$s ROWS_MULTIPLE=64"
    if [ "$1" -le 5 ]; then s="$s WARM_UP=3 LEARNING_RATE=5e-3f"; else
        s="$s LEARNING_RATE=3e-2f MUON_RATE=0.03f MUON_MOMENTUM=0.8f MUON_ROUNDS=3"
    fi
    echo "$s"
}
translated() { # SOURCE FOLDER SETTING...
    mkdir -p "$2" && cp "$work/train.txt" "$work/asked" tests/cuda/include/* "$2" &&
        python3 tests/cuda/translate.py "$1" "${@:3}" >"$2/gpt.cc"
}
# fenced FOLDER COMMAND: a shell in a copy of the folder, whose out/ is kept beside it
fenced() {
    "$bin/paddock" exec --policy build --mem 1G --wall 300s --pids 64 -w "$1" \
        -e PADDOCK_SEED=1 -e PADDOCK_DATA=/work -e PADDOCK_OUT=/work/out \
        --collect out --out "$1.kept" -- sh -c "mkdir out && $2" >"$1.log" 2>&1
    echo $? >"$1.status"
}
train_and_answer='./gpt train && ./gpt predict <asked >out/answers'
build='g++ -std=c++17 -O2 -Wall -Wextra -Werror -Wno-unknown-pragmas -I. -o gpt gpt.cc'

reference() { # NAME RECORD SED
    mkdir -p "$work/$1" && cp "$work/train.txt" "$work/asked" "$work/$1"
    sed -E "s/DIM = 32,/DIM = 128,/; s/BATCH = 8,/BATCH = 2,/; $3" $plain/"$2"/gpt.c >"$work/$1/gpt.c"
    fenced "$work/$1" "gcc -O2 -o gpt gpt.c -lm -lpthread && $train_and_answer"
}
record() { # RECORD: exact, so that it can be compared closely
    translated $ladder/"$1"/gpt.cu "$work/r$1" $(settings "$1" 12) &&
        fenced "$work/r$1" "$build -DCUDA_EMULATE_EXACT && $train_and_answer"
}
# gradients RECORD [DEFINE]: against differences of the loss
gradients() {
    local define=${2:-}
    translated $ladder/"$1"/gpt.cu "$work/g$1" $(settings "$1" 12) &&
        cp tests/cuda/gradient.cc "$work/g$1" && fenced "$work/g$1" \
        "g++ -std=c++17 -O2 -Wno-unused-function $define -DCUDA_EMULATE_EXACT -Wno-unknown-pragmas -I. -o gpt gradient.cc && ./gpt"
}
orders='for order in 0 1 7; do CUDA_EMULATE_ORDER=$order ./gpt train >out/said.$order &&
    mv out/model.bin out/model.$order || exit 1; done'
in_orders() { # RECORD: with the rounding of bfloat16
    translated $ladder/"$1"/gpt.cu "$work/o$1" $(settings "$1" 2) && fenced "$work/o$1" "$build && $orders"
}
racy() { # a product whose slices are overwritten while others still read them
    translated $ladder/2/gpt.cu "$work/racy" $(settings 2 2) &&
        python3 - "$work/racy/gpt.cc" <<'END' && fenced "$work/racy" "$build && $orders"
import sys
path = sys.argv[1]
text = open(path, encoding="utf-8").read()
head, mark, rest = text.partition("void __launch_bounds__(THREADS) product")
first = rest.index("__syncthreads();")
second = rest.index("__syncthreads();", first + 1)
open(path, "w", encoding="utf-8").write(head + mark + rest[:second] + rest[second + 16:])
END
}

gauge() { # the gauge's program, of small matrices on a GPU of 8 MiB; and one that multiplies wrongly
    translated orchestrator/gpu/gauge.cu "$work/gauge" SIDE=128 'COPIED=(size_t)1 << 20' CYCLE_ROUNDS=100 \
        'LARGEST=(size_t)1 << 22' 'SMALLEST=(size_t)1 << 16' &&
        sed 's/+= left\[d\]/-= left[d]/' "$work/gauge/gpt.cc" >"$work/gauge/wrong.cc" &&
        fenced "$work/gauge" "$build && ${build//gpt/wrong} && sh asks.sh"
}

jobs=(gauge 'gradients 6 -DROTATED' 'gradients 1' 'reference plain1 1 "s/STEPS = 1400/STEPS = 12/; s/WARM_UP = 100/WARM_UP = 3/"'
    'reference plain7 7 "s/STEPS = 185/STEPS = 12/"' racy)
for r in 6 5 4 3 2 1; do jobs+=("record $r" "in_orders $r"); done
for job in "${jobs[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
    eval "$job" &
done
wait

ended() { [ "$(cat "$1.status" 2>/dev/null)" = 0 ]; }
loss() { sed -nE 's/^step 12\/12 train_loss ([0-9.]+) bpb$/\1/p' "$1.log"; }
near() { awk -v a="$1" -v b="$2" -v most="$3" 'BEGIN { d = a - b; exit !(a > 0 && b > 0 && d <= most && -d <= most) }'; }
kept() { echo "$1.kept/artifacts/out/$2"; }

for r in 1 2 3 4 5 6; do
    plain=$work/plain1
    [ "$r" -le 5 ] || plain=$work/plain7
    name="record $r learns what plain loops learn"
    if ! ended "$work/r$r" || ! ended "$plain"; then
        not_ok "$name" "$(cat "$plain.log" "$work/r$r.log")"
        continue
    fi
    a=$(loss "$plain") b=$(loss "$work/r$r")
    if near "$a" "$b" 0.002; then ok "$name"; else not_ok "$name" "plain $a, record $b"; fi
    name="record $r answers as they do, also beyond its context"
    if said=$(python3 tests/cuda/ask.py compare $streams "$(kept "$work/r$r" answers)" "$(kept "$plain" answers)" 0.05 2>&1); then
        ok "$name"
    else not_ok "$name" "$said"; fi
    name="record $r: no order of threads and blocks changes a bit"
    if ended "$work/o$r" && cmp -s "$(kept "$work/o$r" model.0)" "$(kept "$work/o$r" model.1)" &&
        cmp -s "$(kept "$work/o$r" model.0)" "$(kept "$work/o$r" model.7)"; then
        ok "$name"
    else not_ok "$name" "$(cat "$work/o$r.log")"; fi
done
for r in 1 6; do
    name="record $r's gradients are the differences of its loss"
    if ended "$work/g$r" && grep -q '^good token' "$work/g$r.log"; then ok "$name"; else
        not_ok "$name" "$(cat "$work/g$r.log")"
    fi
done
name="a missing __syncthreads is found by another order"
if ended "$work/racy" && ! { cmp -s "$(kept "$work/racy" model.0)" "$(kept "$work/racy" model.1)" &&
    cmp -s "$(kept "$work/racy" model.0)" "$(kept "$work/racy" model.7)"; }; then
    ok "$name"
else not_ok "$name" "$(cat "$work/racy.log")"; fi

said=$(kept "$work/gauge" said)
asked() { sed -n "$1p" "$said" 2>/dev/null; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "wanted: $2, got: $3
$(cat "$work/gauge.log")"; fi; }
numbers='{"uuid": "GPU-00000000-0000-0000-0000-000000000001", "name": "an emulated GPU", "matrix_gflops": N, "memory_gb_s": N, "ms": N, "clock_mhz": N}'
is "the gauge measures the GPU it is asked for" "$numbers" "$(asked 1 | sed -E 's/: [0-9.]+([,}])/: N\1/g')"
is "it wipes all memory there is" '{"uuid": "GPU-00000000-0000-0000-0000-000000000000", "scrubbed_bytes": 8388608}' "$(asked 2)"
is "without a driver it says so with 77" "exit 77" "$(asked 3)"
is "and for a GPU that is not there" "exit 77" "$(asked 4)"
is "a GPU that multiplies wrongly is no GPU to time on" "exit 1" "$(asked 5)"
is "what is no UUID is refused" "exit 2" "$(asked 6)"
exit $bad
