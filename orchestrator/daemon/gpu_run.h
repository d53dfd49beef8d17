/*
 * The GPUs of one run: lent before there is a row of it, watched while it goes on,
 * looked at and given back when its sandbox is gone. What was seen is written into
 * the run's folder, gpus.json.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_GPU_RUN_H
#define PADDOCK_ORCHESTRATOR_DAEMON_GPU_RUN_H

#include "orchestrator/daemon/run.h"
#include "orchestrator/gpu/gauge.h"
#include "tasks/task.h"

#define GPU_SAMPLE_MS 500 /* how often a run's GPUs are looked at */

struct gpu_run {
    char holder[32];
    char **uuids; /* owned */
    bool timed;
    struct gpu_gauge before[TASK_GPUS_MOST], after[TASK_GPUS_MOST], scrub[TASK_GPUS_MOST];
    char *fault; /* why the run is void; owned; NULL: nothing befell it */
};

/* How many GPUs a phase of this task has; an audit has those of the train phase. */
int64_t gpu_run_needed(const struct task *t, const char *phase);
/* Lends x->gpus; NULL where none is needed. Errors as gpu_pool_take(). */
int gpu_run_take(struct execution *x, const char *phase, struct error *err);
/* The gauge before, of a timed run. */
void gpu_run_begin(struct execution *x);
/* At the end: the gauge after, the scrub, gpus.json; the GPUs are given back. */
int gpu_run_end(struct execution *x, const char *dir, struct error *err);
/* Gives back what is still held; for who goes away before the end. */
void gpu_run_drop(struct execution *x);
/* Makes a run void that its GPUs disturbed, or whose GPUs nobody watched. */
void gpu_run_judge(struct execution *x, struct run_row *row);
/* ERROR_UNSUPPORTED when no lane of this machine has the GPUs that the task needs. */
int gpu_run_check(struct daemon *d, const struct task *t, struct error *err);

#endif
