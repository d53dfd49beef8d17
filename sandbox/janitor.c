#include "sandbox/janitor.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "sandbox/elsewhere.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATIENCE_MS = 2000, STACK_BYTES = 256 << 10, DEADLINE_S = 30 };

void janitor_clean(struct cgroup *cg, struct live *live) {
    _cleanup_error_ struct error err = {0};
    if (cg && cgroup_population(cg) > 0 && cgroup_kill(cg, &err) < 0)
        log_warn("%s", error_text(&err));
    error_clear(&err);
    bool left = cg && cgroup_destroy(cg, PATIENCE_MS, &err) < 0;
    if (left) log_warn("left for the next sweep: %s", error_text(&err));
    if (left) live_leave(live);
    else live_release(live);
}

#if defined __x86_64__ && !defined __SANITIZE_ADDRESS__

struct janitor {
    int launcher; /* pidfd */
    struct cgroup *cg;
    struct live *live;
};

/* While the launcher lives, memory is its own, errno included: one system call,
 * made here. No signal interrupts it, all are blocked. */
static long wait_for_end(struct pollfd *p) {
    long result;
    register long ten __asm__("r10") = 0;
    register long eight __asm__("r8") = 0;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_ppoll), "D"(p), "S"(1L), "d"(0L), "r"(ten), "r"(eight)
                     : "rcx", "r11", "memory");
    return result;
}

/* The launcher may have been killed in the middle of malloc(3): on such a heap we
 * may crash, which gives the locks back, but must not hang. */
static void take_heart(void) {
    unsigned long alarm_only = 1UL << (SIGALRM - 1);
    signal(SIGALRM, SIG_DFL);
    syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &alarm_only, NULL, 8);
    alarm(DEADLINE_S);
}

static int janitor_main(void *arg) {
    const struct janitor *j = arg;
    struct pollfd p = {.fd = j->launcher, .events = POLLIN};
    wait_for_end(&p);
    /* A caller that reads to the end of its streams must not wait for us. */
    close(0);
    close(1);
    take_heart();
    prctl(PR_SET_NAME, "paddock-janitor", 0, 0, 0);
    janitor_clean(j->cg, j->live);
    syscall(SYS_exit_group, 0);
    return 0;
}

/* Born on the launcher's own cpu, and kept there: the two share their memory, and to
 * give up what was in use on two cpus makes each interrupt the other. */
static int clone_here(void *stack, struct janitor *j) {
    cpu_set_t before;
    bool held = elsewhere_hold(&before);
    int pid = clone(janitor_main, stack, CLONE_VM | CLONE_FILES, j);
    int saved = errno;
    if (held) sched_setaffinity(0, sizeof before, &before);
    errno = saved;
    return pid;
}

bool janitor_start(struct cgroup *cg, struct live *live) {
    static struct janitor janitor;
    static _Alignas(16) char stack[STACK_BYTES];
    static const unsigned long every = ~0UL;
    unsigned long before = 0;
    janitor = (struct janitor){(int)syscall(SYS_pidfd_open, getpid(), 0), cg, live};
    if (janitor.launcher < 0) return false;
    /* It is born with our mask. */
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &every, &before, 8);
    int pid = clone_here(stack + sizeof stack, &janitor);
    int saved = errno;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, 8);
    if (pid > 0) return true;
    close(janitor.launcher);
    errno = saved;
    return false;
}

#else /* a sanitizer's runtime wants its own stacks, and this is x86-64's call */

bool janitor_start(struct cgroup *cg, struct live *live) {
    (void)cg;
    (void)live;
    return false;
}

#endif
