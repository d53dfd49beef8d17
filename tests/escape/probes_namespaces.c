/* New namespaces and new mounts, as the policy refuses them. */
#include "tests/escape/tables.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HIGH_BITS 0x5500000000UL

static int clone_with(unsigned long flags) {
    long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) _exit(0);
    return answered(pid);
}

static int clone3_user(void) {
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) _exit(0);
    return answered(pid);
}

static int clone_parent(void) {
    return clone_with(CLONE_PARENT);
}

static int clone_ptrace(void) {
    return clone_with(CLONE_PTRACE);
}

static int clone_user(void) {
    return clone_with(CLONE_NEWUSER);
}

static int clone_user_high(void) {
    return clone_with(CLONE_NEWUSER | HIGH_BITS);
}

static int clone_net(void) {
    return clone_with(CLONE_NEWNET);
}

static int setns_own(void) {
    int fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? errno : answered(syscall(SYS_setns, fd, 0));
}

static int setns_init(void) {
    int fd = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? errno : answered(syscall(SYS_setns, fd, CLONE_NEWNS));
}

static int mount_setattr_rw(void) {
    struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY};
    return answered(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &attr, sizeof attr));
}

PROBE_CALL(unshare_user, syscall(SYS_unshare, CLONE_NEWUSER))
PROBE_CALL(unshare_user_high, syscall(SYS_unshare, CLONE_NEWUSER | HIGH_BITS))
PROBE_CALL(unshare_mount, syscall(SYS_unshare, CLONE_NEWNS))
PROBE_CALL(unshare_net, syscall(SYS_unshare, CLONE_NEWNET))
PROBE_CALL(unshare_time, syscall(SYS_unshare, 0x80))
PROBE_CALL(mount_tmpfs, syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL))
PROBE_CALL(mount_proc, syscall(SYS_mount, "proc", "/tmp", "proc", 0, NULL))
PROBE_CALL(mount_sysfs, syscall(SYS_mount, "sysfs", "/tmp", "sysfs", 0, NULL))
PROBE_CALL(mount_cgroup, syscall(SYS_mount, "cgroup", "/tmp", "cgroup2", 0, NULL))
PROBE_CALL(mount_bind, syscall(SYS_mount, "/", "/tmp", NULL, MS_BIND | MS_REC, NULL))
PROBE_CALL(mount_remount, syscall(SYS_mount, NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL))
PROBE_CALL(mount_shared, syscall(SYS_mount, NULL, "/", NULL, MS_SHARED | MS_REC, NULL))
PROBE_CALL(mount_overlay,
           syscall(SYS_mount, "none", "/tmp", "overlay", 0, "lowerdir=/usr,upperdir=/tmp"))
PROBE_CALL(umount_proc, syscall(SYS_umount2, "/proc", MNT_DETACH))
PROBE_CALL(umount_mask, syscall(SYS_umount2, "/proc/sys", MNT_DETACH))
PROBE_CALL(umount_root, syscall(SYS_umount2, "/", MNT_DETACH))
PROBE_CALL(pivot, syscall(SYS_pivot_root, "/tmp", "/tmp"))
PROBE_CALL(chroot_tmp, syscall(SYS_chroot, "/tmp"))
PROBE_CALL(fs_open, syscall(SYS_fsopen, "tmpfs", 0))
PROBE_CALL(fs_pick, syscall(SYS_fspick, AT_FDCWD, "/", 0))
PROBE_CALL(tree_clone, syscall(SYS_open_tree, AT_FDCWD, "/", 1))
PROBE_CALL(tree_plain, syscall(SYS_open_tree, AT_FDCWD, "/", 0))
PROBE_CALL(mount_move, syscall(SYS_move_mount, AT_FDCWD, "/proc", AT_FDCWD, "/tmp", 0))
PROBE_CALL(handle_name, syscall(SYS_name_to_handle_at, AT_FDCWD, "/", NULL, NULL, 0))
PROBE_CALL(handle_open, syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, O_RDONLY))
PROBE_CALL(statmount_root, syscall(457, NULL, NULL, 0, 0))

static const struct attempt attempts[] = {
    TRY("unshare-user", "seccomp", "EPERM", unshare_user),
    TRY("unshare-user-high-bits", "seccomp", "EPERM", unshare_user_high),
    TRY("unshare-user-strict", "seccomp", "EPERM", unshare_user, .policy = "strict"),
    TRY("unshare-user-build", "seccomp", "EPERM", unshare_user, .policy = "build"),
    TRY("unshare-mount", "seccomp", "EPERM", unshare_mount),
    TRY("unshare-net", "seccomp", "EPERM", unshare_net),
    TRY("unshare-time", "seccomp", "EPERM", unshare_time),
    TRY("clone-user", "seccomp", "EPERM", clone_user),
    TRY("clone-user-high-bits", "seccomp", "EPERM", clone_user_high),
    TRY("clone-net", "seccomp", "EPERM", clone_net),
    TRY("clone-parent", "seccomp", "EPERM", clone_parent),
    TRY("clone-ptrace", "seccomp", "EPERM", clone_ptrace),
    TRY("clone3-user", "seccomp", "ENOSYS", clone3_user),
    TRY("setns-own", "seccomp", "EPERM", setns_own),
    TRY("setns-init", "proc-masks", "ENOENT|EACCES", setns_init),
    TRY("mount-tmpfs", "seccomp", "EPERM", mount_tmpfs),
    TRY("mount-proc", "seccomp", "EPERM", mount_proc),
    TRY("mount-sysfs", "seccomp", "EPERM", mount_sysfs),
    TRY("mount-cgroup", "seccomp", "EPERM", mount_cgroup),
    TRY("mount-bind", "seccomp", "EPERM", mount_bind),
    TRY("mount-remount-rw", "seccomp", "EPERM", mount_remount),
    TRY("mount-make-shared", "seccomp", "EPERM", mount_shared),
    TRY("mount-overlay", "seccomp", "EPERM", mount_overlay),
    TRY("mount-setattr-rw", "seccomp", "EPERM", mount_setattr_rw),
    TRY("umount-proc", "seccomp", "EPERM", umount_proc),
    TRY("umount-mask", "seccomp", "EPERM", umount_mask),
    TRY("umount-root", "seccomp", "EPERM", umount_root),
    TRY("pivot-root", "seccomp", "EPERM", pivot),
    TRY("chroot", "seccomp", "EPERM", chroot_tmp),
    TRY("fsopen", "seccomp", "EPERM", fs_open),
    TRY("fspick", "seccomp", "EPERM", fs_pick),
    TRY("open-tree-clone", "seccomp", "EPERM", tree_clone),
    TRY("open-tree", "seccomp", "EPERM", tree_plain),
    TRY("move-mount", "seccomp", "EPERM", mount_move),
    TRY("name-to-handle", "seccomp", "EPERM", handle_name),
    TRY("open-by-handle", "seccomp", "EPERM", handle_open),
    TRY("statmount", "seccomp", "ENOSYS", statmount_root),
};
ATTEMPTS(namespace_attempts, "namespaces and mounts");
