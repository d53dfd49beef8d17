/*
 * Rows of the store: measurements, their arms, the slots of their blocks, and
 * the scores they end in. Functions that write must be called within a
 * transaction; they emit the events that belong to the change.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_STORE_MEASURE_H
#define PADDOCK_ORCHESTRATOR_DAEMON_STORE_MEASURE_H

#include "orchestrator/daemon/store.h"

enum measurement_state {
    MEASUREMENT_QUEUED,
    MEASUREMENT_RUNNING,
    MEASUREMENT_DONE,
    MEASUREMENT_CANCELLED,
};
extern const char *const measurement_state_names[];

#define MEASUREMENT_ARMS_MAX 64

struct measurement_row {
    int64_t id;
    char *task, *task_dir, *task_digest;
    int64_t step;
    enum measurement_state state;
    char *outcome; /* "complete", "invalid-environment"; NULL until done */
    char *reason;
    int64_t blocks_min, blocks_max;
    double half_width;
    int64_t blocks; /* planned so far: their slots are rows */
    int64_t ticket, created_ns, ended_ns;
    char *kind;      /* "score" or "calibrate" */
    double budget_s; /* no block is begun that would end later; 0: no bound */
};

/* Arm 0 is record i, arm 1 record i+1, the rest are candidates; of a
 * calibration arm k is record i+k, and there is no candidate. */
struct arm_row {
    int64_t measurement, position;
    char *kind;      /* "record", "candidate" */
    int64_t version; /* 0 for records */
    char *snapshot;
    char *state;   /* "active", "left" */
    char *outcome; /* why a candidate left; NULL while it runs */
    char *reason;
};

enum slot_state {
    SLOT_PENDING,
    SLOT_DONE,
    SLOT_FAILED,
    SLOT_SKIPPED,
    SLOT_VOID, /* none of its runs was within the bounds: its block is left out */
};
extern const char *const slot_state_names[];

struct slot_row {
    int64_t id, measurement;
    int64_t block, position; /* position: the order within the block */
    int64_t arm;
    char *seed; /* decimal; NULL until it is run */
    enum slot_state state;
    int64_t run; /* its timed run; 0: not yet */
    int64_t wall_ns;
    double metric; /* NaN: none */
    char *outcome;
    char *rule; /* NULL: valid, or not over */
    char *reason;
};

struct score_row {
    int64_t measurement, arm, version;
    char *outcome;
    char *reason;
    char *document; /* JSON object: estimate, interval, means, runs that counted */
    int64_t created_ns;
};

/* Fills in id, ticket and times; the arms' measurement too. */
int measurement_add(struct store *s, struct measurement_row *row, struct arm_row *arms,
                    size_t arm_count, struct error *err);
int measurement_get(struct store *s, int64_t id, struct measurement_row *out, struct error *err);
int measurement_list(struct store *s, int64_t before, int64_t limit, struct measurement_row **out,
                     size_t *count, struct error *err);
int measurement_start(struct store *s, int64_t id, struct error *err);
/* How long the runs of its slots took so far, void ones included, in ns. */
int measurement_spent(struct store *s, int64_t id, int64_t *ns, struct error *err);
/* Done or cancelled. *moved is false when it was over already. */
int measurement_finish(struct store *s, int64_t id, enum measurement_state state,
                       const char *outcome, const char *reason, bool *moved, struct error *err);
bool measurement_is_over(const struct measurement_row *row);
void measurement_clear(struct measurement_row *row);
void measurements_free(struct measurement_row *rows, size_t count);
#define _cleanup_measurement_ __attribute__((cleanup(measurement_clear)))

int arm_list(struct store *s, int64_t measurement, struct arm_row **out, size_t *count,
             struct error *err);
/* Takes a candidate out; its slots that still wait are skipped. */
int arm_leave(struct store *s, int64_t measurement, int64_t position, const char *outcome,
              const char *reason, struct error *err);
void arms_free(struct arm_row *rows, size_t count);

/* Adds the slots of one more block and counts it. */
int block_add(struct store *s, int64_t measurement, struct slot_row *slots, size_t count,
              struct error *err);
int slot_list(struct store *s, int64_t measurement, struct slot_row **out, size_t *count,
              struct error *err);
int slot_set_run(struct store *s, int64_t id, int64_t run, const char *seed, struct error *err);
/* Writes state, wall_ns, metric, outcome, rule and reason. */
int slot_end(struct store *s, const struct slot_row *row, struct error *err);
/* How many blocks have a void slot. */
int64_t slots_left_out(const struct slot_row *rows, size_t count);
void slots_free(struct slot_row *rows, size_t count);

int score_add(struct store *s, const struct score_row *row, struct error *err);
/* Those of one measurement, or of one version; the other is 0. */
int score_list(struct store *s, int64_t measurement, int64_t version, struct score_row **out,
               size_t *count, struct error *err);
void scores_free(struct score_row *rows, size_t count);

#endif
