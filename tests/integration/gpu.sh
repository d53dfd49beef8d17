#!/usr/bin/env bash
# GPUs in the fence, on a machine of the test's own making: four GPUs with the driver's
# texts, real nodes (which no driver answers: ENXIO says that all fences let it
# through), libraries of one line of C and the loader's cache over them.
# shellcheck disable=SC2016,SC2001
set -uo pipefail
: "${PADDOCK_BIN:?set PADDOCK_BIN to the folder with the programs}"
bin=$(cd "$PADDOCK_BIN" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
bad=0
ok() { echo "ok - $1"; }
not_ok() {
    echo "not ok - $1"
    [ -z "${2:-}" ] || printf '%s\n' "$2" | head -20 | sed 's/^/    # /'
    bad=1
}
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "wanted: $2
got: $3"; fi; }
has() { if grep -qF -- "$2" <<<"$3"; then ok "$1"; else not_ok "$1" "no \"$2\" in: $3"; fi; }

if [ "$(id -u)" -ne 0 ]; then
    echo "ok - GPUs # SKIP needs root, to make nodes"
    exit 0
fi
work=$(mktemp -d /tmp/paddock-gpu-XXXXXX)
trap '[ -z "${holder:-}" ] || kill "$holder" 2>/dev/null; rm -rf "$work"' EXIT
mknod "$work/probe" c 195 1
answer=$( (LC_ALL=C && : <"$work/probe") 2>&1)
if [[ $answer != *"No such device"* ]]; then
    echo "ok - GPUs # SKIP nodes of no driver cannot be made or opened here"
    exit 0
fi
# shellcheck source=tests/integration/gpu_machine.bash disable=SC1091
. "$here/gpu_machine.bash"
make_machine "$work/machine"
cp -a "$work/machine" "$work/pristine"
export PADDOCK_GPU_ROOT="$work/machine" PADDOCK_LIVE="$work/registry"
mkdir "$work/registry"
live=$work/registry/live
afresh() {
    rm -rf "$work/machine"
    cp -a "$work/pristine" "$work/machine"
}

# lend GPUS COMMAND...: its output; the result in $work/result.json, what went wrong in $said.
lend() {
    local gpus=$1
    shift
    rm -f "$work/result.json"
    out=$("$bin/paddock" exec --gpus "$gpus" --json "$work/result.json" -- "$@" 2>"$work/stderr")
    status=$?
    said=$(cat "$work/stderr")
}
# refused NAME GPUS TEXT: a setup error that says so.
refused() {
    lend "$2" true
    if [ "$status" = 125 ] && grep -qF -- "$3" <<<"$said"; then ok "$1"; else
        not_ok "$1" "status $status, wanted \"$3\": $said"
    fi
}
field() { jq -r "$1" "$work/result.json"; }

# ---- one of four ----

lend 1, ls /dev
is "GPU 1 of 4: its nodes and no others" "fd full null nvidia-uvm nvidia1 nvidiactl random shm stderr stdin stdout urandom zero" \
    "$(tr '\n' ' ' <<<"$out" | sed 's/ $//')"
is "the result says which" "$(uuid 1) 1 0000:47:00.0 570.86.15" "$(field '.gpus | "\(.lent[0].uuid) \(.lent[0].index) \(.lent[0].pci) \(.driver)"')"
is "… and the nodes" "/dev/nvidiactl /dev/nvidia-uvm /dev/nvidia1" "$(field '.gpus.nodes | join(" ")')"
lend 1, ls /proc/driver /proc/driver/nvidia /proc/driver/nvidia/gpus
has "the driver's folder shows one GPU" "0000:47:00.0" "$out"
is "… and no other" "1" "$(grep -c '^0000:' <<<"$out")"
lend 1, cat /proc/driver/nvidia/params /proc/modules
has "nobody inside is to make nodes" "ModifyDeviceFiles: 0" "$out"
if [ -e /proc/modules ]; then
    is "the driver is loaded, as seen from inside, and nothing else" "nvidia_uvm nvidia" "$(sed -n 's/ .*Live.*//p' <<<"$out" | tr '\n' ' ' | sed 's/ $//')"
else
    echo "ok - the driver is loaded, as seen from inside # SKIP this kernel has no modules"
fi
lend 1, env
has "CUDA is told by UUID" "CUDA_VISIBLE_DEVICES=$(uuid 1)" "$out"
has "… in the order of the bus" "CUDA_DEVICE_ORDER=PCI_BUS_ID" "$out"
has "… and no toolkit of anybody's" "NVIDIA_VISIBLE_DEVICES=void" "$out"
lend 1, python3 -c '
import errno
def attempt(path, mode):
    try: open(path, mode, buffering=0).close(); return "opened"
    except OSError as e: return errno.errorcode[e.errno]
print(" ".join(attempt(p, "r+b") for p in ("/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0", "/dev/null")))'
is "what was lent can be opened, what was not is not there" "ENXIO ENXIO ENXIO ENOENT opened" "$out"

# ---- the device list: a node that came in some other way ----

mkdir "$work/stray"
cp -a "$work/machine/dev/nvidia0" "$work/machine/dev/nvidia1" "$work/stray/"
layer=$(lend 1, true; field '.fence[] | select(.name == "devices") | "\(.state) \(.detail)"')
case $layer in
on*) ok "the layer \"devices\" is on: ${layer#on }" ;;
weaker*) ok "the layer \"devices\" is weaker, and says why: ${layer#weaker }" ;;
*) not_ok "the layer \"devices\" is reported" "$layer" ;;
esac
group_of() { awk -F: '$1 == 0 { print $3 }' "/proc/$1/cgroup"; }
cat >"$work/look.c" <<'C'
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
    int procs = open(argv[1], O_WRONLY);
    if (procs < 0 || write(procs, "0", 1) != 1) return printf("no group: %s\n", strerror(errno)), 1;
    for (int i = 2; i < argc; i++) {
        int fd = open(argv[i], O_RDWR);
        printf("%s%s", i > 2 ? " " : "", fd >= 0 ? "opened" : errno == ENXIO ? "ENXIO" : errno == EPERM ? "EPERM" : strerror(errno));
    }
    return puts(""), 0;
}
C
cc -o "$work/look" "$work/look.c"
lend_in_background() {
    "$bin/paddock" exec --gpus "$1" --json "$work/held.json" -- sleep 30 >"$work/held.out" 2>&1 &
    holder=$!
    for _ in $(seq 100); do
        id=$(find "$live" -maxdepth 1 -name 'x-*' -printf '%f\n' | head -1)
        [ -n "$id" ] && inside=$(pgrep -f '^sleep 30$' | head -1) && [ -n "$inside" ] && return
        sleep 0.05
    done
}
lend_in_background 2,
if [[ $layer = on*v2* ]]; then
    mount=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
    is "in the run's group: lent and the usual ones open, another GPU's node does not, even for root" \
        "ENXIO EPERM ENXIO opened EPERM" \
        "$("$work/look" "$mount$(group_of "$inside")/cgroup.procs" "$work/machine/dev/nvidia2" "$work/stray/nvidia0" "$work/machine/dev/nvidiactl" /dev/null /dev/kmsg)"
