/*
 * Pid 1 of the sandbox. It is cloned before anything is known of the run and
 * begins with what every run needs. As soon as there are control groups it forks
 * the payload into them, then it builds the mounts, so that both get ready at the
 * same time. Then it gives up all but the right to signal it, and reaps until the
 * program ends, which ends everything: when pid 1 of a pid namespace exits, the
 * kernel kills the rest.
 *
 * It lives no longer than the launcher: PR_SET_PDEATHSIG, and the end of the
 * control socket.
 */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/pass.h"
#include "sandbox/fence.h"
#include "sandbox/port.h"
#include "sandbox/weaken.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

enum { OOM_SCORE = 500 }; /* when the whole machine runs out, sandboxes go first */

static void mark(struct fence *f, enum step step) {
    step_mark(&f->page->steps, STEP_INIT, step);
}

/* ---- messages ---- */

static _Noreturn void give_up(struct fence *f, const struct error *err) {
    fence_fail(f, err);
    char message = CONTROL_FAILED;
    if (send(f->control[1], &message, 1, MSG_NOSIGNAL) < 0) _exit(1); /* nobody there */
    _exit(1);
}

static void say(struct fence *f, char message) {
    if (send(f->control[1], &message, 1, MSG_NOSIGNAL) < 0) _exit(1);
}

static void send_handles(struct fence *f, const int *handles, size_t count) {
    /* A missing handle is sent as the control socket itself: the list stays whole. */
    int fds[MOST_HANDLES];
    for (size_t i = 0; i < count; i++) fds[i] = handles[i] >= 0 ? handles[i] : f->control[1];
    char message = CONTROL_MOUNTS;
    if (pass_send(f->control[1], &message, 1, fds, count) < 0) _exit(1);
    for (size_t i = 0; i < count; i++)
        if (handles[i] >= 0) close(handles[i]);
}

/* ---- building ---- */

static int write_self(const char *path, const char *text) {
    _cleanup_close_ int fd = openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

/* The program's monotonic and boot clocks begin near 0: the machine's uptime is
 * no business of its own, and differs from run to run. */
static void enter_time(struct fence *f) {
    if (weaken("time-namespace") || unshare(CLONE_NEWTIME) < 0) {
        fence_note(f, FENCE_TIME, LAYER_OFF, "the kernel has none: %s", strerror(errno));
        return;
    }
    struct timespec boot;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    char text[96];
    snprintf(text, sizeof text, "monotonic -%" PRId64 " 0\nboottime -%" PRId64 " 0\n",
             clock_mono_ns() / NS_PER_SEC, (int64_t)boot.tv_sec);
    if (write_self("/proc/self/timens_offsets", text) < 0)
        fence_note(f, FENCE_TIME, LAYER_WEAKER, "own, but the uptime shows: %s", strerror(errno));
    else fence_note(f, FENCE_TIME, LAYER_ON, "monotonic and boot clocks begin at 0");
}

static int raise_loopback(struct error *err) {
    _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo"};
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        return error_sys(err, errno, "bring loopback up");
    return 0;
}

static int enter_network(struct fence *f, struct error *err) {
    if (f->spec->network == NETWORK_NONE) {
        fence_note(f, FENCE_NETWORK, LAYER_ON, "own, loopback down: no connection of any kind");
        return 0;
    }
    if (!f->policy->loopback)
        return error_set(err, ERROR_DENIED, "network \"loopback\": the policy %s does not allow it",
                         f->policy->name);
    if (f->spec->listen && !f->policy->listen)
        return error_set(err, ERROR_DENIED, "listen: the policy %s does not allow it",
                         f->policy->name);
    if (raise_loopback(err) < 0) return -1;
    if (!f->spec->listen) {
        fence_note(f, FENCE_NETWORK, LAYER_ON, "own, with nothing but its loopback");
        return 0;
    }
    f->port = port_listen(f->spec->listen, err);
    fence_note(f, FENCE_NETWORK, LAYER_ON,
               "own, with nothing but its loopback, of which port %d is answered from outside",
               (int)f->spec->listen);
    return f->port < 0 ? -1 : 0;
}

/* /dev/stdout is opened anew by path: the pipe must be the payload's. */
static int own_stdio(struct fence *f, struct error *err) {
    for (int i = 0; i < 3; i++)
        if (f->stdio_ours[i] && fchown(f->stdio[i], PAYLOAD_UID, PAYLOAD_GID) < 0)
            return error_sys(err, errno, "give descriptor %d to the payload", i);
    return 0;
}

/* What needs no order: while the launcher still makes the host's part. */
static int prepare(struct fence *f, struct error *err) {
    char score[16];
    snprintf(score, sizeof score, "%d", OOM_SCORE);
    if (write_self("/proc/self/oom_score_adj", score) < 0)
        return error_sys(err, errno, "oom_score_adj");
    /* The dearest of the namespaces by far. */
    if (!weaken("network-namespace") && unshare(CLONE_NEWNET) < 0)
        return error_sys(err, errno, "new network namespace");
    mark(f, STEP_NETWORK);
    enter_time(f);
    /* The payload will have these from us. */
    if (capabilities_drop_bounding(err) < 0 || capabilities_lock(err) < 0) return -1;
    /* In "/", so that pivot_root(2) takes the payload along into the new root. */
    if (chdir("/") < 0 || pipe2(f->built, O_CLOEXEC) < 0)
        return error_sys(err, errno, "pipe to the payload");
    return 0;
}

/* The payload is born into the run's own group of the unified hierarchy; init
 * stays outside of all of them, so that an empty group is the proof that nothing
 * of the program is left. It still has the launcher's ids, by which it may do
 * this, and the payload may enter the other groups. */
static pid_t fork_payload(struct fence *f) {
    struct clone_args args = {.exit_signal = SIGCHLD};
    if (f->group >= 0) {
        args.flags = CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)f->group;
    }
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) child_main(f);
    if (pid > 0) elsewhere_send(&f->elsewhere, pid);
    return pid;
}

