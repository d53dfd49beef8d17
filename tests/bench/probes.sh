#!/usr/bin/env bash
# ./dev bench probes [TABLE.md]: the same posture probes (probes.c) under every
# launcher this machine has, and a Markdown table of those whose answers differ.
# Everything runs in mount namespaces of its own: some peers leave mounts behind.
# What fence_lib.bash sets is not seen by shellcheck.
# shellcheck disable=SC2154,SC2046
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
if [ "$(id -u)" -ne 0 ]; then
    echo "bench: probes compare launchers as root and as other users: run as root" >&2
    exit 1
fi
table=${1:-}
export PADDOCK_BIN=${PADDOCK_BIN:-$PWD/build/bin}
tests=$PWD/build/tests
# shellcheck source=tests/integration/fence_lib.bash disable=SC1091
. tests/integration/fence_lib.bash
policy_dir=$(cd "$bin/../policies" && pwd)

dir=$(mktemp -d /tmp/paddock-probes.XXXXXX)
host=
# shellcheck disable=SC2317 # called by the trap
cleanup() {
    exec 9>&- # the outside takes its message queue away when this closes
    [ -z "$host" ] || wait "$host"
    rm -rf "$dir"
}
trap cleanup EXIT
chmod 755 "$dir"
probes=$dir/probes
install -m 755 "$tests/bench_probes" "$probes"
mkdir "$dir/results" "$dir/rootfs"
heavy=(tmp_bytes shm_bytes memfd_bytes tmp_files forks cpu)

# What the probes look for outside.
mkfifo "$dir/hold"
"$probes" host <"$dir/hold" >"$dir/host" 2>&1 &
host=$!
exec 9>"$dir/hold"
for _ in $(seq 50); do
    grep -q ready "$dir/host" && break
    sleep 0.1
done
grep -q ready "$dir/host" || echo "bench: the outside of the probes does not stand: $(cat "$dir/host")" >&2