else
    echo "ok - the list by the kernel's own word # SKIP no v2 list here"
fi

# ---- leases ----

refused "a busy GPU: its holder is named" 2, "$id has it"
lend 3 true
is "three of four are free" "0 0,1,3" "$status $(field '[.gpus.lent[].index] | join(",")')"
refused "four are not" 4 "4 GPUs were asked for, and 3 of 4 can be had"
refused "nor all" all "GPU 2 is busy"
kill -KILL "$(pgrep -P "$holder" -f paddock-sandbox | head -1)" 2>/dev/null
wait "$holder" 2>/dev/null
holder=
for _ in $(seq 100); do
    lend 2, true
    [ "$status" = 0 ] && break
    sleep 0.05
done
is "a killed launcher's lease is gone" 0 "$status"
for _ in 1 2 3 4 5; do
    lend all true
    [ "$status" = 0 ] || break
done
is "who has its result may ask for the same again" "0 4" "$status $(field '.gpus.lent | length')"

# ---- what is not lent ----

refused "a missing GPU" 7, "this machine has no such GPU"
refused "a UUID of nobody" "GPU-00000000-0000-0000-0000-000000000000" "no such GPU"
refused "a UUID in capitals, or cut off" "GPU-123" "no such GPU"
refused "the same GPU by two names" "1,$(uuid 1)" "is named already"
echo "Xid 79: it fell off the bus" >"$live/.gpus/$(uuid 0).sick"
refused "a sick GPU, with the reason" 0, "is out of the pool: Xid 79: it fell off the bus"
lend 1 true
is "… is passed over by count" 1 "$(field '.gpus.lent[0].index')"
rm "$live/.gpus/$(uuid 0).sick"
sed -i 's/GPU Excluded:.*/GPU Excluded:\t Yes/' "$work/machine/proc/driver/nvidia/gpus/0000:07:00.0/information"
refused "an excluded GPU" 0, "excluded by the driver"
afresh
split_gpu "$work/machine" 3
refused "a GPU that is split" 3, "is split into 2 MIG instances"
refused "a MIG UUID alone" "MIG-00000000-1111-2222-3333-444444444444" "only NVML can tell"
refused "an instance that is not" "MIG-$(uuid 3)/5/0" "no such MIG instance"
lend "MIG-$(uuid 3)/1/0" find /dev/nvidia-caps /dev/nvidia3 /proc/driver/nvidia/capabilities -type c -o -type f
is "an instance: the GPU's node, its two capabilities, and their texts" "$(sort <<<"/dev/nvidia3
/dev/nvidia-caps/nvidia-cap12
/dev/nvidia-caps/nvidia-cap13
/proc/driver/nvidia/capabilities/gpu3/mig/gi1/access
/proc/driver/nvidia/capabilities/gpu3/mig/gi1/ci0/access")" "$(sort <<<"$out")"
lend "MIG-00000000-1111-2222-3333-444444444444@$(uuid 3)/2/0,MIG-$(uuid 3)/1/0" env
has "two instances of one GPU, one by its UUID" "CUDA_VISIBLE_DEVICES=MIG-00000000-1111-2222-3333-444444444444,MIG-$(uuid 3)/1/0" "$out"
afresh
rm "$work/machine/dev/nvidia-uvm"
refused "a node that is missing" 1, "nvidia-modprobe"
mknod "$work/machine/dev/nvidia-uvm" c 1 1
refused "a node that is another device" 1, "is not the character device 511:0"
afresh
rm "$work/machine/proc/driver/nvidia/version"
refused "no driver" 1 "no NVIDIA driver is loaded"
afresh
: >"$work/machine/proc/driver/nvidia/gpus/0000:47:00.0/information"
refused "a text of the driver that is empty" 1 "lacks one of Model"
afresh
out=$("$bin/paddock" exec --gpus 1 --policy train -- true 2>&1)
has "another policy lends none" "the policy train does not allow it" "$out"
out=$("$bin/paddock" exec --gpus 1 -e CUDA_VISIBLE_DEVICES=0 -- true 2>&1)
has "a spec does not choose among them by a variable" "env sets CUDA_VISIBLE_DEVICES" "$out"

