/*
 * The gauge: a short fixed piece of work, timed on a cpu of the run before the
 * program is released and after its end. Nothing else sees a neighbour on the
 * same memory, or a host that slowed the whole machine down; both are invisible
 * to the kernel's own counts (docs/explanation/witnesses.md).
 *
 * Two pieces: a chain of dependent multiplications, which knows of nothing but
 * the cpu's clock, and a triad (a = b + s·c) over arrays larger than what a cpu
 * has of its own cache. They are done in turn, five times, and the shortest of each
 * counts: being interrupted now and then is no change of the machine. Some 15 ms
 * before and 15 ms after, of which nothing is on the run's clock.
 */
#ifndef PADDOCK_SANDBOX_GAUGE_H
#define PADDOCK_SANDBOX_GAUGE_H

#include <sched.h>
#include <stdint.h>

struct gauge {
    double *arrays; /* the same pages before and after; NULL: no memory for them */
};

struct gauge_reading { /* −1: not known */
    int64_t cpu_ns, memory_ns;
};

/* Takes the memory, and touches it. */
void gauge_open(struct gauge *g);
void gauge_close(struct gauge *g);
/* Times both pieces on the first of `cpus`, to which the caller is moved meanwhile;
 * −1 where it may not run on it. */
struct gauge_reading gauge_read(struct gauge *g, const cpu_set_t *cpus);

#endif