names=()
declare -A why
# column NAME COMMAND...: runs the probes; the command's last words are theirs.
column() {
    local name=$1 out h
    shift
    out=$dir/results/${#names[@]}
    names+=("$name")
    isolated "$@" >"$out" 2>"$out.err" 9>&-
    if ! grep -q ' ok$\| denied ' "$out"; then
        why[$name]=$(tail -1 "$out.err")
        echo "$name: does not run here: ${why[$name]}" >&2
        return
    fi
    for h in "${heavy[@]}"; do
        isolated "$@" heavy "$h" >"$out.heavy" 2>/dev/null 9>&-
        # A limit may have ended it all before it could answer.
        grep "^$h " "$out.heavy" >>"$out" || echo "$h denied ended" >>"$out"
    done
    echo "$name: $(grep -c ' ok$' "$out") of $(wc -l <"$out") possible" >&2
}
# A descriptor and a variable that a careless launcher hands on; mounts of one's own.
isolated() {
    PROBE_SECRET=1 timeout -s KILL 180 unshare -m --propagation private "$@" \
        50</etc/passwd </dev/null
}
uid() { echo setpriv --reuid "$plain_uid" --regid "$plain_uid" --clear-groups; }

bwrap_base=(bwrap --unshare-user --unshare-ipc --unshare-pid --unshare-net --unshare-uts
    --unshare-cgroup --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib
    --symlink usr/lib64 /lib64 --proc /proc --dev /dev --tmpfs /tmp --ro-bind "$probes" /probes
    --cap-drop ALL --new-session --die-with-parent)

make_bundle() {
    mkdir -p "$dir/rootfs"/{usr,proc,tmp,dev,sys,etc,run,root,var,opt}
    echo ID=probes >"$dir/rootfs/etc/os-release" # nspawn wants an OS tree
    ln -sfn usr/bin "$dir/rootfs/bin"
    ln -sfn usr/lib "$dir/rootfs/lib"
    ln -sfn usr/lib64 "$dir/rootfs/lib64"
    chmod 1777 "$dir/rootfs/tmp" # runc gives the mount the mode of what it covers
    install -m 755 "$probes" "$dir/rootfs/probes"
    chown -R 100000:100000 "$dir/rootfs"
}
# bundle DIR ARGS...: the engines' own default spec, a user namespace, the profile
# of Podman, no capabilities.
bundle() {
    local at=$1
    shift
    mkdir -p "$at"
    (cd "$at" && rm -f config.json && crun spec) || return 1
    jq --argjson args "$(jq -cn '$ARGS.positional' --args -- /probes "$@")" --arg root "$dir/rootfs" \
        --slurpfile profile /usr/share/containers/seccomp.json '
        .process.args = $args | .process.terminal = false | .process.capabilities = {}
        | .process.user = {uid: 1000, gid: 1000} | .process.noNewPrivileges = true
        | .root = {path: $root, readonly: true}
        | .mounts = ([.mounts[] | select(.type != "cgroup" and .type != "sysfs")]
            + [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777"]},
               {destination: "/usr", type: "bind", source: "/usr", options: ["bind", "ro"]}])
        | .linux.namespaces = [.linux.namespaces[] | select(.type != "cgroup")] + [{type: "user"}]
        | .linux.namespaces |= unique_by(.type) | del(.linux.resources)
        | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
        | .linux.gidMappings = .linux.uidMappings
        | .linux.seccomp = {defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 38,
            architectures: ["SCMP_ARCH_X86_64"],
            syscalls: [$profile[0].syscalls[]
                | select((.includes.caps // []) == [] and (.includes.arches // ["amd64"] | index("amd64") != null))
                | {names, action} + (if .args then {args: [.args[] | {index, value, valueTwo, op}]} else {} end)
                  + (if .errnoRet then {errnoRet} else {} end)]}' \
        "$at/config.json" >"$at/new.json" && mv "$at/new.json" "$at/config.json"
}
# As one command, so that heavy probes get their arguments.
cat >"$dir/oci" <<'SCRIPT'
set -e
engine=$1 at=$2; shift 2
mount -t cgroup2 none /sys/fs/cgroup
jq --argjson args "$(jq -cn '$ARGS.positional' --args -- /probes "$@")" '.process.args = $args' "$at/config.json" >"$at/config.new"
mv "$at/config.new" "$at/config.json"
extra=
[ "$engine" != crun ] || extra=--cgroup-manager=disabled
exec "$engine" $extra --root "$at/state" run --bundle "$at" "paddock-probes-$$"
SCRIPT

# paddock_spec POLICY: the spec as a run of a task would have it.
cat >"$dir/paddock" <<'SCRIPT'
set -e
dir=$1 policy=$2 launcher=$3; shift 3
at=$(mktemp -d /tmp/paddock-probe-run.XXXXXX)
trap 'rm -rf "$at"' EXIT
jq -n --arg id "probe-$$" --arg policy "$policy" --arg probes "$dir/probes" \
    --argjson args "$(jq -cn '$ARGS.positional' --args -- /probes "$@")" '{
    id: $id, argv: $args, env: ["PATH=/usr/bin:/bin"], policy: $policy, cwd: "/work",
    network: (if $policy | test("train") then "loopback" else "none" end),
    stdout: "inherit", stderr: "inherit", stdin: "null",
    mounts: [{source: $probes, target: "/probes", exec: true}],
    limits: {wall_ms: 60000, cpu_ms: 3000, memory_bytes: 536870912, pids: 64, output_bytes: 1048576,
             disk_bytes: 67108864, disk_inodes: 4096, tmp_bytes: 67108864, open_files: 256}}' >"$at/spec.json"
mkdir "$at/live" && PADDOCK_LIVE=$at/live "$launcher" run "$at/spec.json" --dir "$at"
SCRIPT
paddock() { echo bash "$dir/paddock" "$dir" "$policy_dir/$1.json" "$bin/paddock-sandbox"; }

{ # some commands are words to be split

    column "bare uid" $(uid) "$probes"
    column "unshare" $(uid) unshare -Urmpinuf --mount-proc "$probes"
    "$tests/bench_filter" train >"$dir/train.bpf"
    column "bwrap" $(uid) "${bwrap_base[@]}" /probes
    column "bwrap + our filter" bash -c 'exec 60<"$0"; exec "$@"' "$dir/train.bpf" \
        $(uid) "${bwrap_base[@]}" --unshare-user --disable-userns --seccomp 60 /probes
    make_bundle
    if [ -e /usr/share/containers/seccomp.json ]; then
        for engine in crun runc; do
            command -v "$engine" >/dev/null || continue
            bundle "$dir/$engine" && column "$engine" bash "$dir/oci" "$engine" "$dir/$engine"
        done
    fi
    # What it leaves below /run/firejail, mounts among it, ends with its namespace.
    column "firejail" bash -c 'mount -t tmpfs none /run && exec "$@"' sh firejail --quiet --noprofile --private --private-tmp --net=none \
        --caps.drop=all --seccomp --nonewprivs "--whitelist=$dir" "$probes"
    column "systemd-nspawn" systemd-nspawn -q --register=no --keep-unit --as-pid2 --volatile=no \
        --private-network --private-users=100000:65536 --read-only --tmpfs=/tmp --bind-ro=/usr \
        --no-new-privileges=yes --drop-capability=all --user=0 --pipe -D "$dir/rootfs" /probes
    for p in strict train build; do column "Paddock $p" $(paddock $p); done
    export -f as_subid
    export subid_uid
    column "Paddock train, subid" bash -c 'as_subid "$@"' sh $(paddock train)
    column "Paddock train, plain" $(uid) $(paddock train)
}

table() {
    local i n
    printf '| probe |'
    for n in "${names[@]}"; do printf ' %s |' "$n"; done
    printf '\n|---|'
    for n in "${names[@]}"; do printf -- '---|'; done
    printf '\n'
    awk -v columns="${#names[@]}" '
        FNR == 1 { column = FILENAME; sub(/.*\//, "", column); column++ }
        column > 0 && !(column in ran) { ran[column] = 1 }
        !($1 in seen) { seen[$1] = 1; order[++rows] = $1 }
        { said[$1, column] = $2 == "ok" ? "**yes**" : "–" }
        $2 == "ok" { count[column]++ }
        END {
            for (r = 1; r <= rows; r++) {
                differs = 0
                for (c in ran) differs += said[order[r], c] != said[order[r], 1]
                if (!differs) { same[said[order[r], 1]] = same[said[order[r], 1]] " `" order[r] "`"; continue }
                printf "| `%s` |", order[r]
                for (c = 1; c <= columns; c++) printf " %s |", said[order[r], c] == "" ? "?" : said[order[r], c]
                printf "\n"
            }
            printf "| **possible of %d** |", rows
            for (c = 1; c <= columns; c++) printf " **%d** |", count[c]
            printf "\n\nDenied everywhere:%s.\n\nPossible everywhere:%s.\n", same["–"], same["**yes**"]
        }' $(for ((i = 0; i < ${#names[@]}; i++)); do echo "$dir/results/$i"; done)
    for n in "${!why[@]}"; do printf '\n%s: does not run here: %s\n' "$n" "${why[$n]}"; done
}
if [ -n "$table" ]; then table >"$table"; else table; fi