# ---- libraries ----

lend 1, sh -c 'cd "$LD_LIBRARY_PATH"; for f in *; do if [ -L "$f" ]; then echo "$f -> $(readlink "$f")"; else echo "$f"; fi; done'
is "the driver's libraries, of its version, and their links" "libcuda.so -> libcuda.so.570.86.15
libcuda.so.1 -> libcuda.so.570.86.15
libcuda.so.570.86.15
libnvidia-ml.so -> libnvidia-ml.so.570.86.15
libnvidia-ml.so.1 -> libnvidia-ml.so.570.86.15
libnvidia-ml.so.570.86.15" "$out"
lend 1, python3 -c 'import ctypes; print(ctypes.CDLL("libcuda.so.1").which())'
is "… can be loaded by their names" 570 "$out"
lend 1, python3 -c 'import os; f = os.statvfs("/.gpu/lib/libcuda.so.1").f_flag; print(*(n for n in ("RDONLY", "NOSUID", "NODEV") if f & getattr(os, "ST_" + n)))'
is "… read-only, and nothing else" "RDONLY NOSUID NODEV" "$out"
out=$("$bin/paddock" exec --gpus 1 -e LD_LIBRARY_PATH=/work/mine -- env 2>&1)
has "the program's own folders go before" "LD_LIBRARY_PATH=/work/mine:/.gpu/lib" "$out"
lib=$work/machine/usr/lib/x86_64-linux-gnu
mkdir -p "$work/machine/opt/driver"
mv "$lib"/libcuda.so.570.86.15 "$work/machine/opt/driver"
echo /opt/driver >>"$work/machine/etc/ld.so.conf"
ldconfig -r "$work/machine" 2>/dev/null
lend 1, python3 -c 'import ctypes; print(ctypes.CDLL("libcuda.so.1").which())'
is "a library in a folder that only the loader's cache knows" 570 "$out"
ldconfig -r "$work/machine" -c old 2>/dev/null
lend 1, python3 -c 'import ctypes; print(ctypes.CDLL("libcuda.so.1").which())'
is "… and by a cache of the old format" 570 "$out"
ldconfig -r "$work/machine" -c compat 2>/dev/null
lend 1, python3 -c 'import ctypes; print(ctypes.CDLL("libcuda.so.1").which())'
is "… and by one of both" 570 "$out"
afresh
cache=$work/machine/etc/ld.so.cache
hostile() { # hostile NAME TEXT: as the machine is now, then it is made afresh
    refused "$1" 1, "$2"
    afresh
}
chmod 666 "$lib/libcuda.so.570.86.15"
hostile "a library that all may write" "others may write it"
chown 12345 "$lib/libcuda.so.570.86.15"
hostile "a library of a user's" "belongs to another than root"
printf 'no library' >"$lib/libcuda.so.570.86.15"
hostile "a library that is none" "no 64-bit library"
printf '\001' | dd of="$lib/libcuda.so.570.86.15" bs=1 seek=4 conv=notrunc status=none
hostile "a library of 32 bits" "no 64-bit library"
rm "$lib/libcuda.so.570.86.15"
mkfifo "$lib/libcuda.so.570.86.15"
hostile "a FIFO in its place" "no regular file"
rm "$lib/libcuda.so.570.86.15"
ln -s /../../../../../../../../etc/passwd "$lib/libcuda.so.570.86.15"
hostile "a link that leads nowhere in the root" "is in no folder of the loader"
rm "$lib"/libcuda.so*
hostile "no library at all" "is in no folder of the loader"
mv "$lib/libcuda.so.570.86.15" "$lib/libcuda.so.570.86.16"
hostile "a library of another driver" "is in no folder of the loader"
head -c 30 "$work/pristine/etc/ld.so.cache" >"$cache"
hostile "a cache cut off in its header" "ld.so.cache"
head -c 60 "$work/pristine/etc/ld.so.cache" >"$cache"
hostile "a cache cut off in its entries" "do not fit in the file"
printf '\377\377\377\377' | dd of="$cache" bs=1 seek=52 conv=notrunc status=none
hostile "a cache with an offset out of range" "points outside of the file"
printf '\377\377\377\177' | dd of="$cache" bs=1 seek=20 conv=notrunc status=none
hostile "a cache with two billion entries" "do not fit in the file"
printf 'nonsense' >"$cache"
hostile "a cache of nonsense" "is no cache of the loader"
LC_ALL=C sed -i 's#/usr/lib/x86#/usr/../xx86#g' "$cache"
hostile "a cache with a path that climbs" "is at \"/usr/../"
rm "$cache"
mkfifo "$cache"
hostile "a cache that is a FIFO" "no regular file of root's"
chmod 666 "$cache"
hostile "a cache that all may write" "others cannot write"
rm "$cache"
ln -s /etc/passwd "$cache"
lend 1, true
is "a cache that links out of the root leads to nothing in it: the usual folders are looked at" 0 "$status"
afresh

