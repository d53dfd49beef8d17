/*
 * The payload from its fork to its exec (declared in fence.h): the layers that a
 * process can only put on itself, from the outermost to the innermost, each one
 * checked; the system-call filter last. Then it waits to be released.
 */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/fence.h"
#include "sandbox/listener.h"
#include "sandbox/weaken.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Until exec, or until the root stands; the control socket of a gated program waits
 * behind them until the second is free. */
enum { BUILT_FD = 4, GATE_FD };
_Static_assert((int)BUILT_FD == (int)SPEC_CONTROL_FD, "the place the program is told of");

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

/* What a caller ignores or blocks must not reach the program. */
static int reset_signals(struct error *err) {
    /* By the system call: sigaction() does not touch the two that glibc keeps to
     * itself, which a caller may have ignored like any other. */
    static const unsigned long action[4]; /* handler, flags, restorer, mask: all 0 */
    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP && syscall(SYS_rt_sigaction, s, action, NULL, 8) < 0)
            return error_sys(err, errno, "signal %d", s);
    sigset_t none;
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0) return error_sys(err, errno, "signals");
    return 0;
}

/* 0, 1 and 2 as the spec says, 3 the release socket until exec, 4 the pipe that
 * tells of the root until then, and of a gated program its control socket; nothing
 * else. */
static int arrange_descriptors(struct fence *f, struct error *err) {
    for (int i = 0; i < 3; i++) {
        int r = f->stdio[i] == i ? fcntl(i, F_SETFD, 0) : dup2(f->stdio[i], i);
        if (r < 0) return error_sys(err, errno, "descriptor %d", i);
    }
    /* Out of each other's way first. */
    bool gated = f->gate >= 0;
    int release = fcntl(f->release[1], F_DUPFD_CLOEXEC, GATE_FD + 1);
    int built = fcntl(f->built[0], F_DUPFD_CLOEXEC, GATE_FD + 1);
    int gate = gated ? fcntl(f->gate, F_DUPFD_CLOEXEC, GATE_FD + 1) : -1;
    if (release < 0 || built < 0 || dup3(release, RELEASE_FD, O_CLOEXEC) < 0 ||
        dup3(built, BUILT_FD, O_CLOEXEC) < 0 || (gated && dup3(gate, GATE_FD, O_CLOEXEC) < 0))
        return error_sys(err, errno, "release socket");
    f->release[1] = RELEASE_FD;
    if (!weaken("descriptors") &&
        syscall(SYS_close_range, gated ? GATE_FD + 1 : GATE_FD, ~0U, 0) < 0)
        return error_sys(err, errno, "close_range");
    return 0;
}

/* The run's groups; with them as its root, the payload sees no other. */
static int enter_groups(struct fence *f, struct error *err) {
    if (cgroup_enter(&f->door) < 0) return error_sys(err, errno, "enter the control groups");
    if (!weaken("cgroup-namespace") && unshare(CLONE_NEWCGROUP) < 0)
        return error_sys(err, errno, "cgroup namespace");
    if (f->group >= 0 || f->door.count) /* cloned into one, or entered it */
        fence_note(f, FENCE_CGROUP_NAMESPACE, LAYER_ON, "rooted in the run's own group");
    else
        fence_note(f, FENCE_CGROUP_NAMESPACE, LAYER_WEAKER,
                   "rooted in the launcher's group, since the run has none of its own");
    return 0;
}

static void enter_keyring(struct fence *f) {
    if (weaken("keyring")) return;
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0) >= 0)
        fence_note(f, FENCE_KEYRING, LAYER_ON, "own session keyring");
    else if (errno == ENOSYS) fence_note(f, FENCE_KEYRING, LAYER_ON, "the kernel has no keyrings");
    else fence_note(f, FENCE_KEYRING, LAYER_OFF, "no own session keyring: %s", strerror(errno));
}

static int await_root(struct error *err) {
    char message = 0;
    ssize_t n;
    do n = read(BUILT_FD, &message, 1);
    while (n < 0 && errno == EINTR);
    if (n == 0) _exit(1); /* init failed, and says so itself */
    if (n < 0) return error_sys(err, errno, "wait for the root");
    return message == BUILT_ROOT ? 0 : error_set(err, ERROR_INTERNAL, "message %d", message);
}

static int drop_privilege(struct fence *f, struct error *err) {
    /* The bounding set is empty and the secure bits are locked: by init. */
    if (identity_become_payload(&f->identity, err) < 0 ||
        capabilities_keep(weaken("no-new-privs") ? UINT64_C(1) << CAP_SYS_ADMIN : 0, err) < 0)
        return -1;
    enter_keyring(f);
    fence_note(f, FENCE_CAPABILITIES, LAYER_ON, "none; bounding set empty, secure bits locked");
    if (weaken("no-new-privs")) return 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return error_sys(err, errno, "no_new_privs");
    fence_note(f, FENCE_NO_NEW_PRIVS, LAYER_ON, "set");
    return 0;
}

