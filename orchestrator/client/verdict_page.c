/* The verdict as a page: outcome, numbers, arms, every timed run, commands. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/results.h"
#include "orchestrator/client/table.h"
#include "orchestrator/client/verdict.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static void line(struct buf *out, const char *key,
                                                       const char *fmt, ...) {
    _cleanup_buf_ struct buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    buf_printf(out, "  %-14s", key);
    progress_text(buf_text(&text), SIZE_MAX, out);
    buf_putc(out, '\n');
}

static void put_numbers(const struct score *s, struct buf *out) {
    const struct fsr_interval *i = &s->estimate.i;
    if (!s->has_estimate) {
        line(out, "FSR", "none");
        return;
    }
    if (!isfinite(i->estimate)) line(out, "FSR", "none: there is no gap");
    else if (i->bounded)
        line(out, "FSR", "%.3f, %g %% interval %.3f to %.3f", i->estimate, 100 * i->level, i->low,
             i->high);
    else line(out, "FSR", "%.3f, the interval is unbounded", i->estimate);
    line(out, "gap", "%.4g s, from %.4g to %.4g, %.3g times its noise", i->gap, i->gap_low,
         i->gap_high, i->gap_to_noise);
    line(out, "noise", "one run varies by %.2g %%; %zu blocks count%s", 100 * i->cv,
         s->estimate.block_count, i->trimmed ? ", means are trimmed" : "");
}

static void put_metric(const struct score *s, struct buf *out) {
    if (!isfinite(s->metric)) return;
    if (!s->has_target) line(out, s->metric_name, "mean %.6g %s", s->metric, s->unit);
    else
        line(out, s->metric_name, "mean %.6g %s, target at %s %.6g", s->metric, s->unit,
             s->higher_is_better ? "least" : "most", s->target);
}

static void put_findings(const struct score *s, struct buf *out) {
    for (size_t i = 0; i < json_count(s->findings); i++) {
        const struct json *finding = json_at(s->findings, i);
        const char *rule = "", *text = "";
        json_as_string(json_find(finding, "rule"), &rule, NULL);
        json_as_string(json_find(finding, "text"), &text, NULL);
        line(out, "finding", "%s: %s", rule, text);
    }
}

static void put_head(const struct score *s, bool colour, struct buf *out) {
    buf_puts(out, colour ? "\033[1m" : "");
    _cleanup_buf_ struct buf title = {0};
    buf_printf(&title, "%s of %s:%" PRId64 " in %s: %s", s->version, s->task, s->step,
               s->measurement, s->outcome);
    progress_text(buf_text(&title), SIZE_MAX, out);
    buf_puts(out, colour ? "\033[0m\n" : "\n");
    if (s->rule) line(out, "rule", "%s", s->rule);
    if (s->reason) line(out, "reason", "%s", s->reason);
    put_findings(s, out);
    put_numbers(s, out);
    put_metric(s, out);
    line(out, "measured", "%s%s%s", s->measured, s->measured_reason ? ": " : "",
         s->measured_reason ? s->measured_reason : "");
    line(out, "snapshot", "%s", s->snapshot);
    line(out, "evidence", "%zu runs, head %s", s->run_count, s->head ? s->head : "–");
}

/* ---- arms ---- */

struct arm_sums {
    size_t counted, voids;
    double mean, variation; /* of one run, relative; NaN: fewer than two */
};

static struct arm_sums sums_of(const struct score *s, size_t arm) {
    struct arm_sums a = {.mean = NAN, .variation = NAN};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < s->run_count; i++) {
        const struct score_run *r = &s->runs[i];
        if (r->arm != (int64_t)arm || strcmp(r->phase, "train") != 0) continue;
        a.voids += r->is_void;
        a.counted += r->counts;
        sum += r->counts ? (double)r->wall_ns / (double)NS_PER_SEC : 0;
    }
    if (a.counted == 0) return a;
    a.mean = sum / (double)a.counted;
    for (size_t i = 0; i < s->run_count; i++) {
        const struct score_run *r = &s->runs[i];
        double off = (double)r->wall_ns / (double)NS_PER_SEC - a.mean;
        if (r->arm == (int64_t)arm && r->counts) squares += off * off;
    }
    if (a.counted > 1) a.variation = sqrt(squares / (double)(a.counted - 1)) / a.mean;
    return a;
}

