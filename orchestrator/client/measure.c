#include "orchestrator/client/measure.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/table.h"

#include <math.h>
#include <string.h>

#define WAIT_MS 1000 /* short, so that Ctrl-C is seen soon */

struct measure_wish measure_wish_of(const struct args *args) {
    return (struct measure_wish){.blocks_min = args_int(args, "blocks-min", 0),
                                 .blocks_max = args_int(args, "blocks-max", 0),
                                 .budget_s = args_number(args, "budget", NAN),
                                 .half_width = args_number(args, "half-width", NAN)};
}

char *measure_create(struct http *http, char *const *versions, const struct measure_wish *wish,
                     struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    _cleanup_json_ struct json *doc = NULL;
    if (!w) {
        error_sys(err, ENOMEM, "measurement");
        return NULL;
    }
    json_open_object(w, NULL);
    json_put_strv(w, "versions", versions);
    if (wish->blocks_min) json_put_int(w, "blocks_min", wish->blocks_min);
    if (wish->blocks_max) json_put_int(w, "blocks_max", wish->blocks_max);
    if (!isnan(wish->budget_s)) json_put_double(w, "budget_s", wish->budget_s);
    if (!isnan(wish->half_width)) json_put_double(w, "half_width", wish->half_width);
    json_close_object(w);
    if (http_post(http, "/v1/measurements", w, &doc, err) < 0) return NULL;
    const char *id = reply_text_or(doc, "id", "");
    if (reply_check_id(id, "m", err) < 0) {
        error_wrap(err, "the new measurement");
        return NULL;
    }
    return strdup(id);
}

void measure_arm_name(const struct json *measurement, int64_t position, struct buf *out) {
    const struct json *arm = NULL;
    for (size_t i = 0; i < reply_count(measurement, "arms") && !arm; i++) {
        const struct json *candidate = reply_at(measurement, "arms", i);
        if (reply_int(candidate, "position", (int64_t)i) == position) arm = candidate;
    }
    const char *version = reply_text(arm, "version");
    if (version) buf_puts(out, version);
    else
        buf_printf(
            out, "record %lld",
            (long long)reply_int(arm, "record", reply_int(measurement, "step", 1) + position));
}

/* Of how many blocks? Those planned so far, and never fewer than the least. */
static int64_t blocks_of(const struct json *measurement) {
    int64_t planned = reply_int(measurement, "blocks", 0);
    int64_t least = reply_int(measurement, "blocks_min", 0);
    return planned > least ? planned : least;
}

void measure_slot(const struct json *measurement, const struct json *slot, struct buf *out) {
    buf_printf(out, "block %lld/%lld  ", (long long)reply_int(slot, "block", 0) + 1,
               (long long)blocks_of(measurement));
    measure_arm_name(measurement, reply_int(slot, "arm", 0), out);
    double seconds = reply_number(slot, "wall_s", NAN);
    if (isfinite(seconds)) {
        buf_putc(out, ' ');
        progress_seconds(seconds, out);
    }
    const char *outcome = reply_text(slot, "outcome");
    if (!outcome || str_eq(outcome, "valid")) return;
    buf_printf(out, "  %s: ", outcome);
    progress_text(reply_text_or(slot, "reason", ""), SIZE_MAX, out);
}

static bool slot_is_over(const struct json *slot) {
    const char *state = reply_text_or(slot, "state", "");
    return str_eq(state, "done") || str_eq(state, "failed") || str_eq(state, "void");
}

/* The slots that ended since the last reading. A bit for each slot by its place
 * in the list would do; the lists only grow, and are short. */
static int say_new_slots(const struct json *now, const struct json *before,
                         struct progress *progress) {
    for (size_t i = 0; i < reply_count(now, "slots"); i++) {
        const struct json *slot = reply_at(now, "slots", i);
        if (!slot_is_over(slot)) continue;
        const struct json *old = reply_at(before, "slots", i);
        if (old && slot_is_over(old)) continue;
        _cleanup_buf_ struct buf line = {0};
        measure_slot(now, slot, &line);
        progress_say(progress, "%s", buf_text(&line));
    }
    return 0;
}

static bool is_over(const struct json *measurement) {
    const char *state = reply_text_or(measurement, "state", "");
    return str_eq(state, "done") || str_eq(state, "cancelled");
}

static void say_status(const struct json *now, const char *id, struct progress *progress) {
    size_t total = reply_count(now, "slots"), over = 0;
    for (size_t i = 0; i < total; i++) over += slot_is_over(reply_at(now, "slots", i));
    progress_status(progress, "%s: %zu of %zu runs", id, over, total);
}

static int cancel(struct http *http, const char *id, struct error *err) {
    http_postf(http, NULL, NULL, NULL, "/v1/measurements/%s/cancel", id);
    return error_set(err, ERROR_CANCELLED, "interrupted; %s is cancelled", id);
}

