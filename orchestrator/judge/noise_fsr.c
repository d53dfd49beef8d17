#include "orchestrator/judge/noise_fsr.h"

#include "orchestrator/judge/fsr.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define SEARCHES      2001
#define BASELINE_RUNS 3
#define NORMAL        1e6 /* so many degrees of freedom are as good as a normal */

static bool makes_sense(double cv, double gap, size_t tries) {
    return gap > 0 && cv >= 0 && isfinite(gap) && isfinite(cv) && tries >= 1;
}

double noise_fsr_formula(double cv, double gap, size_t tries) {
    if (!makes_sense(cv, gap, tries)) return NAN;
    double n = (double)tries;
    return cv * student_t_quantile((n - 0.375) / (n + 0.25), NORMAL) / gap;
}

static double uniform(uint64_t *state) { /* in (0, 1): xorshift64* */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return ((double)((*state * UINT64_C(2685821657736338717)) >> 12) + 0.5) * 0x1p-52;
}

/* A run's time relative to its arm's: Student's t with four degrees of freedom,
 * whose quantile has a closed form (Shaw 2006), of standard deviation `cv`. */
static double run_time(double cv, uint64_t *state) {
    double p = uniform(state), a = sqrt(4 * p * (1 - p));
    double t = 2 * sqrt(fmax(cos(acos(a) / 3) / a - 1, 0));
    return fmax(1 + cv * copysign(t, p - 0.5) / M_SQRT2, 0.01);
}

static double mean_time(double cv, uint64_t *state) {
    double sum = 0;
    for (int i = 0; i < BASELINE_RUNS; i++) sum += run_time(cv, state);
    return sum / BASELINE_RUNS;
}

static double search(double cv, double gap, size_t tries, uint64_t *state) {
    double a = mean_time(cv, state), b = (1 - gap) * mean_time(cv, state), best = INFINITY;
    for (size_t i = 0; i < tries; i++) best = fmin(best, run_time(cv, state));
    return (a - best) / (a - b);
}

static int by_value(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

double noise_fsr_simulated(double cv, double gap, size_t tries) {
    if (!makes_sense(cv, gap, tries)) return NAN;
    double found[SEARCHES];
    uint64_t state = UINT64_C(0x9E3779B97F4A7C15);
    for (int i = 0; i < SEARCHES; i++) found[i] = search(cv, gap, tries, &state);
    qsort(found, SEARCHES, sizeof *found, by_value);
    return found[SEARCHES / 2];
}
