/* Namespaces and single features of the kernel, each tried in a child. */
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/probe_internal.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static int write_file(const char *path, const char *text) {
    _cleanup_close_ int fd = openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? errno : 0;
}

int probe_enter(int flags) {
    char uids[32];
    char gids[32];
    snprintf(uids, sizeof uids, "1000 %u 1", (unsigned)geteuid());
    snprintf(gids, sizeof gids, "1000 %u 1", (unsigned)getegid());
    if (unshare(CLONE_NEWUSER | flags) < 0) return errno;
    int r = write_file("/proc/self/setgroups", "deny");
    if (r == 0) r = write_file("/proc/self/uid_map", uids);
    return r ? r : write_file("/proc/self/gid_map", gids);
}

static int try_session_keyring(int unused) {
    (void)unused;
    return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 ? errno : 0;
}

static int try_pidfd(int unused) {
    (void)unused;
    _cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    return fd < 0 || syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) < 0 ? errno : 0;
}

static int try_seccomp(int unused) {
    (void)unused;
    unsigned action = SECCOMP_RET_KILL_PROCESS;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0 ? errno : 0;
}

static int try_openat2(int unused) {
    (void)unused;
    _cleanup_close_ int root = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int fd = open_beneath(root, ".", O_PATH | O_DIRECTORY, 0);
    return fd < 0 ? errno : 0;
}

static int try_close_range(int unused) {
    (void)unused;
    return syscall(SYS_close_range, 3, ~0U, 0) < 0 ? errno : 0;
}

static void probe_landlock(struct probe_report *report) {
    long abi =
        syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
    if (abi > 0) probe_add(report, "landlock", PROBE_YES, "ABI %ld", abi);
    else
        probe_add(report, "landlock", PROBE_NO, "%s",
                  errno == EOPNOTSUPP ? "disabled at boot"
                  : errno == ENOSYS   ? "not in this kernel"
                                      : strerror(errno));
}

void probe_kernel(struct probe_report *report) {
    static const struct {
        const char *name;
        int flag;
    } namespaces[] = {
        {"user namespace", 0},
        {"mount namespace", CLONE_NEWNS},
        {"pid namespace", CLONE_NEWPID},
        {"network namespace", CLONE_NEWNET},
        {"ipc namespace", CLONE_NEWIPC},
        {"uts namespace", CLONE_NEWUTS},
        {"cgroup namespace", CLONE_NEWCGROUP},
        {"time namespace", CLONE_NEWTIME},
    };
    for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
        probe_add_result(report, namespaces[i].name, probe_try(probe_enter, namespaces[i].flag),
                         "can be made");
    probe_add_result(report, "seccomp", probe_try(try_seccomp, 0), "filters with kill-process");
    probe_landlock(report);
    probe_add_result(report, "session keyring", probe_try(try_session_keyring, 0),
                     "each sandbox gets its own");
    probe_add_result(report, "pidfd", probe_try(try_pidfd, 0), "signals cannot hit a stranger");
    probe_add_result(report, "openat2", probe_try(try_openat2, 0), "paths stay beneath a folder");
    probe_add_result(report, "close_range", probe_try(try_close_range, 0),
                     "no descriptor is inherited");
}
