#include "orchestrator/report/stats.h"

#include "common/cleanup.h"

#include <math.h>
#include <stdint.h>

double stats_mean(const double *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += values[i];
    return count ? sum / (double)count : NAN;
}

double stats_iqm(const double *sorted, size_t count) {
    size_t cut = count / 4;
    return stats_mean(sorted + cut, count - 2 * cut);
}

double stats_quantile(const double *sorted, size_t count, double p) {
    if (count == 0) return NAN;
    double at = p * (double)(count - 1);
    size_t below = (size_t)at;
    if (below + 1 >= count) return sorted[count - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators,
 * OOPSLA 2014). Nobody gains by foreseeing these draws. */
static uint64_t next_u64(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 … n − 1; what it favours is less than n / 2^32. */
static size_t draw_below(uint64_t *state, size_t n) {
    return (size_t)((next_u64(state) >> 32) * n >> 32);
}

static int by_value(const void *a, const void *b) {
    const struct stats_value *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return (x->stratum > y->stratum) - (x->stratum < y->stratum);
}

static int by_double(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The values in ascending order, and for each stratum in turn at which places of
 * that order its values stand. */
struct plan {
    double *values;
    size_t *places;  /* all strata behind one another */
    size_t *begin;   /* where a stratum's places begin; strata + 1 of them */
    uint32_t *times; /* how often each value was drawn */
    double *means, *iqms;
    size_t count, strata, lone;
};

static void plan_clear(struct plan *p) {
    free(p->values);
    free(p->places);
    free(p->begin);
    free(p->times);
    free(p->means);
    free(p->iqms);
}

static size_t next_stratum(const struct stats_value *sorted, size_t count, bool first,
                           size_t last) {
    size_t next = SIZE_MAX;
    for (size_t i = 0; i < count; i++)
        if ((first || sorted[i].stratum > last) && sorted[i].stratum < next)
            next = sorted[i].stratum;
    return next;
}

static void fill_plan(struct plan *p, const struct stats_value *sorted) {
    size_t filled = 0, stratum = 0;
    for (size_t i = 0; i < p->count; i++) p->values[i] = sorted[i].value;
    while (filled < p->count) {
        stratum = next_stratum(sorted, p->count, p->strata == 0, stratum);
        p->begin[p->strata] = filled;
        for (size_t i = 0; i < p->count; i++)
            if (sorted[i].stratum == stratum) p->places[filled++] = i;
        p->lone += filled - p->begin[p->strata] == 1;
        p->begin[++p->strata] = filled;
    }
}

static int make_plan(const struct stats_value *values, size_t count, struct plan *p,
                     struct error *err) {
    _cleanup_free_ struct stats_value *sorted = calloc(count, sizeof *sorted);
    p->count = count;
    p->values = calloc(count, sizeof *p->values);
    p->places = calloc(count, sizeof *p->places);
    p->begin = calloc(count + 1, sizeof *p->begin);
    p->times = calloc(count, sizeof *p->times);
    p->means = calloc(STATS_DRAWS, sizeof *p->means);
    p->iqms = calloc(STATS_DRAWS, sizeof *p->iqms);
    if (!sorted || !p->values || !p->places || !p->begin || !p->times || !p->means || !p->iqms)
        return error_sys(err, ENOMEM, "bootstrap");
    for (size_t i = 0; i < count; i++) sorted[i] = values[i];
    qsort(sorted, count, sizeof *sorted, by_value);
    fill_plan(p, sorted);
    return 0;
}

/* One resample, without sorting it: the order of the values is known. */
static void resample(struct plan *p, uint64_t *state, double *mean, double *iqm) {
    for (size_t i = 0; i < p->count; i++) p->times[i] = 0;
    for (size_t s = 0; s < p->strata; s++) {
        size_t size = p->begin[s + 1] - p->begin[s];
        for (size_t i = 0; i < size; i++)
            p->times[p->places[p->begin[s] + draw_below(state, size)]]++;
    }
    size_t cut = p->count / 4, from = 0;
    double sum = 0, middle = 0;
    for (size_t i = 0; i < p->count; i++) {
        size_t to = from + p->times[i];
        size_t low = from > cut ? from : cut;
        size_t high = to < p->count - cut ? to : p->count - cut;
        sum += (double)p->times[i] * p->values[i];
        if (high > low) middle += (double)(high - low) * p->values[i];
        from = to;
    }
    *mean = sum / (double)p->count;
    *iqm = middle / (double)(p->count - 2 * cut);
}

static void percentiles(double *draws, struct stats_interval *out) {
    qsort(draws, STATS_DRAWS, sizeof *draws, by_double);
    out->low = stats_quantile(draws, STATS_DRAWS, (1 - STATS_LEVEL) / 2);
    out->high = stats_quantile(draws, STATS_DRAWS, (1 + STATS_LEVEL) / 2);
    out->known = true;
}

int stats_summarise(const struct stats_value *values, size_t count, struct stats_summary *out,
                    struct error *err) {
    const struct stats_interval none = {NAN, NAN, NAN, false};
    *out = (struct stats_summary){.count = count, .mean = none, .iqm = none};
    if (count == 0) return 0;
    _cleanup_(plan_clear) struct plan p = {0};
    if (make_plan(values, count, &p, err) < 0) return -1;
    out->strata = p.strata;
    out->lone = p.lone;
    out->mean.estimate = stats_mean(p.values, count);
    out->iqm.estimate = stats_iqm(p.values, count);
    if (p.lone == p.strata) return 0; /* no draw differs from another */
    uint64_t state = 1;
    for (size_t i = 0; i < STATS_DRAWS; i++) resample(&p, &state, &p.means[i], &p.iqms[i]);
    percentiles(p.means, &out->mean);
    percentiles(p.iqms, &out->iqm);
    return 0;
}
