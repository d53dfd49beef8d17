/* Control groups, by making a group, putting a child into it and removing it. */
#include "common/cleanup.h"
#include "sandbox/cgroup.h"
#include "sandbox/probe_internal.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const struct {
    enum cgroup_control control;
    const char *name;
    const char *instead; /* NULL: nothing */
} controls[] = {
    {CGROUP_MEMORY, "memory limit", "rlimits and a watcher"},
    {CGROUP_PIDS, "pids limit", "an rlimit and a watcher"},
    {CGROUP_CPU, "cpu accounting", "the times of reaped children"},
    {CGROUP_CPUSET, "cpuset", "an affinity the program can change"},
    {CGROUP_IO, "io accounting", NULL},
    {CGROUP_FREEZE, "freezer", "SIGSTOP"},
    {CGROUP_CPU_SHARE, "cpu share", NULL},
    {CGROUP_DEVICES, "device list", "a /dev without other nodes"},
};

/* The first cpu we may use, as a list for a cpuset. */
static void one_cpu(char out[16]) {
    cpu_set_t set;
    snprintf(out, 16, "0");
    if (sched_getaffinity(0, sizeof set, &set) < 0) return;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &set)) continue;
        snprintf(out, 16, "%d", i);
        return;
    }
}

static pid_t clone_child(int group) {
    struct clone_args args = {.exit_signal = SIGCHLD};
    if (group >= 0) args.flags = CLONE_INTO_CGROUP;
    if (group >= 0) args.cgroup = (uint64_t)group;
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        for (;;) pause();
    return pid;
}

static void probe_clone(struct probe_report *report, struct cgroup *cg, bool *cloned, pid_t *pid) {
    int group = cgroup_clone_fd(cg);
    *pid = group < 0 ? -1 : clone_child(group);
    *cloned = *pid > 0;
    if (*cloned) probe_add(report, "CLONE_INTO_CGROUP", PROBE_YES, "born in its group");
    else
        probe_add(report, "CLONE_INTO_CGROUP", PROBE_WEAKER, "attached after the fork instead: %s",
                  group < 0 ? "no unified hierarchy that we can write" : strerror(errno));
    if (!*cloned) *pid = clone_child(-1);
}

static void probe_kill(struct probe_report *report, struct cgroup *cg) {
    int group = cgroup_clone_fd(cg);
    bool there = group >= 0 && faccessat(group, "cgroup.kill", W_OK, 0) == 0;
    probe_add(report, "cgroup.kill", there ? PROBE_YES : PROBE_WEAKER, "%s",
              there ? "a whole tree dies at once" : "signals until a group is empty instead");
}

/* `broken` says why processes cannot be put into the groups; NULL: they can. */
static void report_controls(struct probe_report *report, const struct cgroup *cg,
                            const char *broken) {
    for (size_t i = 0; i < ARRAY_SIZE(controls); i++) {
        const char *detail;
        bool on = cgroup_enforces(cg, controls[i].control, &detail) && !broken;
        if (on) probe_add(report, controls[i].name, PROBE_YES, "%s", detail);
        else if (controls[i].instead)
            probe_add(report, controls[i].name, PROBE_WEAKER, "%s instead: %s", controls[i].instead,
                      broken ? broken : detail);
        else probe_add(report, controls[i].name, PROBE_NO, "%s", broken ? broken : detail);
    }
}

/* Whether a timed run can have its cpus for itself (quiet.h). */
static void report_quiet(struct probe_report *report) {
    const struct probe_item *freezer = probe_find(report, "freezer");
    bool can = freezer && freezer->state == PROBE_YES;
    probe_add(report, "quiet lanes", can ? PROBE_YES : PROBE_NO, "%s",
              can ? "other sandboxes are frozen during a timed run"
                  : "other sandboxes go on during a timed run, whose result counts them");
}

int probe_groups(struct probe_report *report, struct error *err) {
    const struct spec_limits limits = {.memory_bytes = 64 << 20, .pids = 16, .cpu_percent = 50};
    char cpus[16];
    char id[32];
    one_cpu(cpus);
    snprintf(id, sizeof id, "probe-%d", (int)getpid());
    struct cgroup *cg = NULL;
    if (cgroup_create(id, &limits, cpus, &cg, err) < 0) return -1;
    _cleanup_error_ struct error trouble = {0};
    bool cloned;
    pid_t pid;
    probe_clone(report, cg, &cloned, &pid);
    probe_kill(report, cg);
    if (pid > 0) (void)cgroup_attach(cg, pid, cloned, &trouble);
    report_controls(report, cg, error_is_set(&trouble) ? error_text(&trouble) : NULL);
    report_quiet(report);
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return cgroup_destroy(cg, 2000, err);
}
