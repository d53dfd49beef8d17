/*
 * Lanes: where runs happen. A lane is a set of cpus that one run has to itself,
 * and a thread that takes jobs from the queue and carries them out, one at a
 * time. There is one lane with all cpus for now; more are more of the same.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_LANE_H
#define PADDOCK_ORCHESTRATOR_DAEMON_LANE_H

#include "orchestrator/daemon/daemon.h"
#include "orchestrator/daemon/queue.h"

struct lane {
    struct daemon *daemon;
    char *cpus;  /* as a spec names them; NULL: all */
    int wake_fd; /* eventfd: new work, a cancelled job, or the end */
    bool leased; /* under the lanes' mutex; `job` is valid */
    struct queue_job job;
};

enum lane_step {
    LANE_MORE,    /* the job made a step and may have more */
    LANE_OVER,    /* the job is over */
    LANE_STOPPED, /* the daemon stops; the job is found again */
    LANE_FAILED,  /* our own failure (a full disk, say): try again later */
};

int lanes_start(struct daemon *d, struct error *err);
/* Ends the threads; launchers that run go on. */
void lanes_stop(struct daemon *d);
/* After the last request: until then one may still wake a lane. */
void lanes_free(struct daemon *d);
/* There may be new work. */
void lanes_wake(struct daemon *d);
/* Whether a lane works, or something waits for one. */
bool lanes_idle(struct daemon *d);

/* For those who carry out a job: */
bool lane_stopping(const struct lane *l);
/* Clears what woke the lane. */
void lane_drain(struct lane *l);

#endif
