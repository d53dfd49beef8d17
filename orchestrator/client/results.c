#include "orchestrator/client/results.h"

#include "common/cleanup.h"
#include "orchestrator/client/measure.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/table.h"
#include "orchestrator/client/tree.h"

#include <math.h>

void results_agent(const struct json *experiment, struct buf *out) {
    buf_puts(out, reply_text_or(experiment, "agent", "?"));
    const char *label = reply_text(experiment, "label");
    if (label) buf_printf(out, " (%s)", label);
}

void results_task(const struct json *thing, struct buf *out) {
    buf_printf(out, "%s:%lld", reply_text_or(thing, "task", "?"),
               (long long)reply_int(thing, "step", 1));
}

void results_metric(struct table *t, double metric) {
    if (isfinite(metric)) table_cellf(t, "%.4g", metric);
    else table_cell(t, NULL);
}

static bool is_wanted(const char *id, char *const *only) {
    if (!only) return true;
    for (; *only; only++)
        if (str_eq(*only, id)) return true;
    return false;
}

/* A measured time, of many fresh runs, goes before the one seen by the way. */
static double seconds_of(const struct json *version, const struct json *score) {
    double seconds = reply_number(score, "mean_s", NAN);
    return isfinite(seconds) ? seconds : reply_number(version, "seconds", NAN);
}

static void add_row(struct table *t, const char *agent, const struct tree_line *line,
                    const struct json *measurement) {
    const struct json *v = line->version;
    const struct json *score = measure_score(measurement, reply_text_or(v, "id", ""));
    const struct json *verdict = score ? score : v;
    _cleanup_buf_ struct buf time = {0}, fsr = {0};
    progress_seconds(seconds_of(v, score), &time);
    measure_fsr(score, &fsr);
    const char *outcome = reply_text_or(verdict, "outcome", reply_text_or(v, "state", "?"));
    table_cell(t, agent);
    table_cell(t, line->label);
    table_cell(t, outcome);
    table_cell(t, buf_text(&time));
    results_metric(t, reply_number(score, "metric", reply_number(v, "metric", NAN)));
    table_cell(t, buf_text(&fsr));
    bool plain = str_eq(outcome, "valid") || str_eq(outcome, "scored");
    table_cell(t, plain ? "" : reply_text_or(verdict, "reason", ""));
}

static int add_experiment(struct table *t, const struct json *experiment,
                          const struct json *measurement, char *const *only, struct error *err) {
    _cleanup_tree_ struct tree tree = {0};
    if (tree_layout(experiment, false, &tree, err) < 0) return -1;
    _cleanup_buf_ struct buf agent = {0};
    results_agent(experiment, &agent);
    const char *name = buf_text(&agent);
    for (size_t i = 0; i < tree.count; i++) {
        if (!is_wanted(reply_text_or(tree.lines[i].version, "id", ""), only)) continue;
        add_row(t, name, &tree.lines[i], measurement);
        name = ""; /* once for each experiment */
    }
    return 0;
}

int results_table(const struct json *const *experiments, size_t count,
                  const struct json *measurement, char *const *only, bool bold, struct buf *out,
                  struct error *err) {
    static const char *const heads[] = {"AGENT",   "VERSION", "OUTCOME", ">TIME",
                                        ">METRIC", ">FSR",    "REASON",  NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    for (size_t i = 0; i < count; i++)
        if (add_experiment(t, experiments[i], measurement, only, err) < 0) return -1;
    return table_print(t, bold, out) < 0 ? error_sys(err, ENOMEM, "table") : 0;
}

static bool holds(char *const *ids, const char *id) {
    for (; ids && *ids; ids++)
        if (str_eq(*ids, id)) return true;
    return false;
}

/* The fastest valid version that is not among `taken`; NULL: none. */
static const char *fastest(const struct json *experiment, char *const *taken) {
    const char *best = NULL;
    double best_s = INFINITY;
    for (size_t i = 0; i < reply_count(experiment, "versions"); i++) {
        const struct json *v = reply_at(experiment, "versions", i);
        const char *id = reply_text(v, "id");
        if (!id || !str_eq(reply_text(v, "outcome"), "valid") || !reply_text(v, "parent")) continue;
        double seconds = reply_number(v, "seconds", INFINITY);
        if (holds(taken, id) || (best && !(seconds < best_s))) continue;
        best = id;
        best_s = seconds;
    }
    return best;
}

int results_top(const struct json *experiment, size_t most, char ***ids, struct error *err) {
    for (size_t n = 0; n < most; n++) {
        const char *id = fastest(experiment, *ids);
        if (!id) break;
        if (strv_push(ids, id) < 0) return error_sys(err, ENOMEM, "best versions");
    }
    return 0;
}
