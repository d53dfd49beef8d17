#include "orchestrator/client/show.h"

#include "common/cleanup.h"
#include "orchestrator/client/calibration.h"
#include "orchestrator/client/measure.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/results.h"
#include "orchestrator/client/table.h"

#include <math.h>
#include <string.h>

#define KEY_COLUMNS 18

static bool is_in(const char *const *list, const char *key) {
    for (; list && *list; list++)
        if (str_eq(*list, key)) return true;
    return false;
}

/* A number as the daemon wrote it, as far as a double tells. */
static void put_scalar(const struct json *v, struct buf *out) {
    double n = reply_number(v, "", NAN);
    switch (json_type(v)) {
    case JSON_STRING: progress_text(reply_text_or(v, "", ""), SIZE_MAX, out); break;
    case JSON_BOOL: buf_puts(out, reply_bool(v, "", false) ? "yes" : "no"); break;
    case JSON_NUMBER:
        if (n == floor(n) && fabs(n) < 1e15) buf_printf(out, "%.0f", n);
        else buf_printf(out, "%.6g", n);
        break;
    default: break;
    }
}

void show_members(const struct json *object, const char *const *skip, struct buf *out) {
    if (!object || json_type(object) != JSON_OBJECT) return;
    for (size_t i = 0; i < json_count(object); i++) {
        const struct json *v = json_at(object, i);
        const char *key = json_key_at(object, i);
        enum json_type type = json_type(v);
        if (type == JSON_NULL || type == JSON_ARRAY || type == JSON_OBJECT || is_in(skip, key))
            continue;
        buf_puts(out, "  ");
        progress_text(key, SIZE_MAX, out);
        for (size_t n = strlen(key); n < KEY_COLUMNS; n++) buf_putc(out, ' ');
        buf_putc(out, ' ');
        put_scalar(v, out);
        buf_putc(out, '\n');
    }
}

static void print_table(struct table *t, bool colour, const char *title, struct buf *out) {
    if (table_rows(t) == 0) return;
    buf_printf(out, "\n%s\n", title);
    table_print(t, colour, out);
}

static void seconds_cell(struct table *t, double seconds) {
    _cleanup_buf_ struct buf text = {0};
    progress_seconds(seconds, &text);
    table_cell(t, buf_text(&text));
}