/* Init itself, from the launcher's ids to those of the sandbox. */
static int become(struct fence *f, struct error *err) {
    if (identity_become_init(&f->identity, err) < 0) return -1;
    /* Cleared by the change of ids (PR_SET_PDEATHSIG(2const)). */
    if (prctl(PR_SET_PDEATHSIG, weaken("kill") ? 0 : SIGKILL, 0, 0, 0) < 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_sys(err, errno, "prctl");
    return 0;
}

struct ground { /* what is built on */
    int root;
    int procs[MOUNT_PROCS];
};

/* As root, whose launcher opens all sources, init becomes who it is and begins
 * with the root at once. A user's init opens the sources itself, with all that
 * user's groups, and so waits for the order. */
static int begin_root(struct fence *f, struct ground *g, struct error *err) {
    if (f->identity.privilege != PRIVILEGE_ROOT) return 0;
    if (become(f, err) < 0) return -1;
    return mounts_begin(&f->base, f->procs, g->procs, &g->root, err);
}

static int user_begins_root(struct fence *f, struct ground *g, struct error *err) {
    static struct mount_plan nothing;
    struct mount_plan *base = f->page->order.other_root ? &nothing : &f->base;
    if (mounts_open_sources(base, err) < 0 || mounts_open_sources(&f->plan, err) < 0 ||
        become(f, err) < 0 || own_stdio(f, err) < 0)
        return -1;
    return mounts_begin(base, f->procs, g->procs, &g->root, err);
}

static int obey_order(struct fence *f, struct ground *g, struct error *err) {
    if (f->identity.privilege != PRIVILEGE_ROOT) {
        if (user_begins_root(f, g, err) < 0) return -1;
    } else if (f->page->order.other_root && mounts_begin_anew(g->procs, &g->root, err) < 0) {
        return -1; /* an image of its own has nothing of what was built ahead */
    }
    if (!weaken("uts-namespace") && sethostname(f->spec->hostname, strlen(f->spec->hostname)) < 0)
        return error_sys(err, errno, "hostname");
    return enter_network(f, err);
}

static int tell_payload(struct fence *f, char message, struct error *err) {
    /* A payload that failed before says so itself. */
    if (write(f->built[1], &message, 1) != 1 && errno != EPIPE)
        return error_sys(err, errno, "tell the payload");
    return 0;
}

/* The rest of the root, while the payload puts on what needs none. */
static int build_root(struct fence *f, struct ground *g, struct error *err) {
    int handles[MOST_HANDLES];
    size_t count = FENCE_HANDLES + f->spec->clock.gate.data_count;
    if (mounts_build(&f->plan, g->procs, handles, count, f->own_proc ? HANDLE_PROC : -1, g->root,
                     err) < 0 ||
        tell_payload(f, BUILT_ROOT, err) < 0)
        return -1;
    handles[HANDLE_PORT] = f->port;
    mark(f, STEP_ROOTED);
    send_handles(f, handles, count);
    return 0;
}

/* ---- supervising ---- */

static void on_signal(int signal) {
    (void)signal; /* ppoll returns: that is all we want */
}

/* Signals by number, as the kernel takes them: a C library's sets leave out those
 * that it keeps to itself. */
#define ALL_SIGNALS     (~0UL)
#define ALL_BUT_SIGCHLD (ALL_SIGNALS & ~(1UL << (SIGCHLD - 1)))

/* Every signal is blocked for good but SIGCHLD, which is let through in ppoll
 * only: no signal from inside does anything to pid 1. */
static int take_signals(struct error *err) {
    static const unsigned long every = ALL_SIGNALS;
    struct sigaction action = {.sa_handler = on_signal};
    if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &every, NULL, 8) < 0 ||
        sigaction(SIGCHLD, &action, NULL) < 0)
        return error_sys(err, errno, "signals");
    return 0;
}

