#include "orchestrator/client/calibration.h"

#include "common/cleanup.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/table.h"
#include "orchestrator/paths/paths.h"

#include <math.h>
#include <string.h>

#define DOCUMENT_MAX ((size_t)4 << 20)

static struct json *read_one(enum paths_scope scope, const char *digest, const char *suffix) {
    _cleanup_free_ char *state = paths_state(scope, NULL);
    _cleanup_free_ char *path =
        state ? str_printf("%s/calibrations/%s%s.json", state, digest, suffix) : NULL;
    return path ? json_load(path, DOCUMENT_MAX, NULL) : NULL;
}

/* Keeps the one that was made later. */
static void take_newer(struct json **best, struct json *other) {
    const char *old = reply_text_or(*best, "created", "");
    bool newer = other && strcmp(reply_text_or(other, "created", ""), old) > 0;
    struct json *loser = newer ? *best : other;
    if (newer) *best = other;
    json_free(loser);
}

struct json *calibration_find(const struct task *t, int64_t step) {
    char of_step[32];
    snprintf(of_step, sizeof of_step, "-%lld", (long long)step);
    struct json *best = NULL;
    static const enum paths_scope scopes[] = {PATHS_PRIVATE, PATHS_SERVICE};
    for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
        take_newer(&best, read_one(scopes[i], t->digest, ""));
        take_newer(&best, read_one(scopes[i], t->digest, of_step));
    }
    return best;
}

/* A share as "1.2 %"; "–" when it is not known. */
static void percent_cell(struct table *t, double share) {
    if (isfinite(share)) table_cellf(t, "%.2f %%", 100 * share);
    else table_cell(t, NULL);
}

static void seconds_cell(struct table *t, double seconds) {
    _cleanup_buf_ struct buf text = {0};
    progress_seconds(seconds, &text);
    table_cell(t, buf_text(&text));
}

static void blocks_cell(struct table *t, const struct json *step) {
    double blocks = reply_number(step, "blocks_needed", NAN);
    double seconds = reply_number(step, "seconds_needed", NAN);
    if (!(blocks > 0)) {
        table_cell(t, NULL);
        return;
    }
    _cleanup_buf_ struct buf time = {0};
    progress_seconds(seconds, &time);
    table_cellf(t, "%.0f (%s)", blocks, buf_text(&time));
}

/* The columns about the step to the next record, five of them. */
static void step_cells(struct table *t, const struct json *step) {
    if (!step) {
        for (int i = 0; i < 5; i++) table_cell(t, NULL);
        return;
    }
    table_cellf(t, "%.3g s (%.1f %%)", reply_number(step, "gap_s", NAN),
                100 * reply_number(step, "gap_fraction", NAN));
    table_cellf(t, "%.1f", reply_number(step, "gap_to_noise", NAN));
    double formula = reply_number(step, "noise_fsr", NAN);
    if (isfinite(formula))
        table_cellf(t, "%.2f / %.2f", formula, reply_number(step, "noise_fsr_simulated", NAN));
    else table_cell(t, NULL);
    blocks_cell(t, step);
    table_cell(t, reply_text(step, "best_outcome"));
}

static void record_row(struct table *t, const struct json *r) {
    const char *reason = reply_text_or(r, "reason", reply_text_or(r, "target_reason", ""));
    table_cellf(t, "%lld", (long long)reply_int(r, "record", 0));
    seconds_cell(t, reply_number(r, "mean_s", NAN));
    percent_cell(t, reply_number(r, "cv", NAN));
    step_cells(t, reply_find(r, "next"));
    table_cell(t, reason);
}

void calibration_text(const struct json *c, bool bold, struct buf *out) {
    static const char *const heads[] = {">RECORD",    ">TIME",      ">CV",         ">GAP TO NEXT",
                                        ">GAP/NOISE", ">NOISE FSR", ">±0.1 NEEDS", "BEST HERE",
                                        "NOTE",       NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    buf_printf(out, "Calibrated here by %s on %.10s: %lld blocks",
               reply_text_or(c, "measurement", "?"), reply_text_or(c, "created", "?"),
               (long long)reply_int(c, "blocks", 0));
    double cv = reply_number(c, "cv", NAN), single = reply_number(c, "cv_single", NAN);
    if (isfinite(cv))
        buf_printf(out, "; a run varies by %.2f %% within a block, by %.2f %% over all", 100 * cv,
                   100 * single);
    buf_putc(out, '\n');
    for (size_t i = 0; i < reply_count(c, "records"); i++) record_row(t, reply_at(c, "records", i));
    table_print(t, bold, out);
    buf_printf(
        out,
        "NOISE FSR is what doing nothing scores as the best of %lld single runs, by formula"
        " and\nsimulated; BEST HERE what a measurement of %lld blocks, which the task allows,"
        " can reach.\n",
        (long long)reply_int(c, "tries", 20), (long long)reply_int(c, "blocks_max", 0));
}
