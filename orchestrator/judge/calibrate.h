/*
 * Calibration: what a task's ladder is worth on one machine. All records are
 * measured in randomised blocks; from that follows for each step how large its
 * gap is against the noise, what a search that does nothing would score, and
 * how many blocks a score takes.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_CALIBRATE_H
#define PADDOCK_ORCHESTRATOR_JUDGE_CALIBRATE_H

#include "common/error.h"
#include "orchestrator/judge/fsr.h"

#include <stdbool.h>
#include <stddef.h>

#define CALIBRATE_TRIES      20   /* single runs of which the noise FSR is the best */
#define CALIBRATE_HALF_WIDTH 0.10 /* that blocks_needed is about */

struct calibrated_record {
    double mean; /* seconds */
    double cv; /* of this record's runs about their mean, the drift from block to block included */
    bool has_step;         /* the next record was measured too; what follows is about that step */
    double step_cv;        /* of one run of the step's two records, within a block */
    double step_cv_single; /* the same at any time */
    double gap;            /* seconds */
    double gap_to_noise;   /* gap / standard error of the gap */
    double noise_fsr;      /* by formula, from step_cv_single */
    double noise_fsr_simulated;
    double blocks_needed;  /* of two records and one candidate that does nothing; 0: not known */
    enum fsr_outcome best; /* the best outcome that a measurement of `blocks_max` blocks can have */
};

struct calibration {
    double cv;        /* of one run within a block, pooled over the records */
    double cv_single; /* of a single run at any time, drift included, pooled */
    double df;        /* of `cv` */
};

/* times: blocks × arms, as for fsr_estimate(); `records` says which record each
 * column is, ascending. Fills out[arms]. Needs 2 blocks and 2 arms. */
int calibrate_records(const double *times, size_t blocks, size_t arms, const size_t *records,
                      size_t blocks_max, struct calibration *whole, struct calibrated_record *out,
                      struct error *err);

#endif