# ---- CDI ----

mkdir -p "$work/machine/etc/cdi" "$work/machine/run/cdi" "$work/pristine/etc/cdi" "$work/pristine/run/cdi"
cdi=$work/machine/etc/cdi/nvidia.json
honest() {
    cat <<JSON
{"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu",
 "containerEdits": {"env": ["NVIDIA_VISIBLE_DEVICES=void"],
  "deviceNodes": [{"path": "/dev/nvidiactl", "major": 195, "minor": 255, "permissions": "rwm"}, {"path": "/dev/nvidia-uvm-tools"}, {"path": "/dev/nvidia-modeset"}],
  "hooks": [{"hookName": "createContainer", "path": "/bin/touch", "args": ["touch", "$work/hooked"]}],
  "mounts": [{"hostPath": "/usr/lib/x86_64-linux-gnu/libcuda.so.570.86.15", "containerPath": "/usr/lib/libcuda.so.570.86.15", "options": ["ro", "nosuid", "nodev", "bind"]},
             {"hostPath": "/usr/bin/nvidia-smi", "containerPath": "/usr/bin/nvidia-smi"}]},
 "devices": [{"name": "1", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia1", "type": "c"}]}},
             {"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia0"}]}}]}
JSON
}
mknod "$work/machine/dev/nvidia-uvm-tools" c 511 1
honest >"$cdi"
lend 1, sh -c 'echo /dev/nv* ${NVIDIA_CTK_X:-}'
is "an honest specification changes nothing of what is lent" "/dev/nvidia-uvm /dev/nvidia1 /dev/nvidiactl" "$out"
has "… its hooks are noted" "hooks not run" "$(field '.gpus.notes | join("; ")')"
has "… and what was left out" "/dev/nvidia-uvm-tools left out" "$(field '.gpus.notes | join("; ")')"
if [ -e "$work/hooked" ]; then not_ok "… and never run"; else ok "… and never run"; fi
honest >"$work/machine/etc/cdi/x.yaml"
lend 1, true
has "a YAML file is named" "only JSON" "$(field '.gpus.notes | join("; ")')"
rm "$work/machine/etc/cdi/x.yaml"

