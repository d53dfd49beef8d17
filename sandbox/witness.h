/*
 * Witnesses: what the machine did to everybody during the clock's window. Each
 * value is −1 where the machine does not tell. What each can see, and what none
 * of them can: docs/explanation/witnesses.md.
 *
 * Those that cost next to nothing are taken of every run. The others (the gauge,
 * run delay, swapping, throttling by heat, the frequency before) only where the
 * spec says `gauge`, as the daemon does for timed runs: a launch pays nothing.
 */
#ifndef PADDOCK_SANDBOX_WITNESS_H
#define PADDOCK_SANDBOX_WITNESS_H

#include "sandbox/cgroup.h"
#include "sandbox/gauge.h"
#include "sandbox/result.h"
#include "sandbox/run_delay.h"
#include "sandbox/spec.h"

#include <sched.h>

struct witness {             /* one look; all counted since the machine or we began */
    int64_t busy_ns;         /* of the run's cpus, whoever was on them */
    int64_t steal_ns;        /* of the run's cpus */
    int64_t launcher_cpu_ns; /* our own */
    int64_t thermal_throttles, swap_pages;
    int64_t frequency_khz;
    struct cgroup_usage usage;
};

struct witnesses { /* of one run */
    bool gauged;
    cpu_set_t cpus; /* the run's */
    struct witness before, after;
    struct run_delay delay;
    int64_t start_ns;        /* when the looks at run delay began */
    int64_t delay_before_ns; /* what had been waited before the clock started */
    struct gauge gauge;
    struct gauge_reading gauge_before, gauge_after;
};

/* The cpus of a list such as "0-1,4", those of `all` when it is NULL. */
void witness_cpus(const char *list, const cpu_set_t *all, cpu_set_t *out);

/* While the fence is being built. `allowed`: the cpus of a spec that names none. */
void witness_prepare(struct witnesses *w, const struct spec *spec, const cpu_set_t *allowed);
/* Right before the release; takes some 15 ms where the spec says `gauge`. */
void witness_begin(struct witnesses *w);
/* Where the clock starts later than the release: all is counted from here. */
void witness_restart(struct witnesses *w, struct cgroup *cg);
/* At each look of the watchers. */
void witness_look(struct witnesses *w, struct cgroup *cg);
/* When nothing of the program is left. */
void witness_end(struct witnesses *w, struct cgroup *cg);
/* Fills in the result, whose cpu times are set. */
void witness_report(const struct witnesses *w, struct result *r);

#endif
