/*
 * Lanes: where runs happen. A timed lane is a set of cpus that one run has to itself,
 * and a thread that takes jobs from the queue and carries them out, one at a time;
 * several work side by side. What is not timed (build, examine, our own processes)
 * is done on the helper lane where there is one, which has no thread, else on the
 * lane of the job, between two timed runs.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_LANE_H
#define PADDOCK_ORCHESTRATOR_DAEMON_LANE_H

#include "orchestrator/daemon/daemon.h"
#include "orchestrator/daemon/lane_config.h"
#include "orchestrator/daemon/queue.h"

struct lane {
    struct daemon *daemon;
    const struct lane_config *config;
    char *cpus;    /* as a spec names them; NULL: all */
    bool all_gpus; /* no lane names any, and it is the first */
    char *beside;  /* where its phases run that are not timed; NULL: all */
    int wake_fd;   /* eventfd: new work, a cancelled job, or the end */
    bool leased;   /* under the lanes' mutex; `job` is valid */
    bool unfit;    /* `job` is not for this lane: it has too few GPUs */
    struct queue_job job;
};

enum lane_step {
    LANE_MORE,    /* the job made a step and may have more */
    LANE_OVER,    /* the job is over */
    LANE_STOPPED, /* the daemon stops; the job is found again */
    LANE_FAILED,  /* our own failure (a full disk, say): try again later */
};

/* `config` as for lane_configs_load(). With a helper lane the process keeps to its
 * cpus from here on, with all that it starts: before there are other threads. */
int lanes_start(struct daemon *d, const char *config, struct error *err);
/* Ends the threads; launchers that run go on. */
void lanes_stop(struct daemon *d);
/* After the last request: until then one may still wake a lane. */
void lanes_free(struct daemon *d);
/* There may be new work. */
void lanes_wake(struct daemon *d);
/* Whether a lane works, or something waits for one. */
bool lanes_idle(struct daemon *d);

/* What is known of each lane, one after the other, the helper lane too; `job` is
 * valid where `works`. False behind the last. */
struct lane_state {
    const struct lane_config *config;
    bool all_gpus;
    bool works;
    struct queue_job job;
};
bool lanes_state(struct daemon *d, size_t i, struct lane_state *out);

/* For those who carry out a job: */
/* Between these only one lane works: what all share (built trees, prepared data) is
 * made once. */
void lane_share(struct lane *l);
void lane_unshare(struct lane *l);
bool lane_stopping(const struct lane *l);
/* Clears what woke the lane. */
void lane_drain(struct lane *l);

#endif
