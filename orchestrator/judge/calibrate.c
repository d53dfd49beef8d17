#include "orchestrator/judge/calibrate.h"

#include "common/cleanup.h"
#include "orchestrator/judge/noise_fsr.h"

#include <math.h>
#include <stdlib.h>

#define WIDE_HALF_WIDTH 0.50 /* of scored-wide */

/* Of one arm's runs, blocks left in. */
static double variation(const double *times, size_t blocks, size_t arms, size_t arm) {
    double mean = 0, squares = 0;
    for (size_t b = 0; b < blocks; b++) mean += times[b * arms + arm] / (double)blocks;
    for (size_t b = 0; b < blocks; b++) {
        double e = times[b * arms + arm] - mean;
        squares += e * e;
    }
    return sqrt(squares / (double)(blocks - 1)) / mean;
}

static bool within(double blocks, size_t blocks_max) {
    return blocks > 0 && blocks <= (double)blocks_max;
}

static enum fsr_outcome best_outcome(const struct fsr_interval *expected, size_t blocks_max) {
    if (fsr_classify(expected) == FSR_GAP_NONPOSITIVE) return FSR_GAP_NONPOSITIVE;
    if (within(fsr_blocks_needed(expected, CALIBRATE_HALF_WIDTH), blocks_max)) return FSR_SCORED;
    if (within(fsr_blocks_needed(expected, WIDE_HALF_WIDTH), blocks_max)) return FSR_SCORED_WIDE;
    return FSR_NO_RESOLUTION;
}

/* Of these two records alone: a short program may be disturbed more, in
 * proportion, than a long one, and a measurement of the step has these two. */
static int step_noise(const double *times, size_t blocks, size_t arms, size_t arm, double *cv,
                      struct error *err) {
    double means[2];
    _cleanup_free_ double *pair = calloc(2 * blocks, sizeof *pair);
    if (!pair) return error_sys(err, ENOMEM, "calibration");
    for (size_t i = 0; i < 2 * blocks; i++) pair[i] = times[i / 2 * arms + arm + i % 2];
    return fsr_means(pair, blocks, 2, means, cv, NULL, err);
}

/* A candidate that does nothing is the hardest to tell among those between the
 * two records: its mean varies most. */
static void judge_step(size_t blocks, size_t blocks_max, const struct calibrated_record *next,
                       struct calibrated_record *r) {
    struct fsr_interval expected = fsr_expect(r->mean, next->mean, r->step_cv, 0, blocks);
    r->has_step = true;
    r->gap = expected.gap;
    r->gap_to_noise = expected.gap_to_noise;
    r->step_cv_single = sqrt((r->cv * r->cv + next->cv * next->cv) / 2);
    r->noise_fsr = noise_fsr_formula(r->step_cv_single, r->gap / r->mean, CALIBRATE_TRIES);
    r->noise_fsr_simulated =
        noise_fsr_simulated(r->step_cv_single, r->gap / r->mean, CALIBRATE_TRIES);
    r->blocks_needed = fsr_blocks_needed(&expected, CALIBRATE_HALF_WIDTH);
    r->best = best_outcome(&expected, blocks_max);
}

int calibrate_records(const double *times, size_t blocks, size_t arms, const size_t *records,
                      size_t blocks_max, struct calibration *whole, struct calibrated_record *out,
                      struct error *err) {
    _cleanup_free_ double *means = calloc(arms + 1, sizeof *means);
    if (!means) return error_sys(err, ENOMEM, "calibration");
    *whole = (struct calibration){0};
    if (fsr_means(times, blocks, arms, means, &whole->cv, &whole->df, err) < 0) return -1;
    double squares = 0;
    for (size_t j = 0; j < arms; j++) {
        out[j] =
            (struct calibrated_record){.mean = means[j], .cv = variation(times, blocks, arms, j)};
        squares += out[j].cv * out[j].cv;
    }
    whole->cv_single = sqrt(squares / (double)arms);
    for (size_t j = 0; j + 1 < arms; j++) {
        if (records[j + 1] != records[j] + 1) continue;
        if (step_noise(times, blocks, arms, j, &out[j].step_cv, err) < 0) return -1;
        judge_step(blocks, blocks_max, &out[j + 1], &out[j]);
    }
    return 0;
}
