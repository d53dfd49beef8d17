#!/usr/bin/env bash
# Makes what the test machine boots from, in a cache folder:
#   image.sh kernel PACKAGE   a kernel of Debian, unpacked, never installed
#   image.sh userland         an ext4 image of the host's own packages
#   image.sh tree FILE        an ext4 image of what was built and the tests
# The first two are kept until a package changes. Prints the path made.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=tests/vm
cache=${PADDOCK_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/paddock/vm}
mkdir -p "$cache"
scratch=$(mktemp -d "$cache/making-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
# What nobody used for long, and what a killed run left.
find "$cache" -mindepth 1 -maxdepth 1 \( -name 'userland-*' -mtime +7 -o -name 'making-*' -mtime +1 -o -name 'run-*' -mtime +1 \) \
    -exec rm -rf {} +

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# The files are to be root's in the machine, whoever makes the image.
as_owner() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else unshare --user --map-root-user "$@"; fi
}

# image_of FOLDER FILE: no larger than it must be; it is read only.
image_of() {
    local kib
    kib=$(du -sk --apparent-size "$1" | cut -f1)
    as_owner mke2fs -q -t ext4 -O ^has_journal,^resize_inode -m 0 -i 8192 -E root_owner=0:0 -d "$1" \
        "$2" "$((kib * 5 / 4 + 16384))k" >/dev/null
}

# The archive with which the kernel starts: our init and the disks' drivers.
initrd_of() {
    local modules=$1 out=$2 name file dir=$scratch/initrd
    mkdir -p "$dir"/{modules,dev,new}
    for name in virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk \
        crc16 crc32c_generic libcrc32c crc32c-intel mbcache jbd2 ext4; do
        file=$(find "$modules" -name "$name.ko*" | head -n 1)
        case $file in
        *.ko.xz) xz -dc "$file" >"$dir/modules/$name.ko" ;;
        *.ko) cp "$file" "$dir/modules/" ;;
        esac
    done
    (cd "$dir" && find . | cpio --quiet -o -H newc -R 0:0) >"$out"
}

