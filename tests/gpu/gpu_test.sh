#!/usr/bin/env bash
# What a machine's GPUs do within the fence and without it: a table, and a JSON file.
# Needs a build and bash alone. Status 77: there is no GPU.
#   tests/gpu/gpu_test.sh [--out FILE]
set -uo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
bin=${PADDOCK_BIN:-$top/build/bin}
out=gpu-test.json
if [ "${1:-}" = --out ]; then out=${2:?--out FILE}; fi
gauge=${PADDOCK_GPU_GAUGE:-$bin/paddock-gpu-gauge}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
: >"$dir/rows"
failed=0

# row NAME STATE DETAIL: states are ok, fail, skip.
row() {
    local detail=${3//[^[:print:]]/ }
    printf '%-28s %-5s %s\n' "$1" "$2" "$detail"
    detail=${detail//\\/\\\\}
    printf '{"name": "%s", "state": "%s", "detail": "%s"}\n' "$1" "$2" "${detail//\"/\\\"}" >>"$dir/rows"
    [ "$2" != fail ] || failed=1
}
fence() { "$bin/paddock" exec "$@" 2>&1; }
# In the fence a command must fail; what it said is the detail.
refused() { # NAME COMMAND
    local said
    if said=$(fence --gpus 1 -- sh -c "$2"); then row "$1" fail "it could: $said"; else row "$1" ok "refused"; fi
}
now() { date +%s%N; }

doctor=$("$bin/paddock" doctor 2>/dev/null | grep '^GPUs: ')
case $doctor in
"GPUs: none"* | "GPUs: 0,"* | "")
    echo "no GPU to test: ${doctor:-paddock doctor tells of none}"
    exit 77
    ;;
esac
row inventory ok "${doctor#GPUs: }"
count=${doctor#GPUs: }
count=${count%%,*}

if ! fence --help | grep -q -- --gpus; then
    row "the fence" skip "this build's exec knows no --gpus"
else
    if said=$(fence --gpus 1 -- sh -c 'ls /dev/nvidia*'); then row "a node in the fence" ok "$said"; else row "a node in the fence" fail "$said"; fi
    if said=$(fence -- sh -c 'ls /dev/nvidia*'); then row "none without asking" fail "$said"; else row "none without asking" ok ""; fi
    # shellcheck disable=SC2016
    refused "other minors" 'mknod /tmp/n c 195 63 && : </tmp/n'
    refused "loading modules" 'modprobe nvidia'
    refused "profiling tools" ': </dev/nvidia-uvm-tools'
    refused "the driver's settings" 'echo x >/proc/driver/nvidia/params'
    if [ "$count" -ge 2 ]; then
        one=$(fence --gpus 0 -- sh -c 'ls /dev/nvidia[0-9]*')
        two=$(fence --gpus 1 -- sh -c 'ls /dev/nvidia[0-9]*')
        if [ "$one" != "$two" ]; then row "two sandboxes" ok "$one, $two"; else row "two sandboxes" fail "both have $one"; fi
    else
        row "two sandboxes" skip "one GPU only"
    fi
    if python3 -c 'import torch' 2>/dev/null; then
        if said=$(fence --gpus 1 -- python3 -c 'import torch; print(float(torch.ones(1 << 20, device="cuda").sum()))'); then row pytorch ok "$said"; else row pytorch fail "$said"; fi
    else
        row pytorch skip "not importable"
    fi
fi

uuid=$(nvidia-smi --query-gpu=uuid --format=csv,noheader 2>/dev/null | head -1)
if [ -x "$gauge" ] && [ -n "${uuid:=${PADDOCK_GPU_TEST_UUID:-}}" ]; then
    times=()
    for _ in 1 2 3 4 5; do
        begin=$(now)
        said=$("$gauge" measure "$uuid" 2>&1) || break
        times+=($((($(now) - begin) / 1000)))
    done
    if [ ${#times[@]} -eq 5 ]; then
        row gauge ok "$said"
        row "gauge, five times" ok "$(printf '%s\n' "${times[@]}" | awk '{s+=$1; q+=$1*$1} END {m=s/NR; printf "mean %.0f ms, CV %.2f %%", m/1000, 100*sqrt((q/NR-m*m>0)?q/NR-m*m:0)/m}')"
    else
        row gauge fail "$said"
    fi
else
    row gauge skip "no gauge program, or no UUID of nvidia-smi"
fi

{
    printf '{"rows": [\n'
    sed '$!s/$/,/' "$dir/rows"
    printf ']}\n'
} >"$out"
echo "written: $out"
exit $failed
