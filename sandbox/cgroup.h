/*
 * Control groups of one sandbox, on whatever mix of v1 hierarchies and the
 * unified one this machine has mounted.
 *
 * cgroup_create() makes one group per usable hierarchy, below the caller's own
 * group ("<own>/paddock/<id>"), sets the limits, and remembers for each limit
 * whether the kernel enforces it. Where nothing is writable (a plain user), the
 * object exists all the same, enforces nothing and says why: the launcher then
 * falls back to rlimits and watchers. Mounts are never changed and groups of
 * others never touched.
 */
#ifndef PADDOCK_SANDBOX_CGROUP_H
#define PADDOCK_SANDBOX_CGROUP_H

#include "common/error.h"
#include "sandbox/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup;

enum cgroup_control {
    CGROUP_CPU, /* accounting of cpu time */
    CGROUP_CPUSET,
    CGROUP_MEMORY,
    CGROUP_PIDS,
    CGROUP_IO, /* accounting */
    CGROUP_FREEZE,
    CGROUP_DEVICES, /* only where cgroup_devices() was asked */
    /* These only where they are asked for. */
    CGROUP_CPU_SHARE,   /* limits.cpu_percent */
    CGROUP_MEMORY_HIGH, /* limits.memory_high_bytes; v2 only */
    CGROUP_IO_RATE,     /* limits.io */
    CGROUP_EXCLUSIVE,   /* limits.cpus_exclusive; v2 only */
    CGROUP_CONTROLS,
};

struct cgroup_usage { /* −1: not known */
    int64_t cpu_user_ns, cpu_system_ns, cpu_total_ns;
    int64_t memory_bytes, memory_peak_bytes;
    int64_t pids;
    int64_t oom_kills;    /* processes killed for memory so far */
    int64_t pids_refused; /* forks refused at the limit so far */
    int64_t io_read_bytes, io_write_bytes;
    int64_t pressure_cpu_ns, pressure_memory_ns, pressure_io_ns; /* "some" totals */
    int64_t throttled_ns; /* held back by a share of the cpus (limits.cpu_percent) */
    int64_t waited_ns;    /* ready to run on cpus that others had; v1 with schedstats only */
};

/* `id` names the group. Fails only on real trouble (out of memory, a half-made
 * group that could not be undone), not for lack of privilege. */
int cgroup_create(const char *id, const struct spec_limits *limits, const char *cpus,
                  struct cgroup **out, struct error *err);

/* Sets the limits of groups that were made without any. -1 when these limits need
 * other groups, and nothing was done. */
int cgroup_limit(struct cgroup *cg, const struct spec_limits *limits, const char *cpus);

struct cgroup_device { /* a character device */
    unsigned major, minor;
};
/* From now on the sandbox can open the usual devices and these, read and write, and
 * make none; everything else fails with EPERM, wherever a node of it lies. Before
 * cgroup_enter_open(), as it may make a group. What became of it is CGROUP_DEVICES.
 * -1 only on real trouble. */
int cgroup_devices(struct cgroup *cg, const struct cgroup_device *list, size_t count,
                   struct error *err);

/* Whether the kernel really has this control here, and what file says so or
 * why not (borrowed text, never NULL). */
bool cgroup_enforces(const struct cgroup *cg, enum cgroup_control c, const char **detail);

/* A descriptor for CLONE_INTO_CGROUP, or -1 when the unified hierarchy is of no
 * use here. Borrowed. */
int cgroup_clone_fd(const struct cgroup *cg);
/* Puts a process into every group it is not in yet by CLONE_INTO_CGROUP. */
int cgroup_attach(struct cgroup *cg, pid_t pid, bool cloned_into, struct error *err);

/* The cheaper way in: the child itself writes to descriptors the parent opened,
 * with no other call, while it still has one thread. The kernel then need not
 * hold up all forks and exits of the machine, which costs an attach by pid up
 * to some milliseconds (cgroup_procs_write_start() in kernel/cgroup/cgroup.c).
 * The parent closes its copy after the fork; the child's go at its exec. */
#define CGROUP_DOOR_MAX 10
struct cgroup_door {
    int fds[CGROUP_DOOR_MAX];
    size_t count;
};
int cgroup_enter_open(const struct cgroup *cg, bool cloned_into, struct cgroup_door *out,
                      struct error *err);
/* In the child: 0, or -1 and errno. Async-signal-safe. */
int cgroup_enter(const struct cgroup_door *door);
void cgroup_enter_close(struct cgroup_door *door);

/* A descriptor that becomes readable when memory may have run out (v1 eventfd;
 * v2 inotify on memory.events, which also tells of lesser things), or -1.
 * Borrowed; ask cgroup_oom_seen() when it is readable. */
int cgroup_oom_fd(const struct cgroup *cg);
/* Empties that descriptor and says whether memory ran out at any time so far. */
bool cgroup_oom_seen(struct cgroup *cg);

/* Only what is looked at while the program runs: cpu time and refused forks. */
void cgroup_glance(struct cgroup *cg, struct cgroup_usage *out);
void cgroup_sample(struct cgroup *cg, struct cgroup_usage *out);
/* The numbers of its threads, at most `most` of them. */
size_t cgroup_threads(struct cgroup *cg, int64_t *tids, size_t most);
/* How many processes are in it: 0 only when all groups are empty; -1 unknown. */
int64_t cgroup_population(struct cgroup *cg);
/* Kills everything inside: cgroup.kill, else freeze–signal–thaw, else signals
 * until nothing is left of the list. Only processes read from our own group's
 * files are signalled. */
int cgroup_kill(struct cgroup *cg, struct error *err);
/* Sends the kill to everything inside at once, and waits for nothing; false where
 * the kernel cannot. */
bool cgroup_strike(const struct cgroup *cg);
int cgroup_freeze(struct cgroup *cg, bool frozen, struct error *err);
/* Moves all of it to these cpus, where the groups have a cpuset (CGROUP_CPUSET). */
int cgroup_move(struct cgroup *cg, const char *cpus, struct error *err);

/* The folders made, NULL-terminated, absolute: for the live registry. */
char *const *cgroup_paths(const struct cgroup *cg);
/* Removes the folders (retrying while the kernel still empties them, at most
 * `patience_ms`) and frees. The object is gone even on error. */
int cgroup_destroy(struct cgroup *cg, int patience_ms, struct error *err);
/* For the sweep: kills and removes a group by the paths recorded for it. Only
 * paths of the form <mounted cgroup hierarchy>/…/paddock/<id> are accepted. */
int cgroup_sweep(char *const *paths, struct error *err);
/* The same for a launcher that died before it could record any path: wherever
 * cgroup_create() would put a group of that name here and now. */
int cgroup_sweep_id(const char *id, struct error *err);

#endif
