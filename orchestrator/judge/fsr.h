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
    double low, high;              /* meaningless unless bounded */
    bool bounded;                  /* false: the gap is not resolved from zero at this level */
    double gap;                    /* t_A − t_B, seconds */
    double gap_low, gap_high;      /* its own interval */
    double gap_to_noise;           /* gap / standard error of the gap; infinite without noise */
    double cv;                     /* pooled coefficient of variation of one run, blocks removed */
    double mean_a, mean_b, mean_c; /* arm means (trimmed from 5 blocks on), seconds */
    double df;
    double level; /* as asked for */
    size_t blocks, arms;
    bool trimmed;
};

/* times: blocks × arms, row-major, seconds, all > 0 and finite; arm 0 is A, arm
 * 1 is B, arms 2… are candidates. Fills out[arms − 2], one for each candidate.
 * level is e.g. 0.95. Needs blocks ≥ 2 and arms ≥ 3. */
int fsr_estimate(const double *times, size_t blocks, size_t arms, double level,
                 struct fsr_interval *out, struct error *err);

/*
 * Half-widths are of the interval, divided by |FSR| where that is above 1: an
 * FSR of −40 ± 1 is a clear answer.
 *
 * `gap-nonpositive` says something about the task on this machine, and needs
 * evidence: the gap's interval reaches down to zero and not up to 1 % of t_A.
 * A gap that merely drowns in noise (its interval contains zero but also a gap
 * worth having) is `no-resolution`: more blocks may tell.
 */
enum fsr_outcome {
    FSR_SCORED,          /* half-width ≤ 0.10 */
    FSR_SCORED_WIDE,     /* half-width ≤ 0.50 */
    FSR_NO_RESOLUTION,   /* unbounded, wider, or gap-to-noise < 4 */
    FSR_GAP_NONPOSITIVE, /* the next record is not faster here: not a score of 0 */
};
enum fsr_outcome fsr_classify(const struct fsr_interval *i);
const char *fsr_outcome_name(enum fsr_outcome o); /* "scored", "scored-wide", … */

/* half-width as fsr_classify() sees it; infinite when unbounded. */
double fsr_half_width(const struct fsr_interval *i);

/* Blocks needed for a half-width (as above), if means and noise stay what was
 * measured so far; 0: unknown, since the gap is not positive or 10,000 blocks
 * would not do. */
double fsr_blocks_needed(const struct fsr_interval *i, double half_width);

/* The means (seconds) and the noise of any arms, two or more, without a
 * candidate among them, as fsr_estimate() takes them. `means` has room for all arms; `df` of the
 * noise may be NULL. */
int fsr_means(const double *times, size_t blocks, size_t arms, double *means, double *cv,
              double *df, struct error *err);

/* The interval to expect, at 95 %, of a candidate whose FSR is `fsr` after so
 * many blocks of the two records and itself, when one run varies by `cv`. */
struct fsr_interval fsr_expect(double mean_a, double mean_b, double cv, double fsr, size_t blocks);

/* What is wanted of a measurement whose outcome is no-resolution or
 * scored-wide, in one sentence; `block_s` is the time of one block so far in
 * seconds (0: not known). In fresh memory; NULL for other outcomes or when
 * memory ran out. */
char *fsr_shortfall(const struct fsr_interval *i, double half_width, double block_s);

/* The half-width that blocks_needed and fsr_shortfall() are about: what was
 * asked for, and never wider than what `scored` needs. */
double fsr_half_width_wanted(double asked);

/* Quantile of Student's t, p in (0, 1), df > 0. */
double student_t_quantile(double p, double df);
/* P(T > t) of Student's t. */
double student_t_upper(double t, double df);

#endif
