/*
 * The queue: what waits for a lane, and which of it comes next.
 *
 * The choice is a pure function of what waits, so that it can be tested and
 * explained; who holds what is the lane's matter (lane.h). A measurement is one
 * job that is taken slot by slot, so that it can be cancelled between two.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_QUEUE_H
#define PADDOCK_ORCHESTRATOR_DAEMON_QUEUE_H

#include "common/error.h"
#include "orchestrator/daemon/store.h"

enum queue_kind { QUEUE_VERSION, QUEUE_MEASUREMENT };

struct queue_job {
    enum queue_kind kind;
    int64_t id;
    int64_t ticket;     /* grows in the order of asking */
    bool leased;        /* another lane has it */
    int64_t not_before; /* monotonic ns: a job that failed for our own reasons rests */
};

/* Everything that waits or is half done, in no order. free() the list. */
int queue_load(struct store *s, struct queue_job **out, size_t *count, struct error *err);

/* The index of the job to take now, −1 for none: first come, first served. A
 * job that rests does not keep others from running. */
int queue_choose(const struct queue_job *jobs, size_t count, int64_t now_ns);

#endif
