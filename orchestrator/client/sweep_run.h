/*
 * A sweep at work: its experiments are made, their agents run, their bests measured.
 * All of it is found again by keys, so a sweep that was killed is started again with
 * the same file and does the rest.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_SWEEP_RUN_H
#define PADDOCK_ORCHESTRATOR_CLIENT_SWEEP_RUN_H

#include "orchestrator/client/http.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/sweep_file.h"

#include <sys/types.h>

enum sweep_state { SWEEP_TODO, SWEEP_RUNS, SWEEP_OVER, SWEEP_LEFT };

/* What is known of a cell. */
struct sweep_job {
    enum sweep_state state; /* SWEEP_LEFT: its agent could not go on; it stays open */
    char *experiment;       /* NULL: not made yet */
    pid_t pid;
    int tries;
};

struct sweep {
    const struct sweep_file *file;
    struct http *http;
    struct progress *progress;
    const volatile bool *interrupted;
    struct sweep_job *jobs; /* one a cell */
    size_t over, left;
    char **measurements; /* ids of those that were waited for */
};

/* Runs the agents until every cell is over or left. When interrupted the agents are
 * ended, their experiments stay open: ERROR_CANCELLED. */
int sweep_run_agents(struct sweep *s, struct error *err);
/* Measures the bests as the file says. */
int sweep_run_measurements(struct sweep *s, struct error *err);
void sweep_clear(struct sweep *s);

#endif
