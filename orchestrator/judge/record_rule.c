#include "orchestrator/judge/record_rule.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "orchestrator/judge/fsr.h"
#include "orchestrator/judge/rule.h"

#include <math.h>

#define LOOKS 5 /* of a measurement that stops early: p may be this much less there */

static double mean_of(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return sum / (double)n;
}

static double deviation_of(const double *x, size_t n, double mean) {
    double squares = 0;
    for (size_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    return sqrt(squares / (double)(n - 1));
}

static bool all_equal(const double *x, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (x[i] != x[0]) return false;
    return true;
}

/* How far on the good side of the target; the target itself is good. */
static double margin_of(const struct record_rule *r, double value) {
    return r->higher_is_better ? value - r->target : r->target - value;
}

static double p_of(const struct record_rule *r, const double *x, size_t n, double mean) {
    if (n < 2) return NAN;
    if (all_equal(x, n)) return margin_of(r, x[0]) >= 0 ? 0 : 1;
    double error = deviation_of(x, n, mean) / sqrt((double)n);
    return student_t_upper(margin_of(r, mean) / error, (double)(n - 1));
}

struct record_finding record_rule_judge(const struct record_rule *rule, const double *metrics,
                                        size_t runs) {
    struct record_finding f = {.runs = runs, .mean = NAN, .p = NAN, .settled = true};
    if (runs > 0) f.mean = mean_of(metrics, runs);
    if (!rule->has_target) {
        f.met = true;
        return f;
    }
    /* Of equal values the mean may be off by a rounding. */
    double shown = runs > 0 && all_equal(metrics, runs) ? metrics[0] : f.mean;
    bool mean_meets = margin_of(rule, shown) >= 0;
    f.p = p_of(rule, metrics, runs, f.mean);
    f.met = mean_meets && (rule->p <= 0 || f.p < rule->p);
    if (!f.met) f.rule = mean_meets ? RULE_TARGET_UNSURE : RULE_TARGET_MISSED;
    /* Missed is settled when the mean is as clearly on the wrong side; met when
     * the chance of a look before the last one is paid for. */
    if (rule->p > 0) f.settled = f.met ? f.p < rule->p / LOOKS : f.p > 1 - rule->p;
    return f;
}

char *record_rule_reason(const struct record_rule *rule, const struct record_finding *f,
                         const char *metric, const char *unit) {
    _cleanup_buf_ struct buf out = {0};
    buf_printf(&out, "mean %s %.6g %s over %zu %s, target at %s %.6g", metric, f->mean, unit,
               f->runs, f->runs == 1 ? "run" : "runs", rule->higher_is_better ? "least" : "most",
               rule->target);
    if (rule->p > 0 && isfinite(f->p))
        buf_printf(&out, ": one-sided p %.2g, must be below %g", f->p, rule->p);
    else if (rule->p > 0) buf_printf(&out, " at p below %g: one run is never enough", rule->p);
    return buf_steal(&out);
}
