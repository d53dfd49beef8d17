/*
 * Rows of the store: experiments and their trees of versions.
 *
 * Functions that write must be called within a transaction; they emit the
 * events that belong to the change.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_STORE_VERSION_H
#define PADDOCK_ORCHESTRATOR_DAEMON_STORE_VERSION_H

#include "orchestrator/daemon/store.h"

struct experiment_row {
    int64_t id;
    char *task; /* its name */
    char *task_dir;
    char *task_digest; /* of the task as it was when the experiment began */
    int64_t step;
    char *agent;
    char *label;                  /* NULL: none */
    char *state;                  /* "open", "done", "failed", "cancelled" */
    char *reason;                 /* NULL: none */
    char *key;                    /* of its maker, once in an installation; NULL: none */
    char *sweep;                  /* NULL: of none */
    char *config;                 /* the agent's settings, a JSON object; NULL: none */
    int64_t created_ns, ended_ns; /* real time; 0: not yet */
};

enum version_state {
    VERSION_QUEUED,
    VERSION_BUILDING,
    VERSION_TRAINING,
    VERSION_EXAMINING,
    VERSION_DONE,
    VERSION_CANCELLED,
};
extern const char *const version_state_names[];

struct version_row {
    int64_t id, experiment;
    int64_t parent; /* 0: the root */
    int64_t depth;
    char *hypothesis;
    char *snapshot; /* sha256 of the tar.zst */
    enum version_state state;
    char *outcome; /* NULL until done */
    char *rule;    /* NULL: valid, or not done */
    char *reason;
    int64_t wall_ns; /* of the exploratory timed run; 0: none */
    double metric;   /* NaN: none */
    int64_t ticket;  /* its place in the queue */
    char *key;       /* of its maker, once in an experiment; NULL: none */
    char *note;      /* what its maker says of it, a JSON object; NULL: nothing */
    int64_t created_ns, ended_ns;
};

int experiment_add(struct store *s, struct experiment_row *row, struct error *err);
/* ERROR_NOT_FOUND when there is none. `out` zero before, cleared after. */
int experiment_get(struct store *s, int64_t id, struct experiment_row *out, struct error *err);
/* The experiment that was made with this key; *id is 0 when there is none. */
int experiment_by_key(struct store *s, const char *key, int64_t *id, struct error *err);
/* Newest first, with an id below `before` unless that is 0, of one sweep unless that
 * is NULL. */
int experiment_list(struct store *s, const char *sweep, int64_t before, int64_t limit,
                    struct experiment_row **out, size_t *count, struct error *err);
/* ERROR_EXISTS when it is over already. */
int experiment_finish(struct store *s, int64_t id, const char *state, const char *reason,
                      struct error *err);
void experiment_clear(struct experiment_row *row);
void experiments_free(struct experiment_row *rows, size_t count);
#define _cleanup_experiment_ __attribute__((cleanup(experiment_clear)))

/* Fills in id, state, ticket and times. A root is a record, which is known: it is
 * done with the outcome "record" from the start, and nothing of it is run. Nor is of a
 * row that has an outcome already: its maker gave it up. */
int version_add(struct store *s, struct version_row *row, struct error *err);
int version_get(struct store *s, int64_t id, struct version_row *out, struct error *err);
int version_list(struct store *s, int64_t experiment, struct version_row **out, size_t *count,
                 struct error *err);
/* Moves a version on; does nothing when it is over (done or cancelled), and
 * says so by *moved = false. */
int version_set_state(struct store *s, int64_t id, enum version_state state, bool *moved,
                      struct error *err);
/* Writes outcome, rule, reason, wall_ns and metric of `row` and makes it done. */
int version_finish(struct store *s, const struct version_row *row, bool *moved, struct error *err);
/* The version of this experiment that was made with this key; *id is 0: none. */
int version_by_key(struct store *s, int64_t experiment, const char *key, int64_t *id,
                   struct error *err);
int version_set_note(struct store *s, int64_t id, const char *note, struct error *err);
bool version_is_over(const struct version_row *row);
void version_clear(struct version_row *row);
void versions_free(struct version_row *rows, size_t count);
#define _cleanup_version_ __attribute__((cleanup(version_clear)))

#endif