static int put_arms(const struct score *s, bool colour, struct buf *out, struct error *err) {
    static const char *const heads[] = {"ARM", ">RUNS",   ">VOID",   ">MEAN",
                                        ">CV", ">METRIC", "OUTCOME", NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    double means[SCORE_ARMS_MAX];
    if (score_means(s, means, err) < 0) return -1;
    for (size_t i = 0; i < s->arm_count; i++) {
        struct arm_sums a = sums_of(s, i);
        _cleanup_buf_ struct buf name = {0}, mean = {0};
        score_arm_name(&s->arms[i], &name);
        progress_seconds(means[i], &mean);
        table_cell(t, buf_text(&name));
        table_cellf(t, "%zu", a.counted);
        table_cellf(t, "%zu", a.voids);
        table_cell(t, buf_text(&mean));
        if (isfinite(a.variation)) table_cellf(t, "%.2g %%", 100 * a.variation);
        else table_cell(t, NULL);
        results_metric(t, score_mean_metric(s, i));
        table_cell(t, s->arms[i].active ? "" : s->arms[i].outcome);
    }
    buf_puts(out, "\nArms\n");
    return table_print(t, colour, out) < 0 ? error_sys(err, ENOMEM, "table") : 0;
}

/* ---- runs ---- */

/* A witness of a result in milliseconds; what a machine does not tell is −1. */
static void witness_cell(struct table *t, const struct json *result, const char *key) {
    const struct json *v = result ? json_find(result, key) : NULL;
    double ns = -1;
    if (v && json_as_double(v, 0, 1e18, &ns, NULL) == 0 && ns >= 0)
        table_cellf(t, "%.1f ms", ns / (double)NS_PER_MS);
    else table_cell(t, NULL);
}

static void put_run(const struct score *s, const struct score_run *r, struct table *t) {
    _cleanup_buf_ struct buf name = {0}, time = {0};
    score_arm_name(&s->arms[r->arm], &name);
    progress_seconds(r->wall_ns ? (double)r->wall_ns / (double)NS_PER_SEC : NAN, &time);
    if (r->block >= 0) table_cellf(t, "%" PRId64, r->block + 1);
    else table_cell(t, NULL);
    table_cell(t, buf_text(&name));
    table_cell(t, r->id);
    table_cell(t, buf_text(&time));
    results_metric(t, r->metric);
    table_cell(t, r->is_void ? "void" : r->counts ? "counts" : r->outcome);
    witness_cell(t, r->result, "steal_ns");
    witness_cell(t, r->result, "pressure_cpu_ns");
    witness_cell(t, r->result, "foreign_cpu_ns");
    table_cell(t, r->seed);
    _cleanup_buf_ struct buf why = {0};
    buf_printf(&why, "%s%s%s", r->rule ? r->rule : "", r->rule && r->reason ? ": " : "",
               r->reason ? r->reason : "");
    table_cell(t, buf_text(&why));
}

static int put_runs(const struct score *s, bool colour, struct buf *out, struct error *err) {
    static const char *const heads[] = {">BLOCK",   "ARM",   "RUN",    ">TIME",
                                        ">METRIC",  "STATE", ">STEAL", ">CPU WAIT",
                                        ">FOREIGN", ">SEED", "REASON", NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    for (size_t i = 0; i < s->run_count; i++)
        if (strcmp(s->runs[i].phase, "train") == 0) put_run(s, &s->runs[i], t);
    if (table_rows(t) == 0) return 0;
    buf_puts(out, "\nTimed runs\n");
    return table_print(t, colour, out) < 0 ? error_sys(err, ENOMEM, "table") : 0;
}

int verdict_page(const struct score *s, bool colour, struct buf *out, struct error *err) {
    put_head(s, colour, out);
    if (put_arms(s, colour, out, err) < 0 || put_runs(s, colour, out, err) < 0) return -1;
    if (json_count(s->reproduce)) buf_puts(out, "\nTo reproduce\n");
    for (size_t i = 0; i < json_count(s->reproduce); i++) {
        const char *text = "";
        if (json_as_string(json_at(s->reproduce, i), &text, err) < 0) return -1;
        buf_puts(out, "  ");
        progress_text(text, SIZE_MAX, out);
        buf_putc(out, '\n');
    }
    return 0;
}
