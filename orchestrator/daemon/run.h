/*
 * One run: from nothing, or from what an earlier daemon left, to its end.
 *
 * run_execute() may be called again and again for the same owner and phase: a
 * run that is over is handed back as it is, one that goes on is waited for, one
 * whose launcher died is void and made anew. That is the whole of restarting.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_RUN_H
#define PADDOCK_ORCHESTRATOR_DAEMON_RUN_H

#include "orchestrator/daemon/lane.h"
#include "orchestrator/daemon/process.h"
#include "orchestrator/daemon/store_measure.h"
#include "orchestrator/daemon/store_run.h"
#include "tasks/task.h"

#define RUN_ATTEMPTS 3 /* void runs of one owner and phase before it is given up */

struct gpu_run;

/* What is being carried out. */
struct execution {
    struct lane *lane;
    struct daemon *d;
    const struct task *task;
    struct run_owner owner;
    const char *snapshot;           /* sha256 of the version's files */
    const struct slot_row *in_slot; /* NULL outside of measurements */
    char *built;                    /* folder of the built workspace; owned */
    char *data;                     /* folder of the prepared data; owned; NULL: none */
    struct gpu_run *gpus;           /* of the run that goes on; owned; NULL: none (gpu_run.h) */
};

enum run_end {
    RUN_END_DONE,      /* `out` is its row, the result lies in its folder */
    RUN_END_GIVEN_UP,  /* void too often: out->reason says why */
    RUN_END_OUTSIDE,   /* outside the bounds too often: out->reason says which */
    RUN_END_STOPPED,   /* the daemon stops */
    RUN_END_CANCELLED, /* the job was cancelled */
    RUN_END_FAILED,    /* our own failure: err is set */
};

struct run_plan {
    const char *phase;
    const char *program; /* "paddock-sandbox" or "paddock-examine" */
    const char *pidfile; /* what it writes of itself: "launcher.json", "examiner.json" */
    const char *result;  /* the file whose presence means that it is over */
    /* Writes what the program needs into the run's folder and pushes its
     * arguments behind argv[0]. */
    int (*prepare)(struct execution *x, const struct run_row *row, const char *dir, char ***argv,
                   struct error *err);
    /* Reads the result into the row's ended, wall_ns, metric and reason. May set
     * the state to void. */
    int (*finish)(struct execution *x, const char *dir, struct run_row *row, struct error *err);
};

enum run_end run_execute(struct execution *x, const struct run_plan *plan, struct run_row *out,
                         struct error *err);

/* Makes a run that is over void: what it left is of no use any more. */
int run_discard(struct execution *x, struct run_row *row, const char *reason, struct error *err);

/* How a run that is recorded as running stands, seen from a daemon that did not
 * start it. */
enum run_found { RUN_FOUND_ALIVE, RUN_FOUND_RESULT, RUN_FOUND_NOTHING };
enum run_found run_find(const char *dir, const char *pidfile, const char *result,
                        const struct run_row *row, struct process *out);

/* The names of the two files by the run's phase. */
void run_files(const char *phase, const char **pidfile, const char **result);

/* Ends the runs whose job was over before they were: cancelled just before the
 * last daemon was killed, say. Before anything is timed on this lane. */
int run_end_orphans(struct lane *l, struct error *err);

void execution_clear(struct execution *x);
#define _cleanup_execution_ __attribute__((cleanup(execution_clear)))

#endif
