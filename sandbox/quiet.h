/*
 * Quiet: a timed run (spec `"lane": "timed"`) has its cpus for itself while its
 * clock runs; every other run of the same registry gets out of its way, which means
 * to other cpus where it has a cpuset and there are some, else frozen. Frozen time
 * counts for no limit. Who is to begin waits.
 *
 * What lies beneath (who tells whom, and why nobody is missed) is in lease.h.
 */
#ifndef PADDOCK_SANDBOX_QUIET_H
#define PADDOCK_SANDBOX_QUIET_H

#include "common/cpu_list.h"
#include "common/error.h"
#include "sandbox/result.h"
#include "sandbox/spec.h"

#include <stdbool.h>
#include <stdint.h>

struct lease;
struct run;

struct quiet { /* all zero: nothing is or was in the way */
    struct lease *lease;
    bool answered; /* an answer for leases stands in our entry */
    bool frozen, moved;
    struct cpu_list moved_from;
    bool stays;       /* it could not be frozen; not tried again during these leases */
    int64_t since;    /* when it was frozen */
    int64_t left_ns;  /* of the deadline then; 0: none */
    bool ready_ahead; /* registered long before its spec came: look again */
};

/* Before anything is built: waits while a timed run is in the way. `signals` and
 * `caller` (-1: none) end the wait when they become readable, or hang up; what they
 * say is left to be read. Costs one system call when there is no timed run. */
void quiet_hold(const struct spec *spec, int signals, int caller, struct quiet_report *report);

/* Before the release. A yielding run waits while it is in the way; a timed one takes
 * its lease, waiting for others that have it, and then for all to go away, at most
 * QUIET_PATIENCE_MS. ERROR_CANCELLED when told to stop meanwhile. */
enum { QUIET_PATIENCE_MS = 250 };
int quiet_begin(struct run *r, struct error *err);
/* At the end of the clock's window: others may go on. */
void quiet_end(struct run *r);

enum { QUIET_LOOK_MS = 20 }; /* how often a run that yields must look */
/* One look of the supervising loop: freezes, moves or brings back. How long until
 * the next look when the program does not run, else 0. */
int64_t quiet_look(struct run *r);
/* The program is about to end, or has: it must be able to. */
void quiet_thaw(struct run *r);

#endif
