# The test machine's control groups and users (sourced by guest.sh).
# shellcheck shell=bash disable=SC2154
plain_uid=54321
subid_uid=54322

users() {
    mkdir -p /etc /root /var/tmp
    cp -a /userland/etc/. /etc/
    echo vm >/etc/hostname
    hostname vm
    {
        echo "no-ids:x:$plain_uid:$plain_uid::/tmp:/bin/sh"
        echo "with-ids:x:$subid_uid:$subid_uid::/tmp:/bin/sh"
    } >>/etc/passwd
    printf 'no-ids:x:%s:\nwith-ids:x:%s:\n' "$plain_uid" "$subid_uid" >>/etc/group
    echo "with-ids:300000:65536" | tee /etc/subuid >/etc/subgid
}

# A subtree that belongs to a user, as Documentation/admin-guide/cgroup-v2.rst
# ("Delegation") has it: the folder and these files, never a limit's.
delegate() {
    local group=$1 uid=$2 g
    mkdir -p "$group/shell" "$group/runs"
    for g in "$group" "$group/shell" "$group/runs"; do
        chown "$uid:$uid" "$g" "$g"/cgroup.{procs,subtree_control,threads}
    done
}

groups_v2() {
    mount -t cgroup2 -o nosuid,nodev,noexec,nsdelegate cgroup2 "$top"
    local all
    all=$(sed -E 's/([a-z_]+)/+\1/g' "$top/cgroup.controllers")
    echo "$all" >"$top/cgroup.subtree_control"
    mkdir "$top/user.slice" "$top/busy" "$top/stranger" "$top/container"
    echo "$all" >"$top/user.slice/cgroup.subtree_control"
    delegate "$top/user.slice/with-ids" "$subid_uid"
    delegate "$top/user.slice/no-ids" "$plain_uid"
    for g in with-ids no-ids; do echo "$all" >"$top/user.slice/$g/cgroup.subtree_control"; done
    setsid sleep infinity &
    echo $! >"$top/busy/cgroup.procs"
    disown
}

groups_v1() {
    local c
    mount -t tmpfs -o mode=755 cgroup "$top"
    for c in cpuset cpu,cpuacct memory pids blkio freezer devices; do
        mkdir "$top/$c"
        mount -t cgroup -o "nosuid,nodev,noexec,$c" cgroup "$top/$c"
    done
    [ "$HIERARCHY" = v1 ] && return
    mkdir "$top/unified"
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$top/unified"
}

# As in a container: a cgroup namespace whose top is a group further down, with
# the processes in a leaf, as a runtime must put them for anything inside to have
# controllers: only the hierarchy's real top may hold processes beside groups.
in_namespace() {
    bash -c 'echo $$ >"$0/cgroup.procs" && exec unshare --cgroup --mount --propagation private -- bash -c "
        umount -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
        mkdir -p /sys/fs/cgroup/init && echo \$\$ >/sys/fs/cgroup/init/cgroup.procs && exec \"\$@\"" bash "$@"' \
        "$top/container" "$@"
}

set_up() {
    users
    mkdir -p /dev/shm /dev/pts /run/lock
    : >/run/lock/cpus
    mount -t tmpfs -o nosuid,nodev,mode=1777 shm /dev/shm
    mount -t devpts -o nosuid,noexec,gid=5,mode=620,ptmxmode=666 devpts /dev/pts
    ip link set lo up 2>/dev/null
    case $HIERARCHY in
    v2) groups_v2 ;;
    v1 | hybrid) groups_v1 ;;
    esac
    if [ -b /dev/vdc ]; then
        mkdir -p /disk
        mount -t ext4 -o nosuid,nodev /dev/vdc /disk && chmod 1777 /disk
    fi
}
