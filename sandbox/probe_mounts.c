/* What a sandbox's root is assembled with, tried inside fresh namespaces. */
#include "common/cleanup.h"
#include "sandbox/probe_internal.h"

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* A detached mount of a filesystem without a source; -1 and errno. */
static int detached(const char *type) {
    _cleanup_close_ int fs = (int)syscall(SYS_fsopen, type, 1 /* FSOPEN_CLOEXEC */);
    if (fs < 0) return -1;
    if (syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0) < 0) return -1;
    return (int)syscall(SYS_fsmount, fs, 1 /* FSMOUNT_CLOEXEC */, 0);
}

static int place(int mount, const char *target) {
    return (int)syscall(SYS_move_mount, mount, "", AT_FDCWD, target,
                        4 /* MOVE_MOUNT_F_EMPTY_PATH */);
}

struct attributes { /* struct mount_attr, since not every libc has it */
    uint64_t set, clear, propagation, userns;
};

static int try_mount_api(int unused) {
    (void)unused;
    int r = probe_enter(CLONE_NEWNS);
    if (r) return r;
    _cleanup_close_ int tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/",
                                            O_CLOEXEC | 1 /* OPEN_TREE_CLONE */ | AT_RECURSIVE);
    if (tree < 0) return errno;
    struct attributes readonly = {.set = 1 /* MOUNT_ATTR_RDONLY */};
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &readonly,
                sizeof readonly) < 0)
        return errno;
    _cleanup_close_ int tmpfs = detached("tmpfs");
    return tmpfs < 0 || place(tmpfs, "/tmp") < 0 ? errno : 0;
}

static int mount_proc(int unused) {
    (void)unused;
    _cleanup_close_ int fd = detached("proc");
    return fd < 0 ? errno : 0;
}

/* The first child of a pid namespace is the one that may show it. */
static int try_proc(int unused) {
    (void)unused;
    int r = probe_enter(CLONE_NEWNS | CLONE_NEWPID);
    return r ? r : probe_try(mount_proc, 0);
}

static int try_overlay(int unused) {
    (void)unused;
    int r = probe_enter(CLONE_NEWNS);
    if (r) return r;
    _cleanup_close_ int tmpfs = detached("tmpfs");
    if (tmpfs < 0 || place(tmpfs, "/tmp") < 0) return errno;
    if (mkdir("/tmp/l", 0755) < 0 || mkdir("/tmp/u", 0755) < 0 || mkdir("/tmp/w", 0755) < 0 ||
        mkdir("/tmp/m", 0755) < 0)
        return errno;
    return mount("overlay", "/tmp/m", "overlay", 0,
                 "lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w,userxattr") < 0
               ? errno
               : 0;
}

void probe_mounts(struct probe_report *report) {
    probe_add_result(report, "new mount API", probe_try(try_mount_api, 0),
                     "open_tree, mount_setattr, fsmount, move_mount");
    probe_add_result(report, "private /proc", probe_try(try_proc, 0), "can be mounted");
    int overlay = probe_try(try_overlay, 0);
    if (overlay == 0) probe_add(report, "overlay", PROBE_YES, "in a user namespace");
    else
        probe_add(report, "overlay", PROBE_WEAKER, "copies instead, since an overlay gave: %s",
                  strerror(overlay));
}
