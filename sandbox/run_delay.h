/*
 * Run delay: how long the threads of a run were ready and had no cpu, summed over
 * them (the second number of /proc/<tid>/schedstat).
 *
 * The kernel forgets it with each thread and adds it up for no group, so it is
 * looked at now and then while the program runs: seldom, and more seldom the
 * longer it has run, since the looking itself takes cpu time from the run. What
 * threads waited between the last look at them and their end is missed (at most
 * about an eighth of a run, and whole threads that live shorter than that).
 */
#ifndef PADDOCK_SANDBOX_RUN_DELAY_H
#define PADDOCK_SANDBOX_RUN_DELAY_H

#include "sandbox/cgroup.h"

#include <stdint.h>

#define RUN_DELAY_THREADS 256 /* looked at; a run with more is told of in part */

struct run_delay { /* all zero: not looked yet */
    struct {
        int64_t tid, ns;
    } threads[RUN_DELAY_THREADS];
    size_t count;
    int64_t gone_ns; /* of threads whose number another one has now */
    int64_t next_ns; /* since the start: when to look again */
    bool looked;
};

/* Looks, should it be time. `elapsed_ns`: since the program's start. */
void run_delay_look(struct run_delay *d, struct cgroup *cg, int64_t elapsed_ns);
/* What one thread was seen to have waited in all so far. */
void run_delay_note(struct run_delay *d, int64_t tid, int64_t ns);
/* The sum in ns; −1 when nothing could be seen. */
int64_t run_delay_total(const struct run_delay *d);

#endif
