/*
 * Means over many experiments, with the intervals that tell how much they owe to
 * which experiments happened to be run.
 *
 * The interquartile mean is the mean of what is left when a quarter of the values
 * is cut off at either end: floor(n/4) values each, so with fewer than four it is
 * the mean. Intervals are percentile intervals of a stratified bootstrap: each
 * stratum (a step of a task) is drawn anew from its own values, as many as it has,
 * with replacement. Both as Agarwal et al. define them (Deep Reinforcement Learning
 * at the Edge of the Statistical Precipice, NeurIPS 2021, arXiv 2108.13264, section
 * 4.3; their library is rliable), except that strata may differ in size, which a
 * matrix of runs × tasks cannot.
 *
 * Pure and deterministic: the same values give the same interval, in whatever
 * order they come.
 */
#ifndef PADDOCK_ORCHESTRATOR_REPORT_STATS_H
#define PADDOCK_ORCHESTRATOR_REPORT_STATS_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

#define STATS_DRAWS 50000 /* resamples of a bootstrap, as in the paper */
#define STATS_LEVEL 0.95

struct stats_value {
    double value;   /* finite */
    size_t stratum; /* any number; equal ones belong together */
};

struct stats_interval {
    double estimate;  /* NaN: of no values */
    double low, high; /* NaN when unknown */
    bool known;       /* whether there is an interval; never when no stratum has two values */
};

struct stats_summary {
    size_t count, strata;
    size_t lone; /* strata of one value: these never vary, so the interval is too narrow */
    struct stats_interval mean, iqm;
};

double stats_mean(const double *values, size_t count); /* NaN of nothing */
/* Of values in ascending order. */
double stats_iqm(const double *sorted, size_t count);
/* The p-quantile, 0 ≤ p ≤ 1, of values in ascending order, between two of them in
 * proportion (type 7 of Hyndman and Fan 1996). */
double stats_quantile(const double *sorted, size_t count, double p);

int stats_summarise(const struct stats_value *values, size_t count, struct stats_summary *out,
                    struct error *err);

#endif