# spoil NAME TEXT JQ_FILTER
spoil() {
    honest | jq "$3" >"$cdi"
    refused "CDI: $1" 1, "$2"
}
spoil "an unknown key" 'unknown key' '.extra = 1'
spoil "an unknown key of the edits" 'unknown key' '.containerEdits.extra = 1'
spoil "an unknown key of a node" 'unknown key' '.containerEdits.deviceNodes[0].extra = 1'
spoil "an unknown key of a mount" 'unknown key' '.containerEdits.mounts[0].extra = 1'
spoil "an unknown key of a device" 'unknown key' '.devices[0].extra = 1'
spoil "an unknown version" cdiVersion '.cdiVersion = "9.0"'
spoil "no version" cdiVersion 'del(.cdiVersion)'
spoil "no devices" devices 'del(.devices)'
spoil "devices that are no list" devices '.devices = {}'
spoil "a device without a name" name 'del(.devices[0].name)'
spoil "a node that climbs" absolute '.containerEdits.deviceNodes[0].path = "/dev/../etc/shadow"'
spoil "a node outside of /dev" 'below /dev' '.containerEdits.deviceNodes[0].path = "/etc/nvidia"'
spoil "a relative node" absolute '.containerEdits.deviceNodes[0].path = "dev/nvidiactl"'
spoil "a host's path that climbs" absolute '.containerEdits.deviceNodes[0].hostPath = "/dev/../../x"'
spoil "a block device" 'must be "c"' '.containerEdits.deviceNodes[0].type = "b"'
spoil "a FIFO" 'must be "c"' '.containerEdits.deviceNodes[0].type = "p"'
spoil "another major" 'is the device 195:255' '.containerEdits.deviceNodes[0].major = 1'
spoil "another minor" 'is the device 195:255' '.containerEdits.deviceNodes[0].minor = 3'
spoil "odd permissions" 'r, w and m' '.containerEdits.deviceNodes[0].permissions = "rwx"'
spoil "a node under another's name" 'the device is /dev/nvidia1' '.devices[0].containerEdits.deviceNodes[0] = {"path": "/dev/null", "hostPath": "/dev/nvidia1"}'
spoil "a file as a node" 'no character device' '.containerEdits.deviceNodes[0] = {"path": "/dev/nvidiactl", "hostPath": "/etc/ld.so.cache"}'
spoil "LD_PRELOAD" 'variable of the loader' '.containerEdits.env = ["LD_PRELOAD=/proc/self/cwd/evil.so"]'
spoil "LD_LIBRARY_PATH of a device not lent" 'variable of the loader' '.devices[1].containerEdits.env = ["LD_LIBRARY_PATH=/tmp"]'
spoil "a variable without a value" 'KEY=VALUE' '.containerEdits.env = ["X"]'
spoil "a variable that is a number" env '.containerEdits.env = [7]'
spoil "a mount that climbs" absolute '.containerEdits.mounts[0].hostPath = "/usr/lib/../../etc/shadow"'
spoil "a mount to a relative place" absolute '.containerEdits.mounts[0].containerPath = "usr"'
spoil "a mount without a source" hostPath 'del(.containerEdits.mounts[0].hostPath)'
spoil "options that are no texts" options '.containerEdits.mounts[0].options = [1]'
spoil "edits that are a list" containerEdits '.containerEdits = []'
spoil "hooks that are no list" hooks '.containerEdits.hooks = "x"'
honest | head -c 200 >"$cdi"
refused "CDI: cut off" 1, nvidia.json
honest | sed 's/"kind"/"cdiVersion": "0.6.0", "kind"/' >"$cdi"
refused "CDI: a key twice" 1, nvidia.json
{ honest; head -c 1100000 /dev/zero | tr '\0' ' '; } >"$cdi"
refused "CDI: more than 1 MiB" 1, "larger than"
printf '%0.s[' $(seq 5000) >"$cdi"
refused "CDI: nested deep" 1, nvidia.json
honest >"$cdi"
chmod 666 "$cdi"
refused "CDI: a file that all may write" 1, "others cannot write"
rm "$cdi"
ln -s /../../../../../../../../../../etc/passwd "$cdi"
refused "CDI: a link out of the root" 1, nvidia.json
rm "$cdi"
mkfifo "$cdi"
refused "CDI: a FIFO" 1, "no regular file of root's"
rm "$cdi"
mkfifo "$lib/../libcuda.so.570.86.15"
honest | jq '.containerEdits.mounts[0].hostPath = "/usr/lib/libcuda.so.570.86.15"' >"$cdi"
refused "CDI: a library that is a FIFO" 1, "no regular file"
rm "$lib/../libcuda.so.570.86.15"
echo '{"cdiVersion": "0.5.0", "kind": "vendor.com/net", "devices": "x"}' >"$cdi"
lend 1, true
is "CDI: another vendor's is not ours to read" 0 "$status"
rm "$cdi"