# A package that only names the newest kernel stands for that one.
kernel() {
    local package=$1 depends kept
    if ! apt-cache show --no-all-versions "$package" >/dev/null 2>&1 && [ "$(id -u)" -eq 0 ]; then
        apt-get -q update >/dev/null 2>&1 || true # a machine without package lists
    fi
    depends=$(apt-cache show --no-all-versions "$package" 2>/dev/null |
        sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p' | head -n 1)
    package=${depends:-$package}
    # Without lists, one kept from before will do: its kind is the end of its name.
    kept=$(find "$cache" -maxdepth 1 -name "linux-image-[0-9]*-${package#linux-image-}" | sort -V | tail -n 1)
    [ -n "$depends" ] || [ -z "$kept" ] || package=$(basename "$kept")
    local dir=$cache/$package
    if [ ! -f "$dir/vmlinuz" ]; then
        (cd "$scratch" && apt-get -q -o APT::Sandbox::User=root download "$package" >apt.log 2>&1) ||
            die "package $1 cannot be downloaded: $(tail -n 1 "$scratch/apt.log")"
        dpkg-deb -x "$scratch/$package"_*.deb "$scratch/unpacked"
        mkdir "$scratch/kernel"
        cp "$scratch"/unpacked/boot/vmlinuz-* "$scratch/kernel/vmlinuz"
        initrd_of "$scratch/unpacked" "$scratch/kernel/drivers.cpio"
        rm -rf "$dir"
        mv "$scratch/kernel" "$dir"
    fi
    echo "$dir"
}

# The packages of the list and the essential ones, with what they depend on, as
# "name version" lines.
closure() {
    dpkg-query -W -f '${db:Status-Status}\t${binary:Package}\t${Version}\t${Essential}\t${Provides}\t${Pre-Depends}, ${Depends}\n' |
        awk -F '\t' -v list="$here/packages" '
        function plain(name) { gsub(/[ (:].*/, "", name); return name }
        $1 == "installed" {
            name = plain($2); version[name] = $3; needs[name] = $6
            if ($4 == "yes") queue[++last] = name
            n = split($5, p, /, */)
            for (i = 1; i <= n; i++) provider[plain(p[i])] = name
        }
        END {
            while ((getline line < list) > 0) if (line !~ /^#/ && line != "") queue[++last] = line
            for (at = 1; at <= last; at++) {
                name = queue[at]
                if (!(name in version)) name = provider[name]
                if (!(name in version) || (name in done)) continue
                done[name] = 1
                print name, version[name]
                n = split(needs[name], d, /, */)
                for (i = 1; i <= n; i++) {
                    m = split(d[i], or, / *\| */)
                    for (j = 1; j <= m; j++) {
                        x = plain(or[j])
                        if (x in version || x in provider) { queue[++last] = x; break }
                    }
                }
            }
        }' | sort
}

# The files of packages, with the folders that are links nowadays resolved, and
# without what no test reads.
files_of() {
    xargs dpkg-query -L 2>/dev/null |
        grep -vE '^/usr/share/(doc|man|locale|info|lintian|i18n|perl|zoneinfo)/|^/usr/lib/python3[^/]*/(test|idlelib|lib2to3)|/__pycache__(/|$)|^/(boot|var)/' |
        sed -E 's,^/(bin|sbin|lib|lib64)/,/usr/\1/,' | sort -u |
        while IFS= read -r f; do
            if [ -L "$f" ] || [ ! -d "$f" ]; then [ ! -e "$f" ] && [ ! -L "$f" ] || printf '%s\n' "$f"; fi
        done
}

userland() {
    closure >"$scratch/packages"
    local key file
    key=$(cat "$scratch/packages" "$0" | sha256sum | cut -c 1-16)
    file=$cache/userland-$key.ext4
    if [ ! -f "$file" ]; then
        local dir=$scratch/userland
        mkdir "$dir"
        cut -d ' ' -f 1 "$scratch/packages" | files_of |
            tar --no-recursion -C / -cf - -T <(sed 's,^/,,' | grep -vE '^(bin|sbin|lib|lib64)$') --owner=0 --group=0 2>/dev/null | as_owner tar -C "$dir" -xpf -
        # Names that the packages' scripts chose, and the loader's cache.
        cp -a --no-preserve=ownership /etc/alternatives "$dir/etc/"
        find /usr/bin /usr/sbin -lname '/etc/alternatives/*' | while IFS= read -r link; do
            [ ! -e "$dir$(readlink -f "$link")" ] || cp -a --no-preserve=ownership "$link" "$dir$link"
        done
        /sbin/ldconfig -r "$dir"
        mkdir -p "$dir/usr/local/share" "$dir/usr/local/bin" # no package's; a fence test mounts there
        printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n' >"$dir/etc/passwd"
        printf 'root:x:0:\nnogroup:x:65534:\n' >"$dir/etc/group"
        image_of "$dir" "$scratch/userland.ext4"
        mv "$scratch/userland.ext4" "$file"
    fi
    touch "$file"
    echo "$file"
}

tree() {
    local dir=$scratch/tree
    mkdir -p "$dir/build"
    cp -r policies tests "$dir/"
    mkdir "$dir/build/policies"
    cp build/policies/*.json "$dir/build/policies/"
    cp -r build/bin "$dir/build/"
    mkdir "$dir/build/tests"
    find build/tests -maxdepth 1 -mindepth 1 ! -name CMakeFiles -exec cp -r {} "$dir/build/tests/" \;
    chmod -R a+rX "$dir"
    image_of "$dir" "$1"
    echo "$1"
}

case ${1:-} in
kernel | userland | tree) "$@" ;;
*) die "image.sh kernel PACKAGE | userland | tree FILE" ;;
esac
