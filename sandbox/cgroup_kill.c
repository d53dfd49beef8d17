/*
 * Ending, freezing and moving all that is in a sandbox's groups.
 *
 * cgroup.kill is atomic and one write. Without it we forbid forks (pids.max 0),
 * signal whoever is listed, and repeat; only when that does not converge do we
 * use v1's freezer, which costs a tick of 4 ms. A pid read from a list may be
 * somebody else by the time of the signal: the process is held by a pidfd and
 * must still be in our group then.
 */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "sandbox/cgroup_internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define PROCS_TEXT_MAX (16U << 20)
#define KILL_DEADLINE  (10 * NS_PER_SEC)
#define FREEZE_WAIT    (2 * NS_PER_SEC)

bool cgroup_membership_has(const char *text, const struct cgroup_group *g) {
    size_t len = strlen(g->in_hierarchy);
    for (const char *line = text; line && *line;) {
        const char *end = strchr(line, '\n');
        const char *list = strchr(line, ':');
        const char *path = list ? strchr(list + 1, ':') : NULL;
        bool unified = list && path == list + 1;
        if (path && unified == g->unified && strncmp(path + 1, g->in_hierarchy, len) == 0 &&
            (path[1 + len] == '\n' || path[1 + len] == '/' || path[1 + len] == '\0'))
            return true;
        line = end ? end + 1 : NULL;
    }
    return false;
}

static bool is_member(pid_t pid, const struct cgroup_group *g) {
    char path[40];
    char text[8192];
    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    return cgroup_read(AT_FDCWD, path, text, sizeof text) > 0 && cgroup_membership_has(text, g);
}

static void kill_member(pid_t pid, const struct cgroup_group *g) {
    if (pid <= 1 || pid == getpid()) return; /* 0: not in our pid namespace */
    _cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd >= 0 && is_member(pid, g)) (void)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
}

/* Signals every process listed; how many there were, or -1. */
static int64_t signal_listed(const struct cgroup_group *g) {
    _cleanup_buf_ struct buf list = {0};
    if (file_read_at(g->fd, "cgroup.procs", PROCS_TEXT_MAX, &list, NULL) < 0) return -1;
    int64_t count = 0;
    char *end;
    for (const char *p = buf_text(&list); *p; p = end + strspn(end, "\n")) {
        long pid = strtol(p, &end, 10);
        if (end == p) break;
        kill_member((pid_t)pid, g);
        count++;
    }
    return count;
}

static void nap(int64_t ns) {
    struct timespec t = {.tv_sec = ns / NS_PER_SEC, .tv_nsec = ns % NS_PER_SEC};
    nanosleep(&t, NULL);
}

/* Waits until `key` of cgroup.events is `value`. The kernel would notify, but
 * at most every 10 ms (CGROUP_FILE_NOTIFY_MIN_INTV): looking is faster. */