# ---- limits, and runs without ----

lend 1, sh -c 'ulimit -l; stat -f -c %b%S /dev/shm >/dev/null && df --output=size -B1 /dev/shm | tail -1'
most=$(ulimit -Hl)
[ "$(prlimit --memlock=unlimited sh -c 'ulimit -Hl' 2>/dev/null)" != unlimited ] || most=unlimited
is "memory may be locked as far as the launcher may, /dev/shm is 2 GiB a GPU" "$most 2147483648" "$(tr -s '\n ' ' ' <<<"$out" | sed 's/ $//')"
lend 1, sh -c 'ls /sys /sys/devices/system; cat /sys/bus/pci/devices/0000:47:00.0/class; readlink -f /sys/class/pci_bus/0000:47/../../0000:47:00.0; ls /sys/bus/pci/devices'
is "of /sys there is what libraries ask for, of one GPU" "bus class devices module cpu node 0x030200 /sys/devices/pci0000:40/0000:40:01.0/0000:47:00.0 0000:47:00.0" "$(sed 's/^.*:$//' <<<"$out" | tr -s '\n ' ' ' | sed 's/^ //; s/ $//')"
out=$("$bin/paddock" exec --json "$work/result.json" -- sh -c 'ls /dev/nvidia* /sys /.gpu; ulimit -l; echo "$CUDA_VISIBLE_DEVICES"' 2>/dev/null)
is "a run without GPUs has nothing of this" "8192 null" "$(tr -d '\n' <<<"$out") $(field .gpus)"
is "nothing is left" "" "$(find "$live" -maxdepth 1 -name 'x-*')"
exit $bad
