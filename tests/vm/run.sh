#!/usr/bin/env bash
# Boots the test machine and runs suites in it; TAP on stdout.
#   run.sh [--kernel PACKAGE] [--hierarchy v2|v1|hybrid] [--some | --shell] [SUITE[/WHO]…]
# --some: what every run of the whole suite has the time for.
# PADDOCK_VM_KEEP=FOLDER keeps the kernel's messages there; PADDOCK_VM_WORDS is
# added to its command line (SUITE_SECONDS=60).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
here=tests/vm
kernel=linux-image-cloud-amd64 hierarchy=v2 shell='' suites=()
cache=${PADDOCK_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/paddock/vm}

while [ $# -gt 0 ]; do
    case $1 in
    --kernel) kernel=$2 && shift ;;
    --hierarchy) hierarchy=$2 && shift ;;
    --some)
        suites+=(test_cgroup features/root)
        echo "ok - the machine's other suites # SKIP they take minutes without KVM: ./dev test --vm"
        ;;
    --shell) shell=1 ;;
    -*)
        echo "vm: unknown option $1" >&2
        exit 2
        ;;
    *) suites+=("$1") ;;
    esac
    shift
done

skip_all() {
    echo "ok - the test machine # SKIP $*"
    exit 0
}
qemu=$(command -v qemu-system-x86_64) || skip_all "qemu-system-x86_64 is not installed (package qemu-system-x86)"
for tool in cpio mke2fs; do
    command -v $tool >/dev/null || skip_all "$tool is not installed (package ${tool/mke2fs/e2fsprogs})"
done
[ "$(uname -m)" = x86_64 ] || skip_all "the tree was not built for x86-64"
case $PWD in *[[:space:]]*) skip_all "the kernel's command line cannot hold a path with spaces" ;; esac

mkdir -p "$cache"
work=$(mktemp -d "$cache/run-XXXXXX")
# shellcheck disable=SC2317
clean_up() {
    [ -z "${PADDOCK_VM_KEEP:-}" ] || cp "$work/kernel.log" "$PADDOCK_VM_KEEP/" 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' TERM INT

boot=$($here/image.sh kernel "$kernel" 2>"$work/errors") || skip_all "no kernel: $(tail -n 1 "$work/errors")"
if ! userland=$($here/image.sh userland 2>"$work/errors") || ! $here/image.sh tree "$work/tree.ext4" >/dev/null 2>"$work/errors"; then
    echo "not ok - the test machine's disks are made"
    sed 's/^/    # /' "$work/errors"
    exit 1
fi
truncate -s 64M "$work/scratch.ext4"
mke2fs -q -t ext4 "$work/scratch.ext4"
mkdir "$work/init"
cp build/tests/vm_init "$work/init/init"
{ cat "$boot/drivers.cpio" && (cd "$work/init" && find . | cpio --quiet -o -H newc -R 0:0); } >"$work/initrd"

# /dev/kvm may be there and do nothing: a boot sector that ends the machine at
# once tells. It is asked once per boot of the host, since a broken one costs
# the whole wait.
kvm_works() {
    local known
    known=$cache/kvm-$(cat /proc/sys/kernel/random/boot_id)
    if [ ! -f "$known" ]; then
        rm -f "$cache"/kvm-*
        echo no >"$known"
        if [ -w /dev/kvm ]; then
            printf '\xb0\x10\xe6\xf4\xf4' >"$work/sector" # mov al, 16; out 0xf4, al; hlt
            truncate -s 510 "$work/sector"
            printf '\x55\xaa' >>"$work/sector"
            truncate -s 64K "$work/sector"
            timeout -s KILL 5 "$qemu" -nodefaults -no-user-config -display none -machine pc -accel kvm -m 32 \
                -device isa-debug-exit,iobase=0xf4,iosize=1 \
                -drive "file=$work/sector,format=raw,if=ide,readonly=on,snapshot=on" >/dev/null 2>&1
            [ $? -eq 33 ] && echo yes >"$known"
        fi
    fi
    [ "$(cat "$known")" = yes ]
}

if [ "${PADDOCK_VM_ACCEL:-}" != tcg ] && kvm_works; then
    accel=(-accel kvm -cpu host)
else
    # Without SMAP: the emulation reads the stack of a far return, which the escape
    # corpus makes, with the kernel's rights, and the kernel takes that for its end.
    accel=(-accel "tcg,thread=multi" -cpu max,smap=off)
fi

words="console=ttyS0 psi=1 panic=-1 oops=panic TREE=$PWD HIERARCHY=$hierarchy ${PADDOCK_VM_WORDS:-}"
[ ${#suites[@]} -eq 0 ] || words+=" SUITES=$(IFS=, && echo "${suites[*]}")"
[ -z "$shell" ] || words+=" SHELL_WANTED=1 TERM=${TERM:-dumb}"
disk() { printf 'file=%s,format=raw,if=virtio,readonly=%s' "$1" "$2"; }
# shellcheck disable=SC2054 # commas are qemu's
command=("$qemu" -nodefaults -no-user-config -display none -machine pc "${accel[@]}" -smp 2 -m 3072
    -kernel "$boot/vmlinuz" -initrd "$work/initrd" -append "$words" -no-reboot
    -serial "file:$work/kernel.log" -device isa-debug-exit,iobase=0xf4,iosize=1
    -drive "$(disk "$userland" on)" -drive "$(disk "$work/tree.ext4" on)"
    -drive "$(disk "$work/scratch.ext4" off)")
echo "# $kernel: $(basename "$boot"), ${accel[1]}, hierarchy $hierarchy"
begin=$SECONDS
if [ -n "$shell" ]; then
    exec < /dev/tty
    "${command[@]}" -serial mon:stdio
    exit
fi
timeout --foreground -k 5 "${PADDOCK_VM_SECONDS:-1500}" "${command[@]}" -serial stdio </dev/null 2>"$work/errors" |
    sed -u 's/\r$//'
status=${PIPESTATUS[0]}
echo "# the machine ran for $((SECONDS - begin)) s under ${accel[1]}"
# isa-debug-exit: twice what init wrote (16 and the status) and one.
case $status in
33 | 35) exit $(((status - 33) / 2)) ;;
*)
    echo "not ok - the test machine ends by itself (qemu status $status)"
    tail -n 30 "$work/errors" "$work/kernel.log" | sed 's/^/    # /'
    exit 1
    ;;
esac