int measure_follow(struct http *http, const char *id, struct progress *progress,
                   const volatile bool *interrupted, struct json **out, struct error *err) {
    struct follow follow;
    if (follow_start(&follow, http, err) < 0) return -1;
    for (;;) {
        _cleanup_json_ struct json *before = *out;
        *out = NULL;
        if (http_getf(http, out, err, "/v1/measurements/%s", id) < 0) return -1;
        say_new_slots(*out, before, progress);
        if (is_over(*out)) return 0;
        say_status(*out, id, progress);
        for (bool news = false; !news;) {
            _cleanup_json_ struct json *events = NULL;
            if (*interrupted) return cancel(http, id, err);
            if (follow_next(&follow, WAIT_MS, &events, err) < 0) return -1;
            for (size_t i = 0; i < reply_count(events, "events"); i++)
                news |= str_eq(reply_text(reply_at(events, "events", i), "subject"), id);
            say_status(*out, id, progress);
        }
    }
}

const struct json *measure_score(const struct json *measurement, const char *version) {
    for (size_t i = reply_count(measurement, "scores"); i-- > 0;) {
        const struct json *score = reply_at(measurement, "scores", i);
        if (str_eq(reply_text(score, "version"), version)) return score;
    }
    return NULL;
}

void measure_fsr(const struct json *score, struct buf *out) {
    double fsr = reply_number(score, "fsr", NAN);
    double low = reply_number(score, "low", NAN), high = reply_number(score, "high", NAN);
    if (!isfinite(fsr)) buf_puts(out, "–");
    else if (isfinite(low) && isfinite(high)) buf_printf(out, "%.2f [%.2f, %.2f]", fsr, low, high);
    else buf_printf(out, "%.2f [unbounded]", fsr);
}

void measure_search(const struct json *measurement, bool bold, struct buf *out) {
    static const char *const heads[] = {"VERSION", ">ONE RUN", ">AS FSR", ">BEST OF",
                                        ">LUCK",   ">SCORE",   NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    for (size_t i = 0; i < reply_count(measurement, "scores"); i++) {
        const struct json *score = reply_at(measurement, "scores", i);
        if (!isfinite(reply_number(score, "search.seconds", NAN))) continue;
        _cleanup_buf_ struct buf time = {0}, fsr = {0};
        progress_seconds(reply_number(score, "search.seconds", NAN), &time);
        measure_fsr(score, &fsr);
        table_cell(t, reply_text(score, "version"));
        table_cell(t, buf_text(&time));
        table_cellf(t, "%.2f", reply_number(score, "search.single_run_fsr", NAN));
        table_cellf(t, "%lld", (long long)reply_int(score, "search.valid_versions", 0));
        table_cellf(t, "%+.2f", reply_number(score, "search.luck_fsr", NAN));
        table_cell(t, buf_text(&fsr));
    }
    if (table_rows(t) == 0) return;
    buf_puts(out, "\nBest of the search: one run each, not a score; LUCK is what noise alone adds"
                  " to the\nbest of so many. SCORE is from fresh runs only.\n");
    table_print(t, bold, out);
}

/* The mean of a record's arm as the estimate took it; else over what was run. */
static double mean_of(const struct json *measurement, int64_t arm) {
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < reply_count(measurement, "scores"); i++) {
        double mean =
            reply_number(reply_at(measurement, "scores", i), arm ? "mean_b_s" : "mean_a_s", NAN);
        if (isfinite(mean)) return mean;
    }
    for (size_t i = 0; i < reply_count(measurement, "slots"); i++) {
        const struct json *slot = reply_at(measurement, "slots", i);
        double seconds = reply_number(slot, "wall_s", NAN);
        if (reply_int(slot, "arm", -1) != arm || !isfinite(seconds)) continue;
        sum += seconds;
        n++;
    }
    return n ? sum / (double)n : NAN;
}

/* How much one run varies; of the first score that knows. */
static double variation_of(const struct json *measurement) {
    for (size_t i = 0; i < reply_count(measurement, "scores"); i++) {
        double cv = reply_number(reply_at(measurement, "scores", i), "cv", NAN);
        if (isfinite(cv)) return cv;
    }
    return NAN;
}

void measure_summary(const struct json *measurement, struct buf *out) {
    buf_printf(
        out, "%s of %s:%lld, %s, %lld blocks", reply_text_or(measurement, "id", "?"),
        reply_text_or(measurement, "task", "?"), (long long)reply_int(measurement, "step", 1),
        reply_text_or(measurement, "state", "?"), (long long)reply_int(measurement, "blocks", 0));
    for (int64_t arm = 0; arm < 2; arm++) {
        buf_puts(out, arm ? ", " : ": ");
        measure_arm_name(measurement, arm, out);
        buf_putc(out, ' ');
        progress_seconds(mean_of(measurement, arm), out);
    }
    double cv = variation_of(measurement);
    if (isfinite(cv)) buf_printf(out, "; a run varies by %.1f %%", 100 * cv);
    buf_puts(out, "; intervals are worth 95 %\n");
    const char *reason = reply_text(measurement, "reason");
    if (reason) {
        buf_puts(out, reply_text_or(measurement, "outcome", "note"));
        buf_puts(out, ": ");
        progress_text(reason, SIZE_MAX, out);
        buf_putc(out, '\n');
    }
}
