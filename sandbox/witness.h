/*
 * Witnesses: what the machine did to everybody during the clock's window. Each
 * value is −1 where the machine does not tell.
 */
#ifndef PADDOCK_SANDBOX_WITNESS_H
#define PADDOCK_SANDBOX_WITNESS_H

#include "sandbox/cgroup.h"
#include "sandbox/result.h"

struct witness {
    int64_t steal_ns;
    int64_t launcher_cpu_ns;
    struct cgroup_usage usage;
};

/* Reads the clock-side witnesses. At the start of a run `cg` may be NULL: its
 * counters begin at 0. */
void witness_read(struct witness *w, struct cgroup *cg);
/* Fills in the result from a reading before and one after. */
void witness_report(const struct witness *before, const struct witness *after, struct result *r);
/* Mean frequency of the cpus in kHz, −1 when unknown. */
int64_t witness_frequency(void);

#endif
