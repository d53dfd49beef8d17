# A machine with four GPUs that there are not, below a folder (PADDOCK_GPU_ROOT).
# shellcheck shell=bash

uuid() { printf 'GPU-%08d-aaaa-bbbb-cccc-dddddddddddd' "$1"; }

# The node's minor is not the order on the bus.
gpu_places=(0000:07:00.0 0000:47:00.0 0000:87:00.0 0000:c7:00.0)

make_gpu() { # make_gpu ROOT INDEX MINOR
    local place=${gpu_places[$2]} top
    top=${place:5:1}
    mkdir -p "$1/proc/driver/nvidia/gpus/$place"
    printf 'Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 1%s\nGPU UUID: \t %s\nVideo BIOS: \t ??.??.??.??.??\nBus Type: \t PCIe\nDMA Size: \t 52 bits\nDMA Mask: \t 0xfffffffffffff\nBus Location: \t %s\nDevice Minor: \t %s\nGPU Firmware: \t 570.86.15\nGPU Excluded:\t No\n' \
        "$2" "$(uuid "$2")" "$place" "$3" >"$1/proc/driver/nvidia/gpus/$place/information"
    mknod -m 666 "$1/dev/nvidia$3" c 195 "$3"
    local bridge="/sys/devices/pci0000:${top}0/0000:${top}0:01.0"
    mkdir -p "$1$bridge/$place" "$1$bridge/pci_bus/${place:0:7}" "$1/sys/bus/pci/devices" "$1/sys/class/pci_bus"
    echo 0x030200 >"$1$bridge/$place/class"
    echo 0x060400 >"$1$bridge/class"
    echo secret >"$1$bridge/$place/config"
    ln -s "../../../devices/pci0000:${top}0/0000:${top}0:01.0/$place" "$1/sys/bus/pci/devices/$place"
    ln -s "../../devices/pci0000:${top}0/0000:${top}0:01.0/pci_bus/${place:0:7}" "$1/sys/class/pci_bus/${place:0:7}"
}

make_library() { # make_library ROOT NAME VERSION SONAME
    local folder=$1/usr/lib/x86_64-linux-gnu
    echo "int which(void) { return ${3%%.*}; }" |
        cc -shared -fPIC -nostdlib -x c -o "$folder/$2.$3" -Wl,-soname,"$4" -
}

make_machine() {
    local root=$1 i
    mkdir -p "$root"/{dev,etc,proc/driver/nvidia,run,usr/lib/x86_64-linux-gnu} "$root"/sys/devices/system/{cpu,node} "$root"/sys/module/nvidia
    mknod -m 666 "$root/dev/nvidiactl" c 195 255
    mknod -m 666 "$root/dev/nvidia-uvm" c 511 0
    for i in 0 1 2 3; do make_gpu "$root" "$i" "$i"; done
    printf 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (builder@machine)\nGCC version:  gcc version 12.2.0\n' >"$root/proc/driver/nvidia/version"
    printf 'ResmanDebugLevel: 4294967295\nModifyDeviceFiles: 1\nDeviceFileMode: 438\n' >"$root/proc/driver/nvidia/params"
    printf 'Character devices:\n  1 mem\n195 nvidia\n195 nvidiactl\n510 nvidia-caps\n511 nvidia-uvm\n\nBlock devices:\n  8 sd\n' >"$root/proc/devices"
    echo live >"$root/sys/module/nvidia/initstate"
    make_library "$root" libcuda.so 570.86.15 libcuda.so.1
    make_library "$root" libnvidia-ml.so 570.86.15 libnvidia-ml.so.1
    make_library "$root" libcuda.so 470.1.2 libcuda.so.1
    echo /usr/lib/x86_64-linux-gnu >"$root/etc/ld.so.conf"
    ldconfig -r "$root" 2>/dev/null
}

split_gpu() { # split_gpu ROOT INDEX: into two instances
    local gi cap mig=$1/proc/driver/nvidia/capabilities/gpu$2/mig
    mkdir -p "$1/dev/nvidia-caps"
    for gi in 1 2; do
        cap=$((gi * 2 + 10))
        mkdir -p "$mig/gi$gi/ci0"
        printf 'DeviceFileMinor: %s\nDeviceFileMode: 292\nDeviceFileModify: 1\n' "$cap" >"$mig/gi$gi/access"
        printf 'DeviceFileMinor: %s\nDeviceFileMode: 292\nDeviceFileModify: 1\n' $((cap + 1)) >"$mig/gi$gi/ci0/access"
        mknod -m 444 "$1/dev/nvidia-caps/nvidia-cap$cap" c 510 "$cap"
        mknod -m 444 "$1/dev/nvidia-caps/nvidia-cap$((cap + 1))" c 510 $((cap + 1))
    done
}
