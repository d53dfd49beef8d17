/*
 * FSR: the Fraction of Speedup Recovered, with its interval.
 *
 *     FSR = (t_A − t_C) / (t_A − t_B)
 *
 * A the record started from, B the next record, C a candidate; all arms of one
 * measurement in randomised complete blocks. The interval is Fieller's, with
 * the coefficient of variation pooled over all arms from the residuals of a
 * two-way fit of log times (block and arm effects removed); from five blocks
 * on, arm means are 20 % trimmed and variances winsorised. Sources: Fieller
 * (1954); Yuen (1974) for trimmed means; docs/explanation/fsr.md derives both
 * and quotes the simulated coverage.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_FSR_H
#define PADDOCK_ORCHESTRATOR_JUDGE_FSR_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

struct fsr_interval {
    double estimate;
    double low, high;   /* meaningless unless bounded */
    bool bounded;       /* false: the gap is not resolved from zero at this level */
    double gap;         /* t_A − t_B, seconds */
    double gap_low, gap_high; /* its own interval */
    double gap_to_noise; /* gap / standard error of the gap */
    double cv;          /* pooled coefficient of variation of one run */
    double mean_a, mean_b, mean_c; /* arm means (trimmed from 5 blocks on), seconds */
    double df;
    bool trimmed;
};

/* times: blocks × arms, row-major, seconds, all > 0 and finite; arm 0 is A, arm
 * 1 is B, arms 2… are candidates. Fills out[arms − 2], one for each candidate.
 * level is e.g. 0.95. Needs blocks ≥ 2 and arms ≥ 3. */
int fsr_estimate(const double *times, size_t blocks, size_t arms, double level,
                 struct fsr_interval *out, struct error *err);

enum fsr_outcome {
    FSR_SCORED,       /* half-width ≤ 0.10 */
    FSR_SCORED_WIDE,  /* ≤ 0.50 */
    FSR_NO_RESOLUTION,
    FSR_GAP_NONPOSITIVE,
};
enum fsr_outcome fsr_classify(const struct fsr_interval *i);
const char *fsr_outcome_name(enum fsr_outcome o); /* "scored", "scored-wide", … */

/* Repeats needed for a half-width, from what was measured so far; 0: unknown. */
double fsr_blocks_needed(const struct fsr_interval *i, double half_width);

/* Quantile of Student's t, p in (0, 1), df > 0. */
double student_t_quantile(double p, double df);

#endif
