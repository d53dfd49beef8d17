/*
 * Watchers: the limits that no kernel mechanism ends a run by, looked at from
 * outside at intervals. With control groups that is cpu time, refused forks and
 * full file systems; without them also memory and the number of tasks, summed
 * over the sandbox's own procfs.
 */
#ifndef PADDOCK_SANDBOX_WATCH_H
#define PADDOCK_SANDBOX_WATCH_H

#include "sandbox/cgroup.h"
#include "sandbox/fence.h"

#include <stdbool.h>
#include <stdint.h>

struct watch {
    const struct spec *spec;
    struct cgroup *cg;
    const int *handles; /* by enum fence_handle */
    int64_t start_ns;
    bool cpu_by_group, memory_by_group, pids_by_group;
    int64_t cpus;         /* it can use at once */
    int64_t cpu_ns;       /* last seen; −1 unknown */
    int64_t memory_bytes; /* last seen without a group */
    int64_t memory_peak;
};

void watch_open(struct watch *w, const struct spec *spec, struct cgroup *cg, const int *handles);
/* Looks once. True when a limit is exceeded: *ended says which. */
bool watch_look(struct watch *w, enum ended *ended);
/* The same by what was sampled already. */
bool watch_judge(struct watch *w, const struct cgroup_usage *u, enum ended *ended);
/* How long until the next look, in ns: 20 ms at first, later an eighth of the time
 * that has passed, a second at most. Sooner where cpu time may run out, and always
 * 20 ms where a limit has no group. */
int64_t watch_pause(const struct watch *w);
/* Whether a file system of the sandbox is full. */
bool watch_disk_full(const struct watch *w);

#endif
