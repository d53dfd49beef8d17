/*
 * Rows of the store: runs, each one sandboxed execution of one phase.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_STORE_RUN_H
#define PADDOCK_ORCHESTRATOR_DAEMON_STORE_RUN_H

#include "orchestrator/daemon/store.h"

/* Whom a run belongs to. An exploratory run belongs to a version alone; one of
 * a measurement to an arm, and but for its build to a slot. */
struct run_owner {
    int64_t version;     /* 0: none (an arm that is a record) */
    int64_t measurement; /* 0: exploratory */
    int64_t arm;         /* position, within a measurement */
    int64_t slot;        /* row id; 0: none */
};

enum run_state {
    RUN_RUNNING, /* or about to be started */
    RUN_DONE,    /* its result is in its folder */
    RUN_VOID,    /* it counts for nothing: its launcher died, or it was cancelled */
};
extern const char *const run_state_names[];

struct run_row {
    int64_t id;
    struct run_owner owner;
    char *phase;   /* "data", "build", "train", "examine" */
    char *purpose; /* "explore", "measure" */
    enum run_state state;
    int64_t pid, start_ticks; /* of its launcher; 0: not known */
    char *seed;               /* decimal; NULL: none */
    char *result_sha256;      /* of result.json */
    char *ended;              /* as in the result; NULL: none */
    int64_t wall_ns;          /* 0: none */
    double metric;            /* NaN: none */
    char *reason;
    int64_t created_ns, ended_ns;
    bool outside;          /* void, since a witness crossed a bound of the task (store_void.h) */
    int64_t daemon_cpu_ns; /* what the daemon itself used meanwhile; 0: not known */
};

/* Fills in id, purpose and time; the state is running. Within a transaction. */
int run_add(struct store *s, struct run_row *row, struct error *err);
int run_set_process(struct store *s, int64_t id, int64_t pid, int64_t start_ticks,
                    struct error *err);
/* Writes state, result_sha256, ended, wall_ns, metric, reason, outside and
 * daemon_cpu_ns. */
int run_end(struct store *s, const struct run_row *row, struct error *err);
int run_get(struct store *s, int64_t id, struct run_row *out, struct error *err);
/* The newest run of this owner and phase that is not void; *found says whether
 * there is one. *voids counts the void ones; when there are only such, the
 * newest one's reason is in out->reason, and nothing else. */
int run_latest(struct store *s, const struct run_owner *owner, const char *phase,
               struct run_row *out, bool *found, int64_t *voids, struct error *err);
/* All that are running, as far as the rows know. */
int run_running(struct store *s, struct run_row **out, size_t *count, struct error *err);
/* Newest first; of one version unless that is 0; ids below `before` unless 0. */
int run_list(struct store *s, int64_t version, int64_t before, int64_t limit, struct run_row **out,
             size_t *count, struct error *err);
/* Of one measurement, in the order they were begun. */
int run_list_measured(struct store *s, int64_t measurement, struct run_row **out, size_t *count,
                      struct error *err);
void run_clear(struct run_row *row);
void runs_free(struct run_row *rows, size_t count);
#define _cleanup_run_ __attribute__((cleanup(run_clear)))

#endif