/* Keeps nothing but the control socket and, where the payload has another id,
 * the right to signal it. */
static int shrink(struct fence *f, struct error *err) {
    int last = f->control[1];
    for (int fd = 0; fd < 3; fd++) close(fd);
    if (dup3(last, 0, O_CLOEXEC) < 0) return error_sys(err, errno, "control socket");
    f->control[1] = 0;
    if (syscall(SYS_close_range, 1, ~0U, 0) < 0) return error_sys(err, errno, "close_range");
    uint64_t kept = f->identity.privilege == PRIVILEGE_PLAIN ? 0 : UINT64_C(1) << CAP_KILL;
    if (capabilities_keep(kept, err) < 0) return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return error_sys(err, errno, "no_new_privs");
    prctl(PR_SET_NAME, "paddock-init", 0, 0, 0);
    return 0;
}

/* The program ended: says how, then ends what it left. All else in this pid
 * namespace is below us, and nobody who is killed can make anybody new. */
static _Noreturn void finish(struct fence *f, int status) {
    struct control_end end = {.message = CONTROL_ENDED, .status = status};
    mark(f, STEP_REAPED);
    getrusage(RUSAGE_CHILDREN, &end.usage);
    if (send(f->control[1], &end, sizeof end, MSG_NOSIGNAL) < 0) _exit(1);
    _exit(0);
}

static void reap(struct fence *f, pid_t payload) {
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0) return;
        if (pid == payload) finish(f, status);
    }
}

static void obey(struct fence *f, pid_t payload) {
    char message = 0;
    ssize_t n = recv(f->control[1], &message, 1, MSG_DONTWAIT);
    if (n == 0 && !weaken("kill")) _exit(1); /* the launcher is gone */
    if (n < 0) return;
    if (message == CONTROL_TERMINATE) kill(payload, SIGTERM);
    if (message == CONTROL_KILL) kill(payload, SIGKILL);
}

static _Noreturn void supervise(struct fence *f, pid_t payload) {
    static const unsigned long waiting = ALL_BUT_SIGCHLD;
    struct pollfd control = {.fd = f->control[1], .events = POLLIN};
    for (;;) {
        int n = (int)syscall(SYS_ppoll, &control, 1L, NULL, &waiting, 8L);
        if (n < 0 && errno != EINTR) _exit(1);
        if (n > 0) obey(f, payload);
        reap(f, payload);
    }
}

_Noreturn void init_main(struct fence *f) {
    _cleanup_error_ struct error err = {0};
    mark(f, STEP_BEGIN);
    close(f->control[0]);
    close(f->release[0]);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) {
        error_sys(&err, errno, "PR_SET_PDEATHSIG");
        give_up(f, &err);
    }
    if (take_signals(&err) < 0 || prepare(f, &err) < 0 || told_receive_groups(f, &err) < 0)
        give_up(f, &err);
    /* Back on all cpus after the launcher's word, as it sent us away before it. */
    if (!f->elsewhere.stay && elsewhere_return(&f->elsewhere, &err) < 0) give_up(f, &err);
    mark(f, STEP_ENTERED);
    pid_t payload = fork_payload(f);
    if (payload < 0) error_sys(&err, errno, "fork the payload");
    else close(f->built[0]);
    mark(f, STEP_FORKED);
    struct ground ground = {.root = -1};
    if (payload < 0 || told_receive_host(f, &err) < 0) give_up(f, &err);
    mark(f, STEP_MAPPED);
    if (begin_root(f, &ground, &err) < 0) give_up(f, &err);
    mark(f, STEP_BUILT);
    if (told_receive(f, &err) < 0) give_up(f, &err);
    mark(f, STEP_TOLD);
    if (obey_order(f, &ground, &err) < 0 || build_root(f, &ground, &err) < 0 || shrink(f, &err) < 0)
        give_up(f, &err);
    mark(f, STEP_SHRUNK);
    if (f->elsewhere.stay && elsewhere_return(&f->elsewhere, &err) < 0) give_up(f, &err);
    say(f, CONTROL_READY);
    supervise(f, payload);
}
