/*
 * Filling the workspace (declared in supervise.h), in one way for all three
 * modes: a process of its own, in the sandbox's groups so that the copy counts
 * against its memory, which reads with the launcher's rights and writes with
 * the payload's ids.
 *
 * As root it stays in the machine's user namespace (a user namespace without
 * host id 0 could not read root's files) and takes the payload's host ids for
 * file access only. Otherwise it enters the sandbox's user namespace, where its
 * own id is mapped and files of that id stay readable by capability.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/supervise.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* Leaving file id 0 takes the file capabilities out of the effective set
 * (capabilities(7)); they are still permitted, and reading needs them. */
static int raise_permitted(struct error *err) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0) return error_sys(err, errno, "capabilities");
    for (int i = 0; i < 2; i++) data[i].effective = data[i].permitted;
    if (syscall(SYS_capset, &header, data) < 0) return error_sys(err, errno, "capabilities");
    return 0;
}

static int take_ids(const struct run *r, struct error *err) {
    uid_t uid = PAYLOAD_UID;
    gid_t gid = PAYLOAD_GID;
    if (r->fence->identity.privilege == PRIVILEGE_ROOT) {
        uid += r->fence->identity.base;
        gid += r->fence->identity.base;
    } else if (setns(r->userns, CLONE_NEWUSER) < 0) {
        return error_sys(err, errno, "join the user namespace");
    }
    setfsgid(gid);
    setfsuid(uid);
    if (setfsuid((uid_t)-1) != (int)uid || setfsgid((gid_t)-1) != (int)gid)
        return error_set(err, ERROR_DENIED, "cannot take the payload's ids");
    return raise_permitted(err);
}

static int seed(const struct run *r, pid_t launcher, struct error *err) {
    if (cgroup_attach(r->cg, getpid(), false, err) < 0) return -1;
    if (take_ids(r, err) < 0) return -1;
    /* After the change of ids, which clears it (PR_SET_PDEATHSIG(2const)). */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) return error_sys(err, errno, "prctl");
    if (getppid() != launcher) return error_set(err, ERROR_CANCELLED, "the launcher is gone");
    return tree_copy(r->workspace, r->handles[HANDLE_WORKSPACE], NULL, err);
}

int seed_start(const struct run *r, struct error *err) {
    pid_t launcher = getpid();
    pid_t pid = fork();
    if (pid < 0) return error_sys(err, errno, "fork");
    if (pid == 0) {
        _cleanup_error_ struct error why = {0};
        if (seed(r, launcher, &why) == 0) _exit(0);
        error_wrap(&why, "copy the workspace %s", r->spec->workspace_source);
        fence_fail(r->fence, &why);
        _exit(1);
    }
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd >= 0) return pidfd;
    int saved = errno;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return error_sys(err, saved, "pidfd_open");
}

int seed_finish(const struct run *r, int pidfd, struct error *err) {
    siginfo_t info = {0};
    while (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
        if (errno != EINTR) return error_sys(err, errno, "wait for the workspace");
    if (info.si_code == CLD_EXITED && info.si_status == 0) return 0;
    if (info.si_code == CLD_EXITED) return fence_failure(r->fence, err);
    return error_set(err, ERROR_LIMIT, "copy the workspace %s: killed by signal %d%s",
                     r->spec->workspace_source, info.si_status,
                     cgroup_oom_seen(r->cg) ? ": it does not fit into limits.memory_bytes" : "");
}
