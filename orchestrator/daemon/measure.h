/*
 * A measurement as it stands, and what its numbers say.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_MEASURE_H
#define PADDOCK_ORCHESTRATOR_DAEMON_MEASURE_H

#include "orchestrator/daemon/phase.h"
#include "orchestrator/daemon/store_measure.h"
#include "orchestrator/judge/blocks.h"
#include "orchestrator/judge/record_rule.h"

struct measure {
    struct lane *lane;
    struct daemon *d;
    struct task task;
    struct measurement_row row;
    struct arm_row *arms;
    size_t arm_count;
    struct slot_row *slots;
    size_t slot_count;
    double spent_s; /* by the runs of its slots so far */
    double level;   /* of the intervals it ends in */
};

int measure_load(struct measure *m, int64_t id, struct error *err);
void measure_clear(struct measure *m);
#define _cleanup_measure_ __attribute__((cleanup(measure_clear)))

bool measure_active(const struct arm_row *arm);
bool measure_calibrates(const struct measure *m);
/* Those whose leaving ends it: active candidates; of a calibration records. */
size_t measure_candidates(const struct measure *m);
/* How long a block took so far, in seconds; 0: not known. */
double measure_block_s(const struct measure *m);
/* What the record rule says of an arm over its runs that count. */
struct record_finding measure_finding(const struct measure *m, size_t arm);
/* The task's record rule. */
struct record_rule measure_rule(const struct task *t);

/* The times of the records and the active candidates over the blocks in which
 * all of them have one, row-major, in seconds; `columns` are positions. */
struct measure_table {
    double *times;
    size_t blocks, arms;
    size_t columns[MEASUREMENT_ARMS_MAX];
};
int measure_table(const struct measure *m, struct measure_table *out, struct error *err);

/* Whether to go on: by the judge's rule, what is allowed, and whether more runs
 * might still tell if an arm meets the target. */
int measure_decide(const struct measure *m, enum blocks_next *next, struct error *err);

/* Members of a candidate's score: "voids", how many runs of its arm and the
 * records' the machine disturbed; "findings", among them that it is the candidate's
 * too often for chance. */
int measure_put_voids(const struct measure *m, size_t arm, struct json_writer *w,
                      struct error *err);

/* Writes the scores of all candidates and ends the measurement. With another
 * outcome than "complete", the candidates still in are scored with that. */
int measure_end(struct measure *m, const char *outcome, const char *reason, struct error *err);

/* What a calibration found, as a file of the state folder: calibrations/m5.json
 * and, as the newest of its task, <task digest>.json (or <task digest>-2.json,
 * of step 2 alone). */
int measure_write_calibration(const struct measure *m, struct error *err);
/* The folder they lie in, in fresh memory. */
char *measure_calibration_dir(const struct daemon *d, struct error *err);

#endif