static bool wait_event(const struct cgroup_group *g, const char *key, int64_t value,
                       int64_t deadline) {
    _cleanup_close_ int fd = openat(g->fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
    for (int64_t pause = NS_PER_MS / 32;; pause = pause < NS_PER_MS ? pause * 2 : pause) {
        char text[128];
        ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
        if (n < 0) return false;
        text[n] = '\0';
        if (cgroup_field(text, key) == value) return true;
        if (clock_mono_ns() >= deadline) return false;
        nap(pause);
    }
}

static bool freeze_v1(const struct cgroup_group *g, bool frozen) {
    if (cgroup_write(g->fd, "freezer.state", frozen ? "FROZEN" : "THAWED") < 0) return false;
    for (int64_t deadline = clock_mono_ns() + FREEZE_WAIT; frozen;) {
        char text[32];
        if (cgroup_read(g->fd, "freezer.state", text, sizeof text) < 0) return false;
        if (strcmp(text, "FROZEN\n") == 0) return true;
        if (clock_mono_ns() >= deadline) return false;
        nap(NS_PER_MS / 2);
    }
    return true;
}

int cgroup_freeze(struct cgroup *cg, bool frozen, struct error *err) {
    const struct cgroup_group *g = cgroup_group_of(cg, CGROUP_FREEZE);
    if (!g)
        return error_set(err, ERROR_UNSUPPORTED, "freeze: %s", cg->controls[CGROUP_FREEZE].detail);
    bool done = g->unified ? cgroup_write(g->fd, "cgroup.freeze", frozen ? "1" : "0") == 0 &&
                                 wait_event(g, "frozen", frozen, clock_mono_ns() + FREEZE_WAIT)
                           : freeze_v1(g, frozen);
    if (done) return 0;
    return error_set(err, ERROR_BUSY, "%s: did not become %s", g->path,
                     frozen ? "frozen" : "thawed");
}

int cgroup_move(struct cgroup *cg, const char *cpus, struct error *err) {
    const struct cgroup_group *g = cgroup_group_of(cg, CGROUP_CPUSET);
    if (!g)
        return error_set(err, ERROR_UNSUPPORTED, "cpus: %s", cg->controls[CGROUP_CPUSET].detail);
    if (cgroup_write(g->fd, "cpuset.cpus", cpus) == 0) return 0;
    return error_sys(err, errno, "%s/cpuset.cpus", g->path);
}

/* With forks forbidden, killing the listed ones converges. That counts as
 * refused forks, so what was refused before is kept. */
static void forbid_forks(struct cgroup *cg) {
    const struct cgroup_group *g = cgroup_group_of(cg, CGROUP_PIDS);
    if (!g || cg->pids_refused >= 0) return;
    struct cgroup_usage usage;
    cgroup_sample(cg, &usage);
    if (cgroup_write(g->fd, "pids.max", "0") == 0)
        cg->pids_refused = usage.pids_refused < 0 ? 0 : usage.pids_refused;
}

/* One round: how many were still there, or -1 when a list cannot be read. */
static int64_t kill_round(const struct cgroup *cg, bool atomic) {
    int64_t most = 0;
    for (size_t i = 0; i < cg->count; i++) {
        const struct cgroup_group *g = &cg->groups[i];
        bool by_kernel = g->unified && atomic;
        int64_t n = by_kernel ? cgroup_group_population(g) : signal_listed(g);
        if (n < 0) return -1;
        if (n > 0 && by_kernel) (void)cgroup_write(g->fd, "cgroup.kill", "1");
        if (n > most) most = n;
    }
    return most;
}

bool cgroup_strike(const struct cgroup *cg) {
    const struct cgroup_group *g = cgroup_unified_of(cg);
    return g && cgroup_write(g->fd, "cgroup.kill", "1") == 0;
}

int cgroup_kill(struct cgroup *cg, struct error *err) {
    const struct cgroup_group *unified = cgroup_unified_of(cg);
    const struct cgroup_group *freezer = cgroup_group_of(cg, CGROUP_FREEZE);
    bool atomic = cgroup_strike(cg);
    if (!atomic) forbid_forks(cg);
    /* The dead leave a frozen v1 group only once it is thawed; unfreezing first
     * would let the living run. */
    if (freezer && freezer->unified) freezer = NULL;
    int64_t deadline = clock_mono_ns() + KILL_DEADLINE;
    for (int round = 0;; round++) {
        bool freeze = freezer && round >= 2;
        if (freeze) (void)freeze_v1(freezer, true);
        int64_t left = kill_round(cg, atomic);
        if (freezer) (void)cgroup_write(freezer->fd, "freezer.state", "THAWED");
        if (left == 0) return 0;
        if (left < 0) return error_set(err, ERROR_SYSTEM, "kill: %s/cgroup.procs", cg->id);
        if (clock_mono_ns() >= deadline)
            return error_set(err, ERROR_BUSY, "%" PRId64 " processes of %s outlive SIGKILL", left,
                             cg->id);
        if (atomic) wait_event(unified, "populated", 0, clock_mono_ns() + 20 * NS_PER_MS);
        else nap(round < 5 ? NS_PER_MS / 5 << round : 5 * NS_PER_MS);
    }
}