static void show_runs(const struct json *version, bool colour, struct buf *out) {
    static const char *const heads[] = {"RUN",   "PHASE", "PURPOSE", "STATE",
                                        "ENDED", ">TIME", "REASON",  NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    for (size_t i = 0; i < reply_count(version, "runs"); i++) {
        const struct json *r = reply_at(version, "runs", i);
        /* A list of ids is enough to ask on with. */
        bool bare = json_type(r) == JSON_STRING;
        table_cell(t, bare ? reply_text(r, "") : reply_text(r, "id"));
        table_cell(t, reply_text(r, "phase"));
        table_cell(t, reply_text(r, "purpose"));
        table_cell(t, reply_text(r, "state"));
        table_cell(t, reply_text(r, "ended"));
        seconds_cell(t, reply_number(r, "wall_s", NAN));
        table_cell(t, reply_text_or(r, "reason", ""));
    }
    print_table(t, colour, "Runs", out);
}

static void show_scores(const struct json *thing, bool colour, struct buf *out) {
    static const char *const heads[] = {"MEASUREMENT", "VERSION", "OUTCOME",
                                        ">FSR",        "REASON",  NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    for (size_t i = 0; i < reply_count(thing, "scores"); i++) {
        const struct json *score = reply_at(thing, "scores", i);
        _cleanup_buf_ struct buf fsr = {0};
        measure_fsr(score, &fsr);
        table_cell(t, reply_text_or(score, "measurement", reply_text_or(thing, "id", "?")));
        table_cell(t, reply_text_or(score, "version", reply_text_or(thing, "id", "?")));
        table_cell(t, reply_text(score, "outcome"));
        table_cell(t, buf_text(&fsr));
        table_cell(t, reply_text_or(score, "reason", ""));
    }
    print_table(t, colour, "Scores", out);
}

void show_version(const struct json *version, bool colour, struct buf *out) {
    show_members(version, NULL, out);
    show_runs(version, colour, out);
    show_scores(version, colour, out);
}

void show_layers(const struct json *layers, bool colour, struct buf *out) {
    static const char *const heads[] = {"LAYER", "STATE", "DETAIL", NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    for (size_t i = 0; i < reply_count(layers, ""); i++) {
        const struct json *layer = reply_at(layers, "", i);
        table_cell(t, reply_text(layer, "name"));
        table_cell(t, reply_text(layer, "state"));
        table_cell(t, reply_text_or(layer, "detail", ""));
    }
    print_table(t, colour, "Fence", out);
}

void show_limits(const struct json *limits, bool colour, struct buf *out) {
    static const char *const heads[] = {"LIMIT", ">VALUE", "BY", "DETAIL", NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    for (size_t i = 0; i < reply_count(limits, ""); i++) {
        const struct json *limit = reply_at(limits, "", i);
        table_cell(t, reply_text(limit, "name"));
        int64_t value = reply_int(limit, "value", 0);
        if (value) table_cellf(t, "%lld", (long long)value);
        else table_cell(t, NULL);
        table_cell(t, reply_text_or(limit, "by", reply_text(limit, "enforcer")));
        table_cell(t, reply_text_or(limit, "detail", ""));
    }
    print_table(t, colour, "Limits", out);
}

/* What of this run the launcher and the daemon took themselves. */
static void show_own_share(const struct json *run, struct buf *out) {
    const struct json *result = reply_find(run, "result");
    double launcher = reply_number(result, "launcher_cpu_ns", NAN);
    double daemon = reply_number(run, "daemon_cpu_ns", NAN);
    double wall = reply_number(run, "wall_ns", NAN);
    if (!(wall > 0) || !(launcher >= 0) || !(daemon >= 0)) return;
    buf_printf(out, "\nPaddock's own cpu time was %.2g %% of the run's\n",
               100 * (launcher + daemon) / wall);
}

void show_run(const struct json *run, bool fence, bool colour, struct buf *out) {
    show_members(run, NULL, out);
    const struct json *result = reply_find(run, "result"), *exam = reply_find(run, "exam");
    if (result) {
        buf_puts(out, "\nResult\n");
        show_members(result, NULL, out);
        static const char *const inner[] = {"times", "usage", "witnesses", NULL};
        for (const char *const *key = inner; *key; key++)
            show_members(reply_find(result, *key), NULL, out);
        const struct json *violation = reply_find(result, "violation");
        if (violation && json_type(violation) == JSON_OBJECT) {
            buf_puts(out, "\nViolation\n");
            show_members(violation, NULL, out);
        }
        show_own_share(run, out);
    }
    if (exam) {
        buf_puts(out, "\nExam\n");
        show_members(exam, NULL, out);
    }
    if (!fence) return;
    const struct json *layers = reply_find(result, "layers");
    show_layers(layers ? layers : reply_find(result, "fence"), colour, out);
    show_limits(reply_find(result, "limits"), colour, out);
}

/* Every run that does not count, since the machine disturbed it. */
static void show_voids(const struct json *m, bool colour, struct buf *out) {
    static const char *const heads[] = {">BLOCK", "ARM", "RUN", ">TIME", "WHY", NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    for (size_t i = 0; i < reply_count(m, "voids"); i++) {
        const struct json *run = reply_at(m, "voids", i);
        _cleanup_buf_ struct buf arm = {0};
        measure_arm_name(m, reply_int(run, "arm", 0), &arm);
        table_cellf(t, "%lld", (long long)reply_int(run, "block", 0) + 1);
        table_cell(t, buf_text(&arm));
        table_cell(t, reply_text(run, "run"));
        seconds_cell(t, reply_number(run, "wall_s", NAN));
        table_cell(t, reply_text_or(run, "reason", ""));
    }
    print_table(t, colour, "Void runs", out);
}

/* What was found beside a score: the candidate's runs were void too often, say. */
static void show_findings(const struct json *m, struct buf *out) {
    for (size_t i = 0; i < reply_count(m, "scores"); i++) {
        const struct json *score = reply_at(m, "scores", i);
        for (size_t k = 0; k < reply_count(score, "findings"); k++) {
            const struct json *finding = reply_at(score, "findings", k);
            buf_printf(out, "\n%s: %s: ", reply_text_or(score, "version", "?"),
                       reply_text_or(finding, "rule", "finding"));
            progress_text(reply_text_or(finding, "text", ""), SIZE_MAX, out);
            buf_putc(out, '\n');
        }
    }
}

static void show_slots(const struct json *m, bool colour, struct buf *out) {
    static const char *const heads[] = {">BLOCK", "ARM",     "STATE", ">TIME", ">METRIC",
                                        "RUN",    "OUTCOME", "RULE",  NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    for (size_t i = 0; i < reply_count(m, "slots"); i++) {
        const struct json *slot = reply_at(m, "slots", i);
        double metric = reply_number(slot, "metric", reply_number(slot, "loss", NAN));
        _cleanup_buf_ struct buf arm = {0};
        measure_arm_name(m, reply_int(slot, "arm", 0), &arm);
        table_cellf(t, "%lld", (long long)reply_int(slot, "block", 0) + 1);
        table_cell(t, buf_text(&arm));
        table_cell(t, reply_text(slot, "state"));
        seconds_cell(t, reply_number(slot, "wall_s", NAN));
        results_metric(t, metric);
        table_cell(t, reply_text(slot, "run"));
        table_cell(t, reply_text_or(slot, "outcome", ""));
        table_cell(t, reply_text_or(slot, "rule", ""));
    }
    print_table(t, colour, "Slots", out);
}

void show_measurement(const struct json *m, bool colour, struct buf *out) {
    show_members(m, NULL, out);
    show_slots(m, colour, out);
    show_voids(m, colour, out);
    show_scores(m, colour, out);
    show_findings(m, out);
    measure_search(m, colour, out);
    const struct json *calibration = reply_find(m, "calibration");
    if (calibration) {
        buf_putc(out, '\n');
        calibration_text(calibration, colour, out);
    }
}

void show_experiment(const struct json *e, bool colour, struct buf *out) {
    show_members(e, NULL, out);
    buf_puts(out, "\nVersions\n");
    results_table(&e, 1, NULL, NULL, colour, out, NULL);
}