/* The folder must lie inside the root: a path that leaves it reads
 * "(unreachable)…" (getcwd(2)). */
static int enter_folder(const char *path, struct error *err) {
    char now[PATH_MAX];
    if (chdir(path) < 0) return error_sys(err, errno, "cwd %s", path);
    if (syscall(SYS_getcwd, now, sizeof now) < 0 || now[0] != '/')
        return error_set(err, ERROR_DENIED, "cwd %s: not inside the root", path);
    return 0;
}

/* The pipe from init is not needed any more, nor anything else. */
static int end_waiting(struct fence *f, struct error *err) {
    if (f->gate < 0) {
        close(BUILT_FD);
        fence_note(f, FENCE_DESCRIPTORS, LAYER_ON, "nothing but 0, 1 and 2");
        return 0;
    }
    if (dup2(GATE_FD, SPEC_CONTROL_FD) < 0) return error_sys(err, errno, "control socket");
    close(GATE_FD);
    fence_note(f, FENCE_DESCRIPTORS, LAYER_ON, "nothing but 0, 1, 2 and the clock's %d",
               SPEC_CONTROL_FD);
    return 0;
}

static void mark(struct fence *f, enum step step) {
    step_mark(&f->page->steps, STEP_PAYLOAD, step);
}

/* What needs neither ids nor the order. */
static int dress_early(struct fence *f, struct error *err) {
    mark(f, STEP_BEGIN);
    umask(022);
    if (enter_groups(f, err) < 0 || reset_signals(err) < 0) return -1;
    if (setsid() < 0) return error_sys(err, errno, "setsid");
    mark(f, STEP_ENTERED);
    return 0;
}

static int dress(struct fence *f, int *listener, struct error *err) {
    if (told_receive_stdio(f, err) < 0) return -1;
    mark(f, STEP_TOLD);
    if (drop_privilege(f, err) < 0 || arrange_descriptors(f, err) < 0 || limits_apply(f, err) < 0)
        return -1;
    mark(f, STEP_DRESSED);
    /* Back on all cpus only after init's word: it sent us away before that, and
     * a return that came first would be undone for the whole run. */
    if (await_root(err) < 0 || elsewhere_return(&f->elsewhere, err) < 0 ||
        enter_folder(f->spec->cwd, err) < 0)
        return -1;
    mark(f, STEP_ROOTED);
    if (end_waiting(f, err) < 0 || landlock_apply(f, err) < 0) return -1;
    mark(f, STEP_LANDLOCKED);
    if (listener_install(f, listener, err) < 0) return -1;
    mark(f, STEP_FILTERED);
    return 0;
}

/* From here on only read, write, execve and exit (and sendmsg, see listener.c): the filter is on.
 */

static const char *path_of(char *const *env) {
    for (size_t i = 0; env[i]; i++)
        if (strncmp(env[i], "PATH=", 5) == 0) return env[i] + 5;
    return DEFAULT_PATH;
}

/* execvpe() by the rules of the shell, over the program's own PATH. */
static int run_program(const struct spec *spec) {
    const char *name = spec->argv[0];
    if (strchr(name, '/')) {
        execve(name, spec->argv, spec->env);
        return errno;
    }
    int worst = ENOENT;
    char path[PATH_MAX];
    const char *p = path_of(spec->env);
    for (const char *end;; p = end + 1) {
        end = strchrnul(p, ':');
        int len = (int)(end - p);
        int n = snprintf(path, sizeof path, "%.*s/%s", len ? len : 1, len ? p : ".", name);
        if (n > 0 && n < (int)sizeof path) {
            execve(path, spec->argv, spec->env);
            if (errno != ENOENT && errno != ENOTDIR) worst = errno;
        }
        if (*end == '\0') break;
    }
    return worst;
}

static void answer(int fd, char message, int error) {
    struct release_answer a = {.message = message, .error = error};
    if (write(fd, &a, sizeof a) < 0) _exit(1);
}

_Noreturn void child_main(struct fence *f) {
    _cleanup_error_ struct error err = {0};
    int listener = -1; /* exec closes it, and before it only our own code runs */
    if (dress_early(f, &err) < 0 || dress(f, &listener, &err) < 0) {
        fence_fail(f, &err);
        answer(f->release[1], RELEASE_FAILED, 0);
        _exit(1);
    }
    if (listener_ready(listener) < 0) _exit(1);
    char message = 0;
    if (read(RELEASE_FD, &message, 1) != 1 || message != RELEASE_GO) _exit(1);
    mark(f, STEP_EXEC);
    int reason = run_program(f->spec);
    answer(RELEASE_FD, RELEASE_NO_EXEC, reason);
    _exit(reason == ENOENT || reason == ENOTDIR ? 127 : 126);
}
